/**
 * The product's promises as invariants of a plan. Run on every plan before it is shown or applied: a planner with a bug
 * must be stopped by something that does not share it. Each rule looks only at the plan, the manifests and the observation.
 *
 *   make-plan.ts → [check-plan.ts] → report/, apply/
 */

import { fetchKey, type Looks } from "../model/boot/boot-needs.ts";
import { type ChangeClass, isWorse } from "../model/change-class.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { locateVms, type Sightings } from "../reconcile/locate-vms.ts";
import { looksByNode, needsFor, whyLacking } from "../reconcile/look-ahead.ts";
import { describeStep, isOfVm, type Step } from "../schedule/step.ts";
import { findOverfilled } from "./check-capacity.ts";
import { findCrowdedGroups } from "./check-groups.ts";
import { wantedImages } from "./fetches.ts";
import type { Plan } from "./plan-document.ts";
import { Hours, ruleFor } from "./windows.ts";

export interface Violation {
  readonly promise: "one-home" | "three-values" | "no-surprise" | "capacity" | "data" | "order";
  readonly message: string;
}

interface World {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly sightings: Sightings;
  /** What acts on it; what is fetched for it is not. */
  readonly stepsOf: ReadonlyMap<VmName, readonly Step[]>;
  readonly looks: ReadonlyMap<NodeName, Looks>;
  readonly observed: ObservedState;
}

const RULES: readonly ((world: World) => Violation[])[] = [
  oneHome,
  unknownIsLeftAlone,
  nothingUnannounced,
  nobodyIsDisturbedUnasked,
  nothingIsLacking,
  imagesComeFirst,
  capacityHolds,
  dataOutlives,
  isADag,
  stepsAreWhereTheVmIs,
];

export function checkPlan(plan: Plan, desired: DesiredState, observed: ObservedState): Violation[] {
  const stepsOf = new Map<VmName, Step[]>();
  for (const step of plan.steps) {
    if (!isOfVm(step)) continue;
    const known = stepsOf.get(step.vm);
    if (known) known.push(step);
    else stepsOf.set(step.vm, [step]);
  }
  const world: World = {
    plan,
    desired,
    sightings: locateVms(desired, observed),
    stepsOf,
    looks: looksByNode(observed),
    observed,
  };
  return RULES.flatMap((rule) => rule(world));
}

/** Throws PLAN_BROKEN when a promise would be broken: a fault of ours, never of the user's. */
export function assertPlanKeepsPromises(plan: Plan, desired: DesiredState, observed: ObservedState): void {
  const violations = checkPlan(plan, desired, observed);
  if (violations.length === 0) return;
  const all = violations.map((each) => `${each.promise}: ${each.message}`).join("; ");
  throw new OdoroboError("PLAN_BROKEN", `the planner made a plan that breaks a promise, so it is not used: ${all}`, {
    hint: "this is a fault in odorobo: please report it with the plan's JSON",
  });
}

/** Never on two nodes: a VM is created only where none is, or after its only other self was deleted. */
function oneHome({ plan, sightings, stepsOf }: World): Violation[] {
  const violations: Violation[] = [];
  for (const [name, steps] of stepsOf) {
    const creates = steps.filter((step) => step.kind === "createVm");
    if (creates.length > 1)
      violations.push({ promise: "one-home", message: `${name} would be created ${creates.length} times` });
    const [create] = creates;
    if (!create) continue;
    const location = sightings.locate(name);
    const removal = steps.find((step) => step.kind === "deleteVm");
    const leaves =
      location.kind === "present" && removal?.node === location.node && comesBefore(removal, create, plan.steps);
    if (location.kind !== "absent" && !leaves) {
      violations.push({
        promise: "one-home",
        message: `${name} would be created on ${create.node} while it is ${location.kind}`,
      });
    }
  }
  return violations;
}

/** Every act is asked of the node that has the VM by then: a guest that has moved is changed where it arrived. */
function stepsAreWhereTheVmIs({ sightings, stepsOf }: World): Violation[] {
  const violations: Violation[] = [];
  for (const [name, steps] of stepsOf) {
    const location = sightings.locate(name);
    let at = location.kind === "present" ? location.node : null;
    for (const step of steps) {
      const asked = step.kind === "migrateVm" ? step.fromNode : step.node;
      if (step.kind !== "createVm" && asked !== at)
        violations.push({
          promise: "one-home",
          message: `${describeStep(step)}: it is ${at === null ? "nowhere" : `on ${at}`} by then`,
        });
      if (step.kind === "migrateVm" && step.node === step.fromNode)
        violations.push({ promise: "one-home", message: `${describeStep(step)}: it is there` });
      at = step.kind === "deleteVm" ? null : step.node;
    }
  }
  return violations;
}

