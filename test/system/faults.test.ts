/** A short run of the random faults: that the harness works, and that one seed holds. More: docs/testing.md. */
import { spawn } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { busyIn, restartsIn, untilCalm } from "../../faults/calm.ts";
import { doublesIn, guestsOn } from "../../faults/host.ts";
import { KeptDisks } from "../../faults/kept-disks.ts";
import { listFaults } from "../../faults/list-faults.ts";
import { instant, vmName } from "../../src/model/names.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { aNodeReport, aVmReport } from "../support/wire-builders.ts";

const RUN = fileURLToPath(new URL("../../faults/run.ts", import.meta.url));
const SEED = process.env.ODOROBO_FAULTS_SEED ?? "1";
const COUNT = 40;
const PATIENCE_MS = 300_000;

describe("random faults", () => {
  test("are the same for the same seed, and others for another", () => {
    expect(listFaults(7, 60)).toEqual(listFaults(7, 60));
    expect(listFaults(7, 60)).not.toEqual(listFaults(8, 60));
    const numbers = listFaults(7, 60).flatMap(({ before, apply, during }) => [...before, apply, ...during]);
    expect(numbers.flatMap(({ number }) => number ?? []).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
  });

  test("a disk that is gone, exchanged or written over is seen, and one that was purged is not missed", async () => {
    await using folder = await aTempFolder();
    const disks = join(folder.path, "vms/web-1/disks");
    const [data, root] = [join(disks, "data.raw"), join(disks, "root.raw")];
    await mkdir(disks, { recursive: true });
    await writeFile(data, Buffer.alloc(8192));
    await writeFile(root, Buffer.alloc(8192));
    const kept = new KeptDisks();
    expect([...kept.look(folder.path), ...kept.look(folder.path)]).toEqual([]);
    await writeFile(data, Buffer.alloc(8192), { flag: "r+" });
    await rename(root, `${root}.away`);
    expect(kept.look(folder.path)).toEqual([
      `the disk ${data} has lost its bytes`,
      `the disk ${root} is gone, and nobody purged it`,
    ]);
    await writeFile(root, Buffer.alloc(8192));
    expect(kept.look(folder.path)[1]).toBe(`the disk ${root} is another file than it was`);
    kept.forget(folder.path, "web-1");
    expect(kept.look(folder.path)).toEqual([]);
  });

  test("a VM that runs on two nodes is seen, and one that is off there is not", async () => {
    await using folder = await aTempFolder();
    const nodes = ["n1", "n2"].map((name) => ({
      name,
      dataFolder: join(folder.path, name, "d"),
      runFolder: join(folder.path, name, "r"),
    }));
    const write = async (node: number, phase: string) => {
      const vm = join(nodes[node]!.runFolder, "vms/web-1");
      await mkdir(vm, { recursive: true });
      await writeFile(join(vm, "guest.json"), JSON.stringify({ phase }));
    };
    await write(0, "running");
    await write(1, "off");
    expect(doublesIn(guestsOn(nodes))).toEqual([]);
    await write(1, "paused");
    expect(doublesIn(guestsOn(nodes))).toEqual(["web-1 runs 2 times: n1/null, n2/null"]);
  });

  test("a guest whose start its agent has put off is waited for, and one that nobody starts is missed", async () => {
    const startsAt = Date.now() + 400;
    const off = ["web-1 on n1 does not run"];
    const restartsAt = async () => [startsAt];
    expect(await untilCalm({ wrong: () => (Date.now() < startsAt ? off : []), restartsAt }, 100)).toEqual([]);
    expect(await untilCalm({ wrong: () => off, restartsAt }, 100)).toEqual(off);
  });

  test("an agent is busy with what it has begun, and with what it will begin by itself", () => {
    const nextAt = instant("2026-01-01T12:00:09.000Z");
    const restart = { attempts: 1, nextAt, givenUp: false };
    const report = aNodeReport("n1", {
      vms: [
        aVmReport("web-1"),
        aVmReport("web-2", { phase: "starting" }),
        aVmReport("web-3", { phase: "crashed", restart }),
        aVmReport("web-4", { phase: "crashed", restart: { attempts: 10, nextAt: null, givenUp: true } }),
      ],
      unfinished: [{ id: "op-1", vm: vmName("web-1"), kind: "update", begunAt: nextAt }],
    });
    expect(busyIn([report])).toEqual([
      "update of web-1 on n1 is under way",
      "web-2 on n1 is starting",
      "web-3 on n1 is to be started again",
    ]);
    expect(restartsIn([report])).toEqual([Date.parse(nextAt)]);
  });

  test.runIf(requires("random faults with full disks and real guests", "mounts", "qemu-system-x86_64"))(
    `${COUNT} of them (seed ${SEED}) break no promise`,
    { timeout: PATIENCE_MS },
    async () => {
      const { code, text } = await run("--seed", SEED, "--count", String(COUNT));
      expect(text).toMatch(/^\d+ faults over 1 seeds .*: no violation$/m);
      expect(code, text).toBe(0);
    },
  );
});

function run(...args: string[]): Promise<{ readonly code: number | null; readonly text: string }> {
  const child = spawn(process.execPath, [RUN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}
