/**
 * Where each VM of the fleet is or may be from the moment a plan begins: what `turn/` tells the agents before the first step,
 * so that a later plan knows of homes on nodes that it no longer sees.
 */
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState, Whereabouts } from "../model/observed-state.ts";
import { laterThan } from "../model/whereabouts.ts";
import { homeIdOf, latestWhereabouts, locateVms, type Sightings } from "../reconcile/locate-vms.ts";
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
  const made = new Map(plan.steps.flatMap((step) => (step.kind === "createVm" ? [[step.vm, step.node]] : [])));
  for (const [name, node] of made) homes.set(name, node);
  const sorted = [...homes].sort(([a], [b]) => byName(a, b));
  const nodes = desired.nodes.map((node) => node.name).sort(byName);
  const ids = idsOf([...nodes, ...homes.values()], known, sightings);
  const missing = sorted.flatMap(([name, home]) => {
    const then = known === null || known.homes[name] !== home ? undefined : homeIdOf(known, name);
    // Not seen since, and its home has another id by now.
    return then === undefined || sightings.ofFleet.has(name) || made.has(name) || ids[home] === then
      ? []
      : [[name, then] as const];
  });
  return {
    fleet: desired.fleet.name,
    at: laterThan(known?.at, observed.at),
    serial: (known?.serial ?? 0) + 1,
    homes: Object.fromEntries(sorted),
    nodes,
    ids,
    ...(missing.length === 0 ? {} : { missingSince: Object.fromEntries(missing) }),
  };
}

/** As seen now; of those that are not seen, as they were. */
function idsOf(
  nodes: readonly NodeName[],
  known: Whereabouts | null,
  { reports }: Sightings,
): Readonly<Record<NodeName, string>> {
  const before: Readonly<Record<string, string>> = known?.ids ?? {};
  const ids = [...new Set(nodes)].sort(byName).flatMap((node): [NodeName, string][] => {
    const id = reports.get(node)?.node.id ?? (Object.hasOwn(before, node) ? before[node] : undefined);
    return id === undefined ? [] : [[node, id]];
  });
  return Object.fromEntries(ids);
}
