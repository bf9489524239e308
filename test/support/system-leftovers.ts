/**
 * What a test of the whole system may leave behind, found where the kernel keeps it: processes, sockets and mounts that
 * name the test's folder, and ports of its agents.
 */
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

export interface FoundProcess {
  readonly pid: number;
  /** As `ps` shows it, for people. */
  readonly command: string;
  /** The file that a guest's process is marked with (see the spawn supervisor); null: not a guest. */
  readonly guestOutput: string | null;
}

/** Every living process whose environment or command line names the folder. */
export async function processesOf(folder: string): Promise<FoundProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => pid !== process.pid).map((pid) => lookAt(pid, folder)));
  return found.filter((each) => each !== null);
}

async function lookAt(pid: number, folder: string): Promise<FoundProcess | null> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
  const [environment, commandLine, stat] = await Promise.all([read("environ"), read("cmdline"), read("stat")]);
  if (!environment.includes(`=${folder}`) && !commandLine.includes(`${folder}/`)) return null;
  // Ended and not yet collected: nothing of it runs.
  if (stat === "" || /\) [ZX] /.test(stat)) return null;
  const mark = /(?:^|\0)ODOROBO_OUTPUT_FILE=([^\0]*)/.exec(environment);
  // Between fork and exec a child is still its parent, in all that can be read of it.
  return { pid, command: commandLine.replaceAll("\0", " ").trim().slice(0, 200), guestOutput: mark?.[1] ?? null };
}

/** Not so when it ended and was not yet collected. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Sockets in the folder and listeners on these ports, as sentences. */
export async function socketsOf(folder: string, ports: readonly number[]): Promise<string[]> {
  const unix = (await readFile("/proc/net/unix", "utf8")).split("\n").filter((line) => line.includes(` ${folder}/`));
  const tcp = (await readFile("/proc/net/tcp", "utf8")).split("\n").flatMap((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    const port = Number.parseInt(local?.split(":")[1] ?? "", 16);
    return state === "0A" && ports.includes(port) ? [`somebody listens on port ${port}`] : [];
  });
  return [...unix.map((line) => `a socket: ${line.split(" ").at(-1)}`), ...tcp];
}

export async function mountsIn(folder: string): Promise<string[]> {
  const mounts = (await readFile("/proc/mounts", "utf8")).split("\n").map((line) => line.split(" ")[1] ?? "");
  return mounts.filter((path) => path.startsWith(`${folder}/`));
}
