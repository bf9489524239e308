/** What really runs on the nodes, asked of the kernel and of nobody else. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface SeenGuest {
  readonly vm: string;
  readonly node: string;
  /** Null: a rehearsed guest, which is a file. */
  readonly pid: number | null;
  readonly phase: "running" | "paused";
}

interface Folders {
  readonly name: string;
  readonly dataFolder: string;
  readonly runFolder: string;
}

/** Every guest there is, real or rehearsed. */
export function guestsOn(nodes: readonly Folders[]): SeenGuest[] {
  return [...realGuests(nodes), ...nodes.flatMap(rehearsedGuests)];
}

/** VMs that have two guests at this moment, as sentences. */
export function doublesIn(guests: readonly SeenGuest[]): string[] {
  const byVm = Map.groupBy(guests, ({ vm }) => vm);
  return [...byVm]
    .filter(([, all]) => all.length > 1)
    .map(([vm, all]) => `${vm} runs ${all.length} times: ${all.map(({ node, pid }) => `${node}/${pid}`).join(", ")}`);
}

/** Marked by the supervisor with the file that its output goes to (see the spawn supervisor). */
function realGuests(nodes: readonly Folders[]): SeenGuest[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // Asked first, as it costs little; and between fork and exec a process is still its parent.
      if (!/\(qemu-system.*\) [^ZX] /.test(stat)) return [];
      const output = /(?:^|\0)ODOROBO_OUTPUT_FILE=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, "utf8"))?.[1];
      const node = nodes.find(({ dataFolder }) => output?.startsWith(`${dataFolder}/`));
      if (output === undefined || node === undefined) return [];
      const vm = output.slice(node.dataFolder.length).split("/")[2] as string;
      return [{ vm, node: node.name, pid: Number(pid), phase: "running" as const }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}

function rehearsedGuests({ name, runFolder }: Folders): SeenGuest[] {
  const vms = join(runFolder, "vms");
  if (!existsSync(vms)) return [];
  return readdirSync(vms).flatMap((vm) => {
    try {
      const { phase } = JSON.parse(readFileSync(join(vms, vm, "guest.json"), "utf8")) as { phase: string };
      return phase === "running" || phase === "paused" ? [{ vm, node: name, pid: null, phase }] : [];
    } catch {
      return [];
    }
  });
}