/** What we could not see gets no step, and nothing is done to a VM that may be there. */
function unknownIsLeftAlone({ plan, sightings }: World): Violation[] {
  const violations: Violation[] = [];
  for (const step of plan.steps) {
    for (const node of step.kind === "migrateVm" ? [step.fromNode, step.node] : [step.node])
      if (!sightings.reports.has(node))
        violations.push({ promise: "three-values", message: `${describeStep(step)}: ${node} does not answer` });
    const { kind } = sightings.locate(step.vm);
    if (kind === "unknown" || kind === "two-homes")
      violations.push({ promise: "three-values", message: `${describeStep(step)}: its home is ${kind}` });
  }
  const unseen = new Set(plan.unknown.filter((each) => each.kind === "Node").map((each) => each.name));
  for (const { name } of sightings.silent) {
    if (!unseen.has(name))
      violations.push({ promise: "three-values", message: `${name} does not answer, and the plan does not say so` });
  }
  if (plan.complete && sightings.silent.length > 0)
    violations.push({
      promise: "three-values",
      message: "the plan calls itself complete without having seen every node",
    });
  return violations;
}

/** A step of these kinds cannot be milder, whatever it calls itself. */
const MILDEST: Partial<Record<Step["kind"], ChangeClass>> = {
  rebootVm: "reboot",
  shutdownVm: "reboot",
  pauseVm: "pause",
};

/** Every step belongs to a change that is shown, and does nothing worse than it says; groups keep enough members up. */
function nothingUnannounced({ plan, desired, stepsOf }: World): Violation[] {
  const violations: Violation[] = [];
  const changes = new Map(plan.changes.map((change) => [change.name, change]));
  for (const step of plan.steps) {
    const change = changes.get(step.vm);
    if (!change) violations.push({ promise: "no-surprise", message: `${describeStep(step)} belongs to no change` });
    else if (isWorse(step.class, change.class))
      violations.push({
        promise: "no-surprise",
        message: `${describeStep(step)} is ${step.class}, its change says ${change.class}`,
      });
    const atLeast = step.kind === "migrateVm" ? (step.mode === "cold" ? "live" : "migrate") : MILDEST[step.kind];
    if (atLeast !== undefined && isWorse(atLeast, step.class))
      violations.push({ promise: "no-surprise", message: `${describeStep(step)} calls itself ${step.class}` });
  }
  for (const change of plan.changes) {
    if (change.reasons.length === 0)
      violations.push({ promise: "no-surprise", message: `${change.name} changes for no reason` });
    if (!stepsOf.has(change.name))
      violations.push({ promise: "no-surprise", message: `${change.name} is announced, and nothing would be done` });
  }
  for (const message of findCrowdedGroups(plan, desired)) violations.push({ promise: "no-surprise", message });
  return violations;
}

/** What the policy refuses refuses the plan; what is left to a window begins while it is open, or not at all. */
function nobodyIsDisturbedUnasked({ plan, desired, sightings, stepsOf, observed }: World): Violation[] {
  const violations: Violation[] = [];
  const complain = (message: string) => violations.push({ promise: "no-surprise", message });
  const hours = new Hours(desired, sightings, observed.at);
  for (const change of plan.changes) {
    if (plan.refusals.length === 0 && ruleFor(desired, change)?.says === "refuse")
      complain(`the policy refuses ${change.class}, and ${change.name} would get it`);
    if (plan.base.outsideWindows) continue;
    const hour = hours.of(change);
    const [first] = stepsOf.get(change.name) ?? [];
    if (hour.kind === "closed") complain(`${change.name} would not wait for its window`);
    if (hour.kind === "open" && first?.until !== hour.until)
      complain(`${change.name} could be begun after its window has closed, at ${hour.until}`);
  }
  for (const { change } of plan.waiting ?? [])
    if (stepsOf.has(change.name)) complain(`${change.name} waits for its window, and something would be done`);
  return violations;
}

