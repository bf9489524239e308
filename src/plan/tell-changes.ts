/**
 * Where everybody goes and what they need → the changes that people read.
 *
 *   schedule-chains.ts → [tell-changes.ts] → make-plan.ts
 */
import { type Amount, sizeOf } from "../model/capacity.ts";
import { worstClass } from "../model/change-class.ts";
import { ACTIONS, type Blocked, type Change, type Reason, type Unknown } from "../model/changes.ts";
import type { NodeName, VmName } from "../model/names.ts";
import { disksLeftOrFound } from "../placement/disks-of-lives.ts";
import type { Placed } from "../placement/place-vms.ts";
import type { Draft } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import type { Step } from "../schedule/step.ts";
import type { PlanSummary } from "./plan-document.ts";

export function toChange(draft: Draft, sightings: Sightings): Change {
  const location = sightings.locate(draft.name);
  const spec = draft.put ?? (location.kind === "present" ? location.vm.spec : null);
  return {
    kind: "VirtualMachine",
    name: draft.name,
    node: draft.node,
    fromNode: null,
    action: draft.action,
    class: draft.class,
    reasons: draft.reasons,
    ...(spec === null || draft.action === "destroy" ? {} : { size: sizeOf(spec) }),
    ...toldOf(draft),
  };
}

const toldOf = ({ rejected }: Pick<Change, "rejected">): Pick<Change, "rejected"> =>
  rejected === undefined ? {} : { rejected };

export function toPlacedChange({ homeless, node }: Placed, steps: readonly Step[], sightings: Sightings): Change {
  const { vm, from, reasons } = homeless;
  if (homeless.moves !== null) return toMove(homeless.moves.draft, node, steps, sizeOf(homeless.spec));
  const aboutDisks = disksLeftOrFound(homeless, node, sightings.leftDisks(vm.name));
  return {
    kind: "VirtualMachine",
    name: vm.name,
    node,
    fromNode: from && from.seen.node !== node ? from.seen.node : null,
    action: from ? "replace" : "create",
    class: worstClass([from ? "replace" : "live", ...aboutDisks.map((reason) => reason.class)]),
    // That it would come back to its disks is not so when it leaves them.
    reasons: [...(from || aboutDisks.every((reason) => reason.class === "live") ? reasons : []), ...aboutDisks],
    size: sizeOf(homeless.spec),
    ...toldOf(homeless),
  };
}

function toMove(
  { name, node, class: changeClass, reasons, rejected, source }: Draft,
  to: NodeName,
  steps: readonly Step[],
  size: Amount,
): Change {
  const legs = steps.filter((step) => step.kind === "migrateVm").filter((step) => step.vm === name);
  const parked = legs.slice(0, -1).map((step) => step.node);
  const text = `it goes by way of ${parked.join(", then ")}, where it runs until there is room on ${to}`;
  const way: Reason = { because: "placement", field: null, from: node, to, class: "migrate", text, source };
  return {
    kind: "VirtualMachine",
    name,
    node: to,
    fromNode: to === node ? null : node,
    action: "migrate",
    class: legs.some((step) => step.mode !== "cold") ? worstClass(["migrate", changeClass]) : changeClass,
    reasons: parked.length === 0 || to === node ? reasons : [...reasons, way],
    size,
    ...(rejected === undefined ? {} : { rejected }),
  };
}

/** Those who are as they should be, and neither move for others nor lack what a rule asks for. */
export function countUntouched(
  unchanged: ReadonlySet<VmName>,
  changes: readonly Change[],
  blocked: readonly Blocked[],
): number {
  const named = new Set([...changes, ...blocked].map(({ name }) => name).filter((name) => unchanged.has(name)));
  return unchanged.size - named.size;
}

export function summarise(
  changes: readonly Change[],
  unchanged: number,
  unknown: readonly Unknown[],
  blocked: readonly Blocked[],
): PlanSummary {
  const counts = Object.fromEntries(ACTIONS.map((action) => [action, 0])) as Record<keyof PlanSummary, number>;
  for (const change of changes) counts[change.action]++;
  counts.unchanged = unchanged;
  counts.unknown = unknown.filter((each) => each.kind === "VirtualMachine").length;
  counts.blocked = blocked.length;
  return counts;
}
