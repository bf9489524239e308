/**
 * All that is kept of a VM that could be purged: of one that was deleted, and what it left on nodes that it moved away from.
 *
 *   commands/vm/purge.ts → [find-remains.ts] → find-vm.ts
 */
import { OdoroboError } from "../model/errors.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { ObservedState, VmReport } from "../model/observed-state.ts";
import { type DeletedVm, deletedOf, findDeletedVm } from "./find-vm.ts";

export interface LeftVm {
  readonly node: NodeName;
  readonly vm: VmReport;
  readonly peer: NodeName;
}

export interface Remains {
  /** Null: it lives, or lived elsewhere, and only what it left is meant. */
  readonly deleted: DeletedVm | null;
  readonly left: readonly LeftVm[];
}

/**
 * Throws as `findDeletedVm` does where there is nothing; WRONG_PHASE where what it left may be all that there is of it: the node that it went to
 * does not answer, or has neither the VM nor what was kept of it.
 */
export function findRemains(name: VmName, observed: ObservedState): Remains {
  const left = leftOf(name, observed);
  if (left.length === 0) return { deleted: findDeletedVm(name, observed), left };
  for (const each of left) if (!isElsewhere(each, name, observed)) throw maybeTheLast(each);
  return { deleted: deletedOf(name, observed).length === 0 ? null : findDeletedVm(name, observed), left };
}

const leftOf = (name: VmName, observed: ObservedState): LeftVm[] =>
  observed.nodes.flatMap((node) =>
    node.reach === "silent"
      ? []
      : node.report.vms.flatMap((vm) =>
          vm.name === name && vm.migration?.stage === "left" && vm.migration.peer !== undefined
            ? [{ node: node.name, vm, peer: vm.migration.peer }]
            : [],
        ),
  );

/** Somewhere that can be seen it lives, or is kept as it was when it was deleted there: younger than what it left. */
const isElsewhere = ({ vm: { migration } }: LeftVm, name: VmName, observed: ObservedState): boolean =>
  observed.nodes.some(
    (node) =>
      node.reach === "answered" &&
      (node.report.vms.some((vm) => vm.name === name && vm.migration === undefined) ||
        node.report.tombstones.some((each) => each.name === name && each.deletedAt > (migration?.since ?? ""))),
  );

const maybeTheLast = ({ node, vm, peer }: LeftVm): OdoroboError =>
  new OdoroboError(
    "WRONG_PHASE",
    `what ${vm.name} left on ${node} may be all that there is of it: it moved to ${peer}, and no node that was asked has it`,
    { hint: `bring ${peer} back, or ask without --node; if it is lost: odorobo vm delete ${vm.name} --node ${node}` },
  );
