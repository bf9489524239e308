/**
 * What each VM needs → its chain of steps, with what the chain takes from and gives back to nodes.
 *
 *   place-vms.ts → [make-steps.ts] → order-steps.ts
 *
 * The steps of one VM always follow one another; nothing is ordered between VMs here.
 */

import { type Amount, excess, isNothing } from "../model/capacity.ts";
import type { ChangeClass } from "../model/change-class.ts";
import type { SeenVm } from "../model/changes.ts";
import { digestOf } from "../model/digest.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { Tombstone } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { Placed } from "../placement/place-vms.ts";
import type { Draft, Travel } from "../reconcile/draft.ts";
import type { Step, VmStepKind } from "./step.ts";

/** All the steps of one VM, in order. */
export interface Chain {
  readonly vm: VmName;
  readonly group: string | null;
  /** Takes a guest down that was up: counts against its group's `maxUnavailable`. */
  readonly disrupts: boolean;
  /** Brings a guest up that was down. */
  readonly restores: boolean;
  readonly seen: SeenVm | null;
  readonly spec: VmSpec | null;
  readonly steps: readonly Step[];
  readonly takes: readonly Holding[];
  readonly gives: readonly Holding[];
}

/** `takes`: from the start of the step on. `gives`: once the step has ended. */
export interface Holding {
  readonly step: string;
  readonly node: NodeName;
  readonly amount: Amount;
}

export function stepsOfDraft(draft: Draft): Chain {
  const generation = draft.seen.generation + (draft.put === null ? 0 : 1);
  const kinds: VmStepKind[] = [];
  if (draft.put !== null) kinds.push("updateVm");
  // A guest that is to be off is stopped first: it need not grow for its last second. One that stands still lets go of nothing.
  if (draft.power === "shutdown") kinds.unshift("shutdownVm");
  else if (draft.power === "resume") kinds.unshift("resumeVm");
  else if (draft.power !== null) kinds.push(POWER_STEPS[draft.power]);
  if (draft.restsAfter) kinds.push("pauseVm");
  const steps = toSteps(
    draft.name,
    draft.seen,
    kinds.map((kind) => ({ kind, node: draft.node, class: classOf(kind, draft.class) })),
    generation,
    // What the reboot does anyway need not succeed while the guest runs first: it may not let go of a device.
    { exists: true, wokenFrom: null, defer: draft.power === "reboot" },
  );
  const [first, last] = [steps[0], steps.at(-1)];
  const more = excess(draft.after, draft.before);
  const less = excess(draft.before, draft.after);
  return {
    vm: draft.name,
    group: draft.group,
    disrupts: draft.power === "reboot" || draft.power === "shutdown",
    restores: draft.power === "boot" || draft.power === "resume",
    seen: draft.seen,
    spec: draft.put,
    steps,
    takes: first && !isNothing(more) ? [{ step: first.id, node: draft.node, amount: more }] : [],
    gives: last && !isNothing(less) ? [{ step: last.id, node: draft.node, amount: less }] : [],
  };
}

/** One that goes to another node with what it has; then what is to be done to it is done there. */
function stepsOfMover({ draft, how }: Travel, legs: readonly NodeName[], holds: Amount): Chain {
  const to = legs.at(-1) ?? draft.node;
  const generation = draft.seen.generation + (draft.put === null ? 0 : 1);
  const runs = how.mode === "live" || how.runs;
  const reboots = how.mode === "live" && draft.power === "reboot";
  const boots = how.mode === "cold" && (how.runs ? draft.power !== "shutdown" : draft.power === "boot");
  const disrupts = reboots || (how.mode === "cold" && how.runs);
  const kinds: StepKindAt[] = [];
  if (how.mode === "cold" && how.runs) kinds.push({ kind: "shutdownVm", node: draft.node, class: "reboot" });
  const moveClass = how.mode === "live" ? "migrate" : runs ? "reboot" : "live";
  for (const node of legs) kinds.push({ kind: "migrateVm", node, class: moveClass, mode: how.mode });
  if (draft.put !== null) kinds.push({ kind: "updateVm", node: to, class: classOf("updateVm", draft.class) });
  if (reboots) kinds.push({ kind: "rebootVm", node: to, class: "reboot" });
  if (boots) kinds.push({ kind: "bootVm", node: to, class: runs ? "reboot" : "live" });
  const steps = toSteps(draft.name, draft.seen, kinds, generation, { exists: true, wokenFrom: null, defer: reboots });
  const [first, last] = [steps[0], steps.at(-1)];
  const move = steps.findLast((step) => step.kind === "migrateVm");
  if (first === undefined || move === undefined || last === undefined)
    throw new Error(`${draft.name} moves without a step`);
  const less = excess(holds, draft.after);
  const leaves = how.mode === "live" ? move : first;
  return {
    vm: draft.name,
    group: draft.group,
    disrupts,
    restores: !disrupts && boots,
    seen: draft.seen,
    spec: draft.put,
    steps,
    takes: isNothing(holds) ? [] : [{ step: move.id, node: to, amount: holds }],
    gives: [
      ...(isNothing(draft.before) ? [] : [{ step: leaves.id, node: draft.node, amount: draft.before }]),
      ...(isNothing(less) ? [] : [{ step: last.id, node: to, amount: less }]),
    ],
  };
}

