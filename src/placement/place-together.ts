/**
 * All homeless VMs at once, where one after another left some without a home: who came first may take another node.
 *
 *   place-vms.ts → [place-together.ts] → assign.ts, place-vms.ts
 *
 * Whoever has a home keeps it here.
 */
import { type Amount, minus, NOTHING } from "../model/capacity.ts";
import { type NodeName, type VmName, vmName } from "../model/names.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { AffinityBook, Settled } from "./affinity-book.ts";
import { findHomes } from "./assign.ts";
import { findCandidates, holdingsOf, type Placements, type PlacingRules, placeVms, type Site } from "./place-vms.ts";
import { type Inhabitant, toProblem } from "./to-problem.ts";

export interface Neighbourhood {
  readonly sites: readonly Site[];
  /** What each node has left for them. */
  readonly free: ReadonlyMap<NodeName, Amount>;
  /** Who has a home and keeps it. */
  readonly settled: readonly SettledVm[];
  /** A fresh book in which those stand. */
  readonly newBook: () => AffinityBook;
}

export interface SettledVm {
  readonly name: VmName;
  readonly home: NodeName;
  readonly vm: Settled;
}

/** One after another, and where that leaves some without a home, all together, if more of them have one then. */
export function placeAll(homeless: readonly Homeless[], around: Neighbourhood, rules: PlacingRules): Placements {
  const place = (found: ReadonlyMap<VmName, NodeName>): Placements =>
    placeVms(homeless, around.sites, new Map(around.free), around.newBook(), { ...rules, found });
  const first = place(new Map());
  if (!first.isCrowded || homeless.length < 2) return first;
  const found = findNodesTogether(homeless, around, findCandidates(homeless, around.sites, rules));
  if (found.size <= first.placed.length) return first;
  const second = place(found);
  return second.placed.length > first.placed.length ? second : first;
}

/** Homeless VM → node, for as many of them as can have one. */
function findNodesTogether(
  homeless: readonly Homeless[],
  { sites, free, settled }: Neighbourhood,
  candidates: ReadonlyMap<VmName, readonly NodeName[]>,
): Map<VmName, NodeName> {
  const still = { moves: "never", moveMiB: 0, dirtyMiBps: 0, group: null, allowed: null } as const;
  const newcomers = homeless.map((each): Inhabitant => {
    const { vm, spec } = each;
    const allowed = candidates.get(vm.name) ?? [];
    const of = { name: vm.name, home: null, labels: spec.labels, placement: vm.placement };
    return { ...still, ...of, holds: NOTHING, wants: holdingsOf(each), allowed };
  });
  const residents = settled.map(({ name, home, vm: { labels, antiAffinity } }): Inhabitant => {
    const of = { name, home, labels, placement: { affinity: [], antiAffinity } };
    return { ...still, ...of, holds: NOTHING, wants: NOTHING };
  });
  // What residents hold of a node they hold together: who they are does not matter for that. No VM has a name like this.
  const held = sites.map(({ node, room }): Inhabitant => {
    const amount = minus(room, free.get(node.name) ?? NOTHING);
    const of = { labels: {}, placement: { affinity: [], antiAffinity: [] }, home: node.name };
    return { ...still, ...of, name: vmName(`${node.name}/`), holds: amount, wants: amount };
  });
  const grounds = sites.map(({ node, room }) => ({
    node,
    room,
    closed: false,
    leaving: false,
    upMiBps: 1,
    downMiBps: 1,
  }));
  const { problem, inhabitants } = toProblem(grounds, [...newcomers, ...residents, ...held], []);
  const homes = findHomes(problem);
  const isNew = new Set(newcomers);
  const found = new Map<VmName, NodeName>();
  for (const [index, each] of inhabitants.entries()) {
    const node = problem.nodes[homes[index] ?? -1];
    if (isNew.has(each) && node !== undefined) found.set(each.name, node.name as NodeName);
  }
  return found;
}
