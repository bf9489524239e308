/**
 * Where each VM of the fleet is or may be from the moment a plan begins: what `turn/` tells the agents before the first step,
 * so that a later plan knows of homes on nodes that it no longer sees.
 */
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type Instant, instant, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState, Whereabouts } from "../model/observed-state.ts";
import { latestWhereabouts, locateVms } from "./locate-vms.ts";
import type { Plan } from "./plan-document.ts";

/** Homes are kept while they are not disproved: only a VM that is certainly nowhere is left out. Sorted by name. */
export function whereaboutsFor(plan: Plan, desired: DesiredState, observed: ObservedState): Whereabouts {
  const sightings = locateVms(desired, observed);
  const homes = new Map<VmName, NodeName>(sightings.ofFleet);
  const known = latestWhereabouts(desired.fleet.name, sightings.reports.values());
  const before = known?.homes ?? {};
  for (const [name, home] of Object.entries(before) as [VmName, NodeName][]) {
    if (!homes.has(name) && sightings.locate(name).kind === "unknown") homes.set(name, home);
  }
  for (const step of plan.steps) if (step.kind === "createVm") homes.set(step.vm, step.node);
  const sorted = [...homes].sort(([a], [b]) => byName(a, b));
  const nodes = desired.nodes.map((node) => node.name).sort(byName);
  return { fleet: desired.fleet.name, at: laterThan(known?.at, observed.at), homes: Object.fromEntries(sorted), nodes };
}

/** What is told must not look older than what it replaces, whatever the clocks of two machines say. */
function laterThan(known: Instant | undefined, now: Instant): Instant {
  if (known === undefined || now > known) return now;
  return instant(new Date(Date.parse(known) + 1).toISOString());
}