/** A new VM, or one that is deleted where it was and made anew. */
/** `legs`: where one that moves goes on its way, and then stays; left out: straight to its node. */
export function stepsOfPlaced(
  { homeless, node, holds }: Placed,
  startsNow: boolean,
  legs: readonly NodeName[] = [node],
): Chain {
  if (homeless.moves !== null) return stepsOfMover(homeless.moves, legs, holds);
  const { vm, spec, from, keptDisks, remains, above = 0 } = homeless;
  // Above all former lives, wherever they were: an agent that still knows one takes less for an old plan.
  const last = Math.max(from?.seen.generation ?? 0, above, ...remains.map(({ tombstone }) => tombstone.generation));
  const wokenFrom = remains.find((each) => each.node === node && each.tombstone.disks.length > 0)?.tombstone ?? null;
  const kinds: { kind: VmStepKind; node: NodeName; class: ChangeClass }[] = [];
  if (from) kinds.push({ kind: "deleteVm", node: from.seen.node, class: "replace" });
  kinds.push({ kind: "createVm", node, class: from ? "replace" : "live" });
  if (startsNow) kinds.push({ kind: "bootVm", node, class: from ? "replace" : "live" });
  const seed = from?.seen ?? { node, generation: last, serial: keptDisks?.tombstone.serial ?? 0 };
  const steps = toSteps(vm.name, seed, kinds, last + 1, { exists: from !== null, wokenFrom, defer: false });
  const create = steps[from ? 1 : 0];
  const remove = from ? steps[0] : undefined;
  return {
    vm: vm.name,
    group: spec.group,
    disrupts: from !== null,
    restores: false,
    seen: from?.seen ?? null,
    spec,
    steps,
    takes: create && !isNothing(holds) ? [{ step: create.id, node, amount: holds }] : [],
    gives:
      from && remove && !isNothing(from.held) ? [{ step: remove.id, node: from.seen.node, amount: from.held }] : [],
  };
}

const POWER_STEPS = {
  boot: "bootVm",
  reboot: "rebootVm",
  pause: "pauseVm",
  delete: "deleteVm",
} as const satisfies Partial<Record<NonNullable<Draft["power"]>, VmStepKind>>;

/** Giving a spec disturbs nobody by itself: what a reboot is needed for happens in the reboot. */
const classOf = (kind: VmStepKind, changeClass: ChangeClass): ChangeClass => {
  if (kind !== "updateVm") return changeClass;
  return changeClass === "metadata" ? "metadata" : "live";
};

interface StepKindAt {
  readonly kind: VmStepKind;
  readonly node: NodeName;
  readonly class: ChangeClass;
  readonly mode?: "live" | "cold";
}

function toSteps(
  vm: VmName,
  seed: SeenVm,
  kinds: readonly StepKindAt[],
  generation: number,
  {
    exists,
    wokenFrom,
    defer,
  }: { readonly exists: boolean; readonly wokenFrom: Tombstone | null; readonly defer: boolean },
): Step[] {
  const steps: Step[] = [];
  for (const { kind, node, class: changeClass, mode } of kinds) {
    const before = steps.at(-1);
    const head = {
      id: stepId(kind, vm, node, seed),
      vm,
      node,
      after: before ? [before.id] : [],
      class: changeClass,
      expect: expectationOf(kind === "createVm" ? wokenFrom : before || !exists ? null : seed),
    };
    if (kind === "migrateVm") {
      // Plans of before say nothing of live moves, and their ids stay what they were.
      const manner = mode === "cold" ? { mode } : {};
      steps.push({ ...head, kind, fromNode: before?.node ?? seed.node, ...manner });
    } else if (kind === "createVm") steps.push({ ...head, kind, generation });
    else if (kind === "updateVm") steps.push({ ...head, kind, generation, ...(defer ? { defer } : {}) });
    else steps.push({ ...head, kind });
  }
  return steps;
}

/** A VM that comes back to its disks must find them: what was purged meanwhile is not made anew, empty. */
const expectationOf = (seen: Pick<SeenVm, "generation" | "serial"> | null): Step["expect"] =>
  seen && { generation: seen.generation, serial: seen.serial };

/**
 * The same act on the same VM in the same state has the same id, so an agent does it once however often it is asked;
 * the VM's serial moves with everything that happens to it, so the next act has another.
 */
const stepId = (kind: VmStepKind, vm: VmName, node: NodeName, seen: SeenVm): string =>
  `${kind}-${vm}-${digestOf([kind, vm, node, seen.generation, seen.serial]).slice(0, 8)}`;
