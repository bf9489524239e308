/**
 * Who stands where, for those who look for a home: everybody who has one and keeps it.
 *
 *   locate-vms.ts → [neighbours.ts] → place-together.ts, choose-node.ts
 */
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { AffinityBook } from "./affinity-book.ts";
import type { Neighbourhood, SettledVm } from "./place-together.ts";

/** Nobody where nobody asks. */
export function neighboursOf(
  desired: DesiredState,
  sightings: Sightings,
  homeless: readonly Homeless[],
): Pick<Neighbourhood, "settled" | "newBook"> {
  const settled = settledVms(desired, sightings, homeless);
  return { settled, newBook: () => openBook(desired, settled) };
}

function settledVms(desired: DesiredState, sightings: Sightings, homeless: readonly Homeless[]): SettledVm[] {
  if (homeless.length === 0) return [];
  const leaving = new Set(homeless.map((each) => each.vm.name));
  const placements = new Map(desired.vms.map((vm) => [vm.name, vm]));
  const settled: SettledVm[] = [];
  for (const [home, report] of sightings.reports) {
    for (const { name, spec } of report.vms) {
      if (leaving.has(name)) continue;
      const antiAffinity = placements.get(name)?.placement.antiAffinity ?? [];
      settled.push({ name, home, vm: { labels: spec.labels, antiAffinity } });
    }
  }
  return settled;
}

function openBook(desired: DesiredState, settled: readonly SettledVm[]): AffinityBook {
  const book = new AffinityBook(desired.nodes, affinityRules(desired.vms));
  for (const { vm, home } of settled) book.settle(vm, home);
  return book;
}

function* affinityRules(vms: readonly DesiredVm[]) {
  for (const { placement } of vms) {
    yield* placement.affinity;
    yield* placement.antiAffinity;
  }
}
