/**
 * Where guests that have a home could go as they run, whoever else is there: asked of all of a fleet at once, so that what is the
 * same for many is found out once.
 *
 *   what-speaks-against.ts → [destinations.ts] → seat-fleet.ts
 */
import type { NodeName, VmName } from "../model/names.ts";
import type { Departure } from "../reconcile/draft.ts";
import { supportCache } from "./support-cache.ts";
import { couldTakeIn, type Site, speaksAgainst } from "./what-speaks-against.ts";

export type Able = Extract<Departure, { readonly kind: "able" }>;

/** With its home among them, which it may always stay on. Guests that may go to the same nodes are given the same list. */
export function destinationsAmong(
  sites: readonly Site[],
  fleet: string,
): (guest: Able, home: NodeName) => readonly NodeName[] {
  const asking = { fleet, support: supportCache() };
  const ofKind = new Map<string, readonly NodeName[]>();
  const withHome = new Map<string, readonly NodeName[]>();
  const homesOf = new Map<VmName, number>();
  for (const { namesHere, leftHere } of sites)
    for (const name of [...namesHere, ...leftHere]) homesOf.set(name, (homesOf.get(name) ?? 0) + 1);
  return (able, home) => {
    const { vm, spec, remains, applied, by, how } = able;
    const guest = { vm, spec, remains, from: null, moves: { applied, by, how } };
    const key = keyOf(able);
    const open =
      ofKind.get(key) ?? sites.filter((site) => couldTakeIn(guest, site, asking)).map(({ node }) => node.name);
    ofKind.set(key, open);
    // A namesake, or what is left of a former life, keeps it away from one node or another.
    if (remains.length > 0 || (homesOf.get(vm.name) ?? 0) > 1) {
      const taken = new Set(
        sites.flatMap((site) => (speaksAgainst("name", guest, site, asking) ? site.node.name : [])),
      );
      return [...open.filter((node) => !taken.has(node) && node !== home), home];
    }
    if (open.includes(home)) return open;
    const list = withHome.get(`${home} ${key}`) ?? [...open, home];
    withHome.set(`${home} ${key}`, list);
    return list;
  };
}

/** What is asked of a node, and nothing else. */
function keyOf({ vm: { placement }, spec, applied, by, how }: Able): string {
  const asked = [spec, applied].map(({ hypervisor, cpus, memory, boot, disks, nics, cloudInit, passthrough }) => [
    ...[hypervisor, cpus, memory, boot, disks, cloudInit !== null, passthrough],
    nics.map(({ attachment }) => attachment),
  ]);
  return JSON.stringify([
    placement.nodes,
    placement.selector,
    placement.nodeAffinity,
    by.kind,
    by.version,
    by.accelerator,
    how.mode,
    asked,
  ]);
}
