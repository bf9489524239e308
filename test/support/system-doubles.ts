/**
 * Looks, many times a second, whether any guest runs twice: two processes of one VM, or one rehearsed guest on two nodes.
 * One watch for all tests of a file, because looking through /proc costs the same for one world as for many.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SystemAgent } from "./system-agent.ts";

const LOOK_MS = 60;

export interface DoublesWatch extends Disposable {
  /** What was seen and must never be; empty so far. */
  readonly seen: ReadonlySet<string>;
  /** How often it was looked. */
  readonly looks: () => number;
}

interface Watched {
  readonly scratch: string;
  readonly agents: readonly SystemAgent[];
  readonly seen: Set<string>;
  looks: number;
}

const watched = new Set<Watched>();
let timer: NodeJS.Timeout | null = null;

export function watchForDoubles(scratch: string, agents: readonly SystemAgent[]): DoublesWatch {
  const each: Watched = { scratch, agents, seen: new Set(), looks: 0 };
  watched.add(each);
  timer ??= setInterval(look, LOOK_MS);
  return {
    seen: each.seen,
    looks: () => each.looks,
    [Symbol.dispose]() {
      watched.delete(each);
      if (watched.size > 0 || timer === null) return;
      clearInterval(timer);
      timer = null;
    },
  };
}

function look(): void {
  const guests = new Map<string, number>();
  for (const output of guestOutputs()) guests.set(output, (guests.get(output) ?? 0) + 1);
  const twice = new Map<string, readonly string[]>();
  for (const { scratch, agents, seen } of watched) {
    for (const [output, count] of guests)
      if (count > 1 && output.startsWith(`${scratch}/`)) seen.add(`${count} processes that write to ${output}`);
    // Scenarios of one world have the same agents.
    const known = twice.get(scratch) ?? rehearsedTwice(agents);
    twice.set(scratch, known);
    for (const vm of known) seen.add(`${vm} runs on two nodes`);
  }
  for (const each of watched) each.looks++;
}

/** How often each process was looked at and was no guest: between fork and exec a guest is not one yet, and later never. */
const others = new Map<string, number>();
const LOOKS_TO_BE_SURE = 20;

/** The mark of each guest's process. Its name is asked first: it costs little, and only after exec is it the guest's. */
function guestOutputs(): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const living = new Set(pids);
  for (const pid of others.keys()) if (!living.has(pid)) others.delete(pid);
  return pids.flatMap((pid) => {
    const looks = others.get(pid) ?? 0;
    if (looks >= LOOKS_TO_BE_SURE) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      if (!stat.includes("(qemu-system")) others.set(pid, looks + 1);
      if (!/\(qemu-system.*\) [^ZX] /.test(stat)) return [];
      const mark = /(?:^|\0)ODOROBO_OUTPUT_FILE=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"));
      return mark?.[1] === undefined ? [] : [mark[1]];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

function rehearsedTwice(agents: readonly SystemAgent[]): string[] {
  if (agents.length < 2) return [];
  // On its way between two agents it has a file on both, and runs on one.
  const runsOn = (agent: SystemAgent, vm: string) => {
    try {
      const { phase } = JSON.parse(readFileSync(join(agent.runFolder, "vms", vm, "guest.json"), "utf8"));
      return phase === "running" || phase === "paused";
    } catch {
      return false;
    }
  };
  const guestsOf = (agent: SystemAgent) => {
    const folder = join(agent.runFolder, "vms");
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const found = agents.flatMap(guestsOf);
  const onSeveral = new Set(found.filter((vm, at) => found.indexOf(vm) < at));
  return [...onSeveral].filter((vm) => agents.filter((agent) => runsOn(agent, vm)).length > 1);
}
