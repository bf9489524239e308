/**
 * Two QEMUs by hand, with the command line that an agent gives: what a move costs at least. The one that takes the guest in is started
 * for each, as every agent has to.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createQemuHypervisor } from "../../src/agent/hypervisor/qemu/driver.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { BareQmp } from "./bare-qmp.ts";
import type { IdleGuest } from "./idle-guest.ts";
import type { Moved, MovingPair } from "./moving-pair.ts";

const DEADLINE_MS = 300_000;

interface Running {
  readonly process: ChildProcess;
  readonly qmp: BareQmp;
  readonly folder: string;
}

export async function openBarePair(scratch: string, guest: IdleGuest, signal: AbortSignal): Promise<MovingPair> {
  await mkdir(scratch, { recursive: true });
  const hypervisor = createQemuHypervisor({
    executable: "qemu-system-x86_64",
    accelerator: "tcg",
    cacheFile: join(scratch, "accelerator.json"),
    tinyGuest: fileURLToPath(new URL("../../guest/tiny.elf", import.meta.url)),
    clock: systemClock,
  });
  await hypervisor.probe(signal);
  let count = 0;
  const start = async (more: readonly string[]): Promise<Running> => {
    const folder = join(scratch, `${++count}`);
    await mkdir(folder);
    const paths = { runFolder: folder, diskFolder: folder, logFolder: folder };
    const command = hypervisor.compile({ name: "g", spec: guest.spec, paths, files: new Map() });
    if (command === null) throw new Error("QEMU needs a process");
    const { executable, args, env, workingFolder } = command;
    const options = { cwd: workingFolder, env: { ...process.env, ...env }, stdio: "ignore" } as const;
    const child = spawn(executable, [...args, ...more], options);
    return { process: child, folder, qmp: await BareQmp.open(join(folder, "qmp.sock"), DEADLINE_MS) };
  };
  let running = await start([]);
  await untilUp(running.folder, guest.isUp);
  return {
    name: "bare QMP",
    async move(): Promise<Moved> {
      const begun = performance.now();
      const target = await start(["-S", "-incoming", "defer"]);
      const uri = `unix:${join(target.folder, "in.sock")}`;
      await target.qmp.call("migrate-set-capabilities", { capabilities: [{ capability: "events", state: true }] });
      await target.qmp.call("migrate-incoming", { uri });
      const sending = performance.now();
      const capabilities = ["events", "return-path"].map((capability) => ({ capability, state: true }));
      await running.qmp.call("migrate-set-capabilities", { capabilities });
      await running.qmp.call("migrate-set-parameters", { "max-bandwidth": 2 ** 40, "downtime-limit": 300 });
      const ends = Promise.all([running.qmp.reaches("completed"), target.qmp.reaches("completed")]);
      await running.qmp.call("migrate", { uri });
      await ends;
      await target.qmp.call("cont");
      const runs = performance.now();
      const { downtime } = await running.qmp.call("query-migrate");
      await end(running);
      const milliseconds = performance.now() - begun;
      running = target;
      return { milliseconds, sendingMs: runs - sending, downtimeMs: Number(downtime) };
    },
    [Symbol.asyncDispose]: () => end(running),
  };
}

async function end({ process: child, qmp, folder }: Running): Promise<void> {
  const gone = child.exitCode !== null || child.signalCode !== null ? null : once(child, "exit");
  await qmp.call("quit").catch(() => child.kill("SIGKILL"));
  await gone;
  await qmp[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}

async function untilUp(folder: string, isUp: string): Promise<void> {
  for (const until = performance.now() + DEADLINE_MS; performance.now() < until; await sleep(20)) {
    const text = await readFile(join(folder, "console.log"), "latin1").catch(() => "");
    if (text.includes(isUp)) return;
  }
  throw new Error("the guest does not come up");
}
