/** What a simulated run came to: what room was left at the worst moment, and which promises did not hold. */
import type { rehearse } from "../agent/rehearse.ts";
import { type Amount, heldOn, larger, roomOf } from "../model/capacity.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { Simulation } from "../report/what-if/simulation-document.ts";
import type { StepKind } from "../schedule/step.ts";

type Rehearsed = ReturnType<typeof rehearse>;

const answeredIn = (observed: ObservedState): NodeName[] =>
  observed.nodes.flatMap(({ name, reach }) => (reach === "answered" ? [name] : []));

/** What runs, or what was promised to those who are off and should run: whichever is more. */
export const heldAtStart = (fleet: Rehearsed, observed: ObservedState): ReadonlyMap<NodeName, Amount> =>
  new Map(
    observed.nodes.flatMap((node) =>
      node.reach === "answered" ? [[node.name, larger(fleet.agent(node.name).held(), heldOn(node.report))]] : [],
    ),
  );

function roomOn(desired: DesiredState, observed: ObservedState, name: NodeName) {
  const node = desired.nodes.find((each) => each.name === name);
  const seen = observed.nodes.find((each) => each.name === name);
  return node === undefined || seen?.reach !== "answered" ? null : roomOf(seen.report.capacity, node);
}

export function headroomOf(
  fleet: Rehearsed,
  plan: Plan,
  desired: DesiredState,
  observed: ObservedState,
): Simulation["headroom"] {
  const took = new Set(
    plan.steps.flatMap((step) => (step.kind === "migrateVm" ? [step.fromNode, step.node] : [step.node])),
  );
  return [...took].sort(byName).flatMap((node) => {
    const [room, peak] = [roomOn(desired, observed, node), fleet.peaks.get(node)];
    return room === null || peak === undefined
      ? []
      : [{ node, cpus: room.cpus - peak.cpus, memoryMiB: room.memoryMiB - peak.memoryMiB }];
  });
}

/** A node that was too full from the start may stay so; none becomes it. */
export function overfilled(
  fleet: Rehearsed,
  desired: DesiredState,
  observed: ObservedState,
  before: ReadonlyMap<NodeName, Amount>,
): string[] {
  return answeredIn(observed).flatMap((node) => {
    const [room, peak, held] = [roomOn(desired, observed, node), fleet.peaks.get(node), before.get(node)];
    if (room === null || peak === undefined || held === undefined) return [];
    return (["cpus", "memoryMiB"] as const).flatMap((what) =>
      peak[what] > Math.max(room[what], held[what])
        ? [`${node} held ${peak[what]} ${what}, and has ${room[what]}`]
        : [],
    );
  });
}

/** Who ran before, and is to run on, runs on one node, whatever failed. */
export function strayed(fleet: Rehearsed, plan: Plan, observed: ObservedState): string[] {
  const mayEnd = new Set(plan.steps.filter(({ kind }) => ENDS.has(kind)).map(({ vm }) => vm));
  const homes = new Map<string, NodeName[]>();
  for (const node of answeredIn(observed))
    for (const { name, live } of fleet.agent(node).look().vms)
      if (live !== null) homes.set(name, [...(homes.get(name) ?? []), node]);
  const ranBefore = observed.nodes.flatMap((node) =>
    node.reach === "answered" ? node.report.vms.filter(({ live }) => live !== null).map(({ name }) => name) : [],
  );
  const problems: string[] = [];
  for (const node of observed.nodes)
    for (const { name, phase } of node.reach === "answered" ? node.report.vms : [])
      if (phase === "running" && !homes.has(name) && !mayEnd.has(name))
        problems.push(`${name} ran on ${node.name}, and runs nowhere`);
  for (const [name, nodes] of homes)
    if (nodes.length > ranBefore.filter((each) => each === name).length && nodes.length > 1)
      problems.push(`${name} runs on ${nodes.join(" and ")}`);
  return problems;
}

const ENDS: ReadonlySet<StepKind> = new Set<StepKind>(["deleteVm", "shutdownVm"]);
