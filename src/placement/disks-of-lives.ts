/**
 * A VM that gets a home, and the disks of its former lives: what it leaves behind, and what it wakes up beside.
 *
 *   place-vms.ts → [disks-of-lives.ts] → make-plan.ts (reasons of a change)
 */

import type { Reason } from "../model/changes.ts";
import type { NodeName } from "../model/names.ts";
import { isLocal } from "../model/vm-spec.ts";
import type { Homeless } from "../reconcile/draft.ts";

/** What nobody should find out afterwards: disks that it leaves behind, and disks of an earlier life that it wakes up beside. */
export function disksLeftOrFound(
  { vm, spec, from, moves, keptDisks, remains }: Homeless,
  node: NodeName,
  leftOn: readonly NodeName[],
): Reason[] {
  if (!spec.disks.some((disk) => isLocal(disk.origin))) return [];
  const about = { because: "placement", field: null, from: null, source: vm.source } as const;
  const reasons: Reason[] = [];
  const left = from === null && keptDisks !== null && keptDisks.node !== node ? keptDisks : null;
  if (left !== null && left.tombstone.disks.length > 0) {
    const text = `its disks stay behind on ${left.node}, which its placement no longer allows`;
    reasons.push({ ...about, from: left.node, to: node, class: "replace", text });
  }
  const found = remains.find((each) => each.node === node && each.tombstone.disks.length > 0);
  if (found !== undefined && found !== keptDisks) {
    const text = `older disks of it are kept on ${node} since ${found.tombstone.deletedAt}, and it is given them again`;
    reasons.push({ ...about, to: found.tombstone.disks, class: "live", text });
  }
  for (const old of moves === null && left === null ? leftOn : []) {
    const text = `its disks as they were when it moved away are on ${old}, and here it begins with empty ones (to start it there with those, before this is applied: odorobo vm delete ${vm.name} --node ${old}, and plan again)`;
    reasons.push({ ...about, from: old, to: node, class: "live", text });
  }
  return reasons;
}
