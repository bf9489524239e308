/** Linux' /proc, which says what runs and whether a pid is still the process it was. It appears in no other file of this folder. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";

export interface ProcessFacts {
  readonly parent: number;
  /** Ticks after the boot of the host. */
  readonly startTicks: number;
}

/**
 * Null when the process is gone, a zombie included: it only waits for its parent to look. Not one whose first thread has ended before the others:
 * until they have, its files, locks and sockets are open.
 * Synchronous: /proc is memory, and the answer must be about now (a pid is signalled right after it).
 */
export function processFacts(pid: number): ProcessFacts | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null;
  }
  // pid (comm) state ppid … : comm may hold spaces and parentheses, so fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  if (state === undefined || state === "X" || (state === "Z" && !hasLivingThread(pid))) return null;
  return { parent: Number(fields[1]), startTicks: Number(fields[19]) };
}

/** Every thread of it stands still by a signal, and only another lets it go on. False for one that is gone. */
export function isStopped(pid: number): boolean {
  const states = threadStates(pid);
  return states.length > 0 && states.every((state) => state === "T");
}

const hasLivingThread = (pid: number): boolean => threadStates(pid).some((state) => state !== "Z" && state !== "X");

/** Without those that end meanwhile. */
function threadStates(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      try {
        const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1");
        return [stat.charAt(stat.lastIndexOf(")") + 2)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** As `processFacts`, but a zombie still counts: for a process that was started just now. */
export function startTicksOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return null;
  }
}

/** Pids and where they work, synchronous as above. A folder that was removed meanwhile is told as it was called; those we may not look at are left out. */
export function workingFolders(): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      found.set(pid, readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, ""));
    } catch {
      // Gone, a kernel thread, or somebody else's.
    }
  }
  return found;
}

/** What a process was started with in this variable of its environment; null: it has none, or we may not look. */
export function environmentOf(pid: number, variable: string): string | null {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return environment.find((each) => each.startsWith(`${variable}=`))?.slice(variable.length + 1) ?? null;
  } catch {
    return null;
  }
}

/** Pids of processes that were started with this variable in their environment. Those that we may not look into are not ours. */
export async function findByEnvironment(variable: string): Promise<readonly number[]> {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  const found: number[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(variable)) found.push(pid);
  }
  return found;
}

export const readHostBootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
