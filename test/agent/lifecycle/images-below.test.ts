/** An image is its bytes: a VM boots over those that its disk was made over, or not at all. */
import { execFile } from "node:child_process";
import { readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import type { Disk } from "../../../src/model/vm-spec.ts";
import { aClock } from "../../support/a-clock.ts";
import { aQcow2Header } from "../../support/a-qcow2-header.ts";
import { anAgent, aSpec, withProcess } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;

/** Real in all but its guest. */
const real = (): Hypervisor => ({ ...withProcess(createNoopHypervisor({ clock: aClock() })), disks: "real" });

async function aWorld() {
  const folder = await aTempFolder();
  const agent = await anAgent({ processes: true, hypervisors: [real()] });
  const at = (name: string) => join(folder.path, name);
  for (const name of ["a.raw", "b.raw"]) await writeFile(at(name), Buffer.alloc(4 * MIB, name[0]));
  const spec = (path: string, over: Partial<Extract<Disk["origin"], { kind: "image" }>> = {}) => {
    const origin = { kind: "image", image: "deb", path, format: "raw", sizeMiB: 8, ...over } as const;
    return aSpec({
      disks: [{ name: "root", origin, readonly: false }],
      boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    });
  };
  return {
    agent,
    at,
    spec,
    overlay: join(agent.dataFolder, "vms/web/disks/root.qcow2"),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe.runIf(requires("disks made from images", "qemu-img"))("with qemu-img", () => {
  test("a disk stays over the file that it was made over, though the link leads to a newer one", async () => {
    await using world = await aWorld();
    const { agent, at } = world;
    await symlink("a.raw", at("latest"));
    await agent.put("web", { spec: world.spec(at("latest")) });
    await agent.boot("web");
    expect((await agent.vm("web")).images).toEqual([{ disk: "root", file: at("a.raw") }]);
    await agent.shutdown("web");
    await rm(at("latest"));
    await symlink("b.raw", at("latest"));
    expect((await agent.vm("web")).images).toEqual([{ disk: "root", file: at("a.raw"), pathNow: at("b.raw") }]);
    expect(await agent.boot("web")).toMatchObject({ outcome: "done" });
    const { stdout } = await run("qemu-img", ["info", "-U", "--output=json", world.overlay]);
    expect(JSON.parse(stdout)).toMatchObject({ "full-backing-filename": at("a.raw") });
    // The next VM is made over the next image; nobody needs the link any more.
    await rm(at("latest"));
    expect(await agent.operate("web", { kind: "reboot", graceSeconds: null })).toMatchObject({ outcome: "done" });
  });

  test("an image that was written over is not booted on, and not after a restart of the agent either", async () => {
    await using world = await aWorld();
    const { agent, at } = world;
    await agent.put("web", { spec: world.spec(at("a.raw")) });
    await agent.boot("web");
    await rename(at("b.raw"), at("a.raw"));
    // It runs on over what it has open, and is told; a reboot is refused while it runs.
    const problem = { code: "IMAGE_CHANGED", message: expect.stringContaining("disk root was made over") };
    expect((await agent.vm("web")).images).toMatchObject([{ problem }]);
    await expect(agent.operate("web", { kind: "reboot", graceSeconds: null })).rejects.toMatchObject({
      code: "IMAGE_CHANGED",
    });
    expect(await agent.vm("web")).toMatchObject({ phase: "running" });
    await agent.shutdown("web");
    await agent.restart();
    const { since } = await agent.vm("web");
    expect(await agent.boot("web")).toMatchObject({ outcome: "failed", error: { code: "IMAGE_CHANGED" } });
    // Nothing was begun, so nothing failed that ran: it is as it was shut down, and says why it did not start.
    const reason = expect.stringContaining("disk root was made over");
    expect(await agent.vm("web")).toMatchObject({ phase: "stopped", endedBy: "operator", since, reason });
    await rm(at("a.raw"));
    expect(await agent.boot("web")).toMatchObject({ outcome: "failed", error: { code: "IMAGE_MISSING" } });
    await writeFile(at("a.raw"), Buffer.alloc(4 * MIB, "a"));
    const record = JSON.parse(await readFile(join(agent.dataFolder, "vms/web/record.json"), "utf8"));
    const time = Number(record.images.root[0].modifiedNs) / 1e9;
    await utimes(at("a.raw"), Math.floor(time), Math.floor(time));
    expect(await agent.boot("web")).toMatchObject({ outcome: "done" });
  });

  test("a disk of an earlier agent is noted at its next boot, and checked from then on", async () => {
    await using world = await aWorld();
    const { agent, at } = world;
    await agent.put("web", { spec: world.spec(at("a.raw")) });
    const file = join(agent.dataFolder, "vms/web/record.json");
    await agent.restart();
    await editRecord(file, { images: undefined });
    await agent.restart();
    expect((await agent.vm("web")).images).toBeUndefined();
    await agent.boot("web");
    expect((await agent.vm("web")).images).toEqual([{ disk: "root", file: at("a.raw") }]);
    await agent.shutdown("web");
    await rename(at("b.raw"), at("a.raw"));
    expect(await agent.boot("web")).toMatchObject({ error: { code: "IMAGE_CHANGED" } });
  });

  test("a disk that somebody rebased stands on what they gave it", async () => {
    await using world = await aWorld();
    const { agent, at } = world;
    await agent.put("web", { spec: world.spec(at("a.raw")) });
    await run("qemu-img", ["rebase", "-f", "qcow2", "-F", "raw", "-b", at("b.raw"), world.overlay]);
    await rm(at("a.raw"));
    expect(await agent.boot("web")).toMatchObject({ outcome: "done" });
    expect((await agent.vm("web")).images).toMatchObject([{ file: at("b.raw") }]);
  });

  test("what comes back to its kept disks is still held to what they were made over", async () => {
    await using world = await aWorld();
    const { agent, at } = world;
    await agent.put("web", { spec: world.spec(at("a.raw")) });
    await agent.operate("web", { kind: "delete", graceSeconds: 0 });
    await rename(at("b.raw"), at("a.raw"));
    await agent.put("web", { generation: 2, spec: world.spec(at("a.raw")) });
    expect(await agent.boot("web")).toMatchObject({ error: { code: "IMAGE_CHANGED" } });
  });

  test.each([
    ["a qcow2 image that is said to be raw", {}, "raw", /says format raw, and .* is a qcow2 image/],
    ["a raw image that is said to be qcow2", null, "qcow2", /says format qcow2, and .* is raw/],
    ["one that reads from another file", { backingFile: "/etc/shadow" }, "qcow2", /another file, "\/etc\/shadow"/],
    ["one whose data are in another file", { dataFile: "/etc/shadow" }, "qcow2", /data in another file/],
    ["one that is encrypted", { encryption: 2 }, "qcow2", /encrypted/],
  ] as const)("%s makes no disk", async (_, header, format, message) => {
    await using world = await aWorld();
    const { agent, at } = world;
    await writeFile(at("odd"), header === null ? Buffer.alloc(MIB) : aQcow2Header({ ...header, bytes: MIB }));
    const made = await agent.put("web", { spec: world.spec(at("odd"), { format }) });
    expect(made).toMatchObject({
      outcome: "failed",
      error: { code: "UNSUPPORTED", message: expect.stringMatching(message) },
    });
  });
});
