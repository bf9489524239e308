/**
 * Whether any order that a plan's DAG allows can overfill a node, at any instant.
 *
 * Worked out from the steps and the observation alone, not from how the planner came to them. A step that makes a VM bigger
 * holds from its start, one that makes it smaller gives back at its end. The worst moment on a node is the set of started
 * steps that takes the most while having given back the least: a maximum weight closure, solved exactly (`max-flow.ts`).
 */

import {
  type Amount,
  excess,
  hasProcess,
  heldBy,
  heldOn,
  isNothing,
  NOTHING,
  roomOf,
  sizeOf,
} from "../model/capacity.ts";
import type { DesiredState } from "../model/desired-state.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { VmReport } from "../model/observed-state.ts";
import { wantsRunning } from "../model/vm-spec.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { isOfVm, type Step } from "../schedule/step.ts";
import { bestClosure } from "./max-flow.ts";
import type { Plan } from "./plan-document.ts";

interface Effect {
  readonly step: Step;
  readonly takes: Amount;
  readonly gives: Amount;
}

/** A sentence for each node and resource that could be overfilled by the plan. */
export function findOverfilled(plan: Plan, desired: DesiredState, sightings: Sightings): string[] {
  const effects = effectsByNode(plan, sightings);
  const ancestorsOf = ancestry(plan.steps);
  const problems: string[] = [];
  for (const node of desired.nodes) {
    const report = sightings.reports.get(node.name);
    const here = effects.get(node.name);
    if (!report || !here) continue;
    const room = roomOf(report.capacity, node);
    const held = heldOn(report);
    for (const resource of ["cpus", "memoryMiB"] as const) {
      const taking = here.filter((effect) => effect.takes[resource] > 0);
      if (taking.length === 0) continue;
      const all = taking.reduce((sum, effect) => sum + effect.takes[resource], 0);
      if (held[resource] + all <= room[resource]) continue;
      const peak = held[resource] + worstMoment(taking, here, resource, ancestorsOf);
      if (peak > room[resource])
        problems.push(`${node.name} could have to hold ${peak} ${resource} and has room for ${room[resource]}`);
    }
  }
  return problems;
}

/**
 * The most that can have been taken on balance at a moment when some step of ours has taken. A node that is overfull
 * already is not the plan's fault until it takes more: so each taking step in turn is the one that has certainly started.
 */
function worstMoment(
  taking: readonly Effect[],
  here: readonly Effect[],
  resource: keyof Amount,
  ancestorsOf: (id: string) => ReadonlySet<string>,
): number {
  const giving = here.filter((effect) => effect.gives[resource] > 0);
  const projects = taking.map(({ step, takes }) => {
    const before = ancestorsOf(step.id);
    return {
      profit: takes[resource],
      needs: giving.flatMap((give, index) => (before.has(give.step.id) ? [index] : [])),
    };
  });
  const costs = giving.map((give) => give.gives[resource]);
  const balances = projects.map((started) => {
    const given = new Set(started.needs);
    const paid = started.needs.reduce((sum, index) => sum + (costs[index] ?? 0), 0);
    const others = projects.filter((each) => each !== started);
    return (
      started.profit -
      paid +
      bestClosure(
        others,
        costs.map((cost, index) => (given.has(index) ? 0 : cost)),
      )
    );
  });
  return Math.max(...balances);
}

/** Follows each VM through its steps: what it holds where, before and after each. */
function effectsByNode(plan: Plan, sightings: Sightings): Map<NodeName, Effect[]> {
  const effects = new Map<NodeName, Effect[]>();
  const note = (node: NodeName, effect: Effect): void => {
    if (isNothing(effect.takes) && isNothing(effect.gives)) return;
    const ofNode = effects.get(node);
    if (ofNode === undefined) effects.set(node, [effect]);
    else ofNode.push(effect);
  };
  const vms: Map<VmName, Step[]> = Map.groupBy(plan.steps.filter(isOfVm), (step) => step.vm);
  for (const [name, steps] of vms) {
    const location = sightings.locate(name);
    const vm = location.kind === "present" ? location.vm : null;
    let held = vm === null ? NOTHING : heldBy(vm);
    let isUp = vm !== null && hasProcess(vm);
    for (const [index, step] of steps.entries()) {
      const after = heldAfter(step, { rest: steps.slice(index + 1), isUp, held, vm, plan });
      if (step.kind === "migrateVm") {
        // One that is off holds nothing where it was; where it is to be started, its room is kept from now on.
        note(step.node, { step, takes: after, gives: NOTHING });
        note(step.fromNode, { step, takes: NOTHING, gives: held });
      } else note(step.node, { step, takes: excess(after, held), gives: excess(held, after) });
      held = after;
      isUp = UP_AFTER[step.kind] ?? isUp;
    }
  }
  return effects;
}

const UP_AFTER: Partial<Record<Step["kind"], boolean>> = {
  createVm: false,
  bootVm: true,
  rebootVm: true,
  shutdownVm: false,
  deleteVm: false,
};

interface Moment {
  /** What the VM does afterwards. */
  readonly rest: readonly Step[];
  readonly isUp: boolean;
  readonly held: Amount;
  /** As observed, before the plan. */
  readonly vm: VmReport | null;
  readonly plan: Plan;
}

function heldAfter(step: Step, { rest, isUp, held, vm, plan }: Moment): Amount {
  const isLast = rest.length === 0;
  const spec = plan.specs[step.vm] ?? vm?.spec;
  if (!spec) return held;
  const size = sizeOf(spec);
  switch (step.kind) {
    case "createVm":
      return wantsRunning(spec.runStrategy, false) === true ? size : NOTHING;
    case "updateVm": {
      if (!isUp && wantsRunning(spec.runStrategy, vm?.endedBy === "guest") !== true) return isLast ? NOTHING : held;
      // Growth may happen at once; what shrinks is given back for sure only when no step of the VM is left to come.
      return isLast
        ? size
        : { cpus: Math.max(held.cpus, size.cpus), memoryMiB: Math.max(held.memoryMiB, size.memoryMiB) };
    }
    case "bootVm":
    case "rebootVm":
      return size;
    case "pauseVm":
    case "resumeVm":
      return held;
    case "migrateVm":
      return step.mode === "cold" && rest.some(({ kind }) => kind === "bootVm") ? size : held;
    case "shutdownVm":
      // It leaves, and takes nothing along that its node would have to give.
      if (rest[0]?.kind === "migrateVm") return NOTHING;
      // One that is to come back (its node is in maintenance) keeps its room.
      return wantsRunning(spec.runStrategy, false) === true ? held : NOTHING;
    case "deleteVm":
      return NOTHING;
    case "fetch":
      return held;
  }
}

/** id → all steps that must have ended before it starts. */
function ancestry(steps: readonly Step[]): (id: string) => ReadonlySet<string> {
  const parents = new Map(steps.map((step) => [step.id, step.after]));
  const known = new Map<string, ReadonlySet<string>>();
  return (id) => {
    const answer = known.get(id);
    if (answer) return answer;
    const all = new Set<string>();
    const waiting = [...(parents.get(id) ?? [])];
    for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
      if (all.has(each)) continue;
      all.add(each);
      waiting.push(...(parents.get(each) ?? []));
    }
    known.set(id, all);
    return all;
  };
}
