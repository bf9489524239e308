/** The same guests from the same command lines, started by a loop without any of our machinery; the end is the same, too. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createQemuHypervisor } from "../../src/agent/hypervisor/qemu/driver.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { loadFleet } from "../../src/turn/read-fleet.ts";
import { tell } from "../tell.ts";

const LOOK_AGAIN_MS = 10;
const DEADLINE_MS = 120_000;

const [scratch = "", manifests = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const { desired } = await loadFleet({ kind: "folder", path: manifests }, signal);
const qemu = createQemuHypervisor({
  executable: "qemu-system-x86_64",
  accelerator: "tcg",
  cacheFile: join(scratch, "accelerator.json"),
  tinyGuest: fileURLToPath(new URL("../../guest/tiny.elf", import.meta.url)),
  clock: systemClock,
});
await qemu.probe(signal);

const guests = [];
for (const { name, spec } of desired.vms) guests.push(await makeGuest(name, spec));

const begun = performance.now();
const processes = guests.map(({ command: { executable, args, env, workingFolder } }) =>
  spawn(executable, [...args], { cwd: workingFolder, env: { ...process.env, ...env }, stdio: "ignore" }),
);
try {
  let waiting = guests.map(({ log }) => log);
  while (waiting.length > 0) {
    if (performance.now() - begun > DEADLINE_MS) throw new Error(`${waiting.length} guests do not count`);
    await sleep(LOOK_AGAIN_MS);
    const counts = await Promise.all(waiting.map(isCounting));
    waiting = waiting.filter((_, index) => counts[index] === false);
  }
  tell(`${processes.length} guests count`, { milliseconds: performance.now() - begun });
} finally {
  for (const child of processes) child.kill("SIGKILL");
  await Promise.all(processes.map(untilGone));
}

async function makeGuest(name: string, spec: VmSpec) {
  const folder = join(scratch, name);
  await mkdir(folder, { recursive: true });
  const paths = { runFolder: folder, diskFolder: folder, logFolder: folder };
  const command = qemu.compile({ name, spec, paths, files: new Map() });
  if (command === null) throw new Error("QEMU needs a process");
  return { command, log: join(folder, "console.log") };
}

async function isCounting(log: string): Promise<boolean> {
  const text = await readFile(log, "latin1").catch(() => "");
  return text.includes("COUNTER");
}

async function untilGone(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