/** No guest is stopped, or made, for a boot that its node has said it has not the files for. */
function nothingIsLacking({ plan, sightings, looks }: World): Violation[] {
  const violations: Violation[] = [];
  const changes = new Map(plan.changes.map((change) => [change.name, change]));
  for (const step of plan.steps) {
    if (step.kind !== "createVm" && step.kind !== "bootVm" && step.kind !== "rebootVm") continue;
    const location = sightings.locate(step.vm);
    const seen = location.kind === "present" && step.node === location.node ? location.vm : null;
    const spec = plan.specs[step.vm] ?? seen?.spec;
    const change = changes.get(step.vm);
    if (spec === undefined || change === undefined) continue;
    const isNew = change.action === "create" || change.action === "replace";
    const made = isNew || seen === null ? [] : (seen.disks ?? seen.spec.disks.map((disk) => disk.name));
    const why = whyLacking(spec, needsFor(change, spec, made), looks.get(step.node));
    if (why !== null) violations.push({ promise: "no-surprise", message: `${describeStep(step)}: the node ${why}` });
  }
  return violations;
}

/** Nothing is begun with a VM before its node has the images that it needs; each is fetched once, and for somebody. */
function imagesComeFirst({ plan, sightings, stepsOf, looks }: World): Violation[] {
  const violations: Violation[] = [];
  const complain = (message: string) => violations.push({ promise: "order", message });
  const fetches = new Map<string, Step>();
  const wanted = new Set<string>();
  for (const step of plan.steps) {
    if (isOfVm(step)) continue;
    const key = `${step.node} ${fetchKey(step.remote)}`;
    if (fetches.has(key)) complain(`${describeStep(step)}: twice`);
    fetches.set(key, step);
  }
  for (const { vm, node, question } of wantedImages({ ...plan, sightings, looks })) {
    const key = `${node} ${fetchKey(question.remote)}`;
    wanted.add(key);
    const fetch = fetches.get(key);
    const first = stepsOf.get(vm)?.[0];
    if (first === undefined) continue;
    if (fetch === undefined) complain(`${describeStep(first)}: nobody fetches ${question.image} before`);
    else if (!comesBefore(fetch, first, plan.steps)) complain(`${describeStep(first)} does not wait for its image`);
  }
  for (const [key, step] of fetches) if (!wanted.has(key)) complain(`${describeStep(step)}: nobody needs it`);
  return violations;
}

function capacityHolds({ plan, desired, sightings }: World): Violation[] {
  return findOverfilled(plan, desired, sightings).map((message) => ({ promise: "capacity", message }));
}

/** Deletions only of this fleet's unprotected VMs, only announced, and never of a desired VM that is not replaced. */
function dataOutlives({ plan, desired, sightings }: World): Violation[] {
  const violations: Violation[] = [];
  const wanted = new Set(desired.vms.map((vm) => vm.name));
  const actions = new Map(plan.changes.map((change) => [change.name, change.action]));
  for (const step of plan.steps) {
    if (step.kind !== "deleteVm") continue;
    const location = sightings.locate(step.vm);
    if (location.kind !== "present") continue;
    const action = actions.get(step.vm);
    const complain = (message: string) =>
      violations.push({ promise: "data", message: `${describeStep(step)}: ${message}` });
    if (location.vm.fleet !== desired.fleet.name) complain("it is not of this fleet");
    if (location.vm.spec.protect) complain("it is protected");
    if (action !== "destroy" && action !== "replace") complain(`its change is called ${action}`);
    if (action === "destroy" && wanted.has(step.vm)) complain("the manifests still want it");
  }
  return violations;
}

/** Ids are unique, every reference exists and stands before, and the steps of one VM follow one another. */
function isADag({ plan, stepsOf }: World): Violation[] {
  const violations: Violation[] = [];
  const before = new Set<string>();
  for (const step of plan.steps) {
    if (before.has(step.id)) violations.push({ promise: "order", message: `two steps are called ${step.id}` });
    for (const id of step.after)
      if (!before.has(id))
        violations.push({ promise: "order", message: `${step.id} waits for ${id}, which does not stand before it` });
    before.add(step.id);
  }
  for (const [name, steps] of stepsOf) {
    for (const [index, step] of steps.entries()) {
      const previous = steps[index - 1];
      if (previous && !step.after.includes(previous.id))
        violations.push({ promise: "order", message: `the steps of ${name} do not follow one another` });
    }
  }
  return violations;
}

function comesBefore(first: Step, second: Step, steps: readonly Step[]): boolean {
  const parents = new Map(steps.map((step) => [step.id, step.after]));
  const waiting = [...second.after];
  const seen = new Set<string>();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (id === first.id) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    waiting.push(...(parents.get(id) ?? []));
  }
  return false;
}
