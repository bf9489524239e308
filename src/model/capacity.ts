/**
 * What a VM holds of its node, and what a node can hold.
 *
 * A VM holds its cpus and memory while its process runs, and also while it is stopped but should run: the next apply,
 * or its agent, will start it. A VM that a person starts by hand (`Manual`) holds nothing while it is off.
 */
import type { DesiredNode } from "./desired-state.ts";
import type { Capacity, NodeReport, VmReport } from "./observed-state.ts";
import { type VmSpec, wantsRunning } from "./vm-spec.ts";

export interface Amount {
  readonly cpus: number;
  readonly memoryMiB: number;
}

export const NOTHING: Amount = { cpus: 0, memoryMiB: 0 };

export const plus = (a: Amount, b: Amount): Amount => ({ cpus: a.cpus + b.cpus, memoryMiB: a.memoryMiB + b.memoryMiB });
export const minus = (a: Amount, b: Amount): Amount => ({
  cpus: a.cpus - b.cpus,
  memoryMiB: a.memoryMiB - b.memoryMiB,
});
export const fits = (amount: Amount, room: Amount): boolean =>
  amount.cpus <= room.cpus && amount.memoryMiB <= room.memoryMiB;
export const isNothing = (a: Amount): boolean => a.cpus === 0 && a.memoryMiB === 0;

export const larger = (a: Amount, b: Amount): Amount => ({
  cpus: Math.max(a.cpus, b.cpus),
  memoryMiB: Math.max(a.memoryMiB, b.memoryMiB),
});

/** The part of `a` by which it exceeds `b`, resource by resource. */
export const excess = (a: Amount, b: Amount): Amount => ({
  cpus: Math.max(0, a.cpus - b.cpus),
  memoryMiB: Math.max(0, a.memoryMiB - b.memoryMiB),
});

/** What the node may be filled with: its capacity less what is reserved for the host, times the overcommit. */
export const roomOf = (capacity: Capacity, node: DesiredNode): Amount => ({
  cpus: Math.floor(Math.max(0, capacity.cpus - node.reserved.cpus) * node.overcommit.cpus),
  memoryMiB: Math.floor(Math.max(0, capacity.memoryMiB - node.reserved.memoryMiB) * node.overcommit.memory),
});

export const sizeOf = (spec: Pick<VmSpec, "cpus" | "memory">): Amount => ({
  cpus: spec.cpus.count,
  memoryMiB: spec.memory.sizeMiB,
});

const RUNS: ReadonlySet<VmReport["phase"]> = new Set(["running", "paused", "starting", "stopping"]);

export const hasProcess = (vm: VmReport): boolean => RUNS.has(vm.phase);

/** What a VM holds as it stands. A running one holds what it has or what it was promised, whichever is more. */
export function heldBy(vm: VmReport): Amount {
  // Where it moved away from, nobody will start it.
  if (vm.migration?.stage === "left") return NOTHING;
  if (!hasProcess(vm))
    return wantsRunning(vm.spec.runStrategy, vm.endedBy === "guest") === true ? sizeOf(vm.spec) : NOTHING;
  const promised = sizeOf(vm.spec);
  const live = vm.live === null ? promised : sizeOf(vm.live);
  return larger(live, promised);
}

export const heldOn = (report: NodeReport): Amount => report.vms.map(heldBy).reduce(plus, NOTHING);

/** `2 cpus, 4 GiB` */
export const describeAmount = ({ cpus, memoryMiB }: Amount): string =>
  `${cpus} ${cpus === 1 ? "cpu" : "cpus"}, ${describeMemory(memoryMiB)}`;

export const describeMemory = (mebibytes: number): string =>
  mebibytes % 1024 === 0 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;
