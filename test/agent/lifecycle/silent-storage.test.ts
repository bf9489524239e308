/** Images and disks on a file system that does not answer: their VMs wait for it, their node does not. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import type { Disk } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { aSilentDisk } from "../../support/a-silent-disk.ts";
import { anAgent, aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const real: Hypervisor = { ...withProcess(createNoopHypervisor({ clock: aClock() })), disks: "real" };
const boot = { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" } as const;
const own = (path: string): Disk => ({ name: "d", origin: { kind: "external", url: path }, readonly: false });
const over = (path: string): Disk => ({
  name: "root",
  origin: { kind: "image", image: "base", path, format: "raw", sizeMiB: 1 },
  readonly: false,
});

describe.runIf(requires("storage that does not answer", "fuse"))("storage that does not answer", () => {
  test("holds up neither the agent's start, nor its reports, nor the boots of others, nor who asks for files", async () => {
    await using folder = await aTempFolder();
    const disk = join(folder.path, "d.raw");
    await writeFile(disk, Buffer.alloc(1024));
    await using agent = await anAgent({ processes: true, hypervisors: [real] });
    const names = ["a-1", "a-2", "a-3", "a-4", "a-5"];
    for (const name of names) await agent.put(name, { spec: aSpec({ boot, disks: [own(join(folder.path, name))] }) });
    await agent.put("b-1", { spec: aSpec({ boot, disks: [own(disk)] }) });
    await agent.lifecycle[Symbol.asyncDispose]();

    await using silent = await aSilentDisk(folder.path);
    for (const name of names) {
      const path = join(silent.path, `${name}.raw`);
      const note = { path, file: path, kind: "file", bytes: 1024, modifiedNs: "1", inode: "1", samples: "" };
      const spec = aSpec({ boot, disks: [over(path)] });
      const made = { root: spec.disks[0]!.origin };
      await editRecord(join(agent.dataFolder, "vms", name, "record.json"), {
        spec,
        ownDisks: made,
        images: { root: [note] },
      });
      await mkdir(join(agent.dataFolder, "vms", name, "disks"), { recursive: true });
      await writeFile(join(agent.dataFolder, "vms", name, "disks", "root.qcow2"), "");
    }
    await agent.restart();
    const report = await agent.lifecycle.report(NEVER);
    expect(report.vms.map(({ name }) => name)).toEqual([...names, "b-1"]);
    const questions = names.map((name) => ({ kind: "file", path: join(silent.path, name) }) as const);
    expect(await agent.lifecycle.lookFor([...questions, { kind: "file", path: disk }], NEVER)).toEqual(
      [...questions, disk].map(() => null),
    );
    expect(await agent.boot("b-1")).toMatchObject({ outcome: "done" });
    expect(await agent.vm("b-1")).toMatchObject({ phase: "running" });
  }, 60_000);
});
