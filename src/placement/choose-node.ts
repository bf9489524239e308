/**
 * One VM alone: which node it would be given, and, filter by filter, how many nodes could be. For people who ask why.
 *
 *   place-vms.ts → [choose-node.ts] → plan/explain-vm.ts, turn/, what-if/
 */
import type { Looks } from "../model/boot/boot-needs.ts";
import { type Amount, fits, NOTHING, plus } from "../model/capacity.ts";
import { type Blocked, type FilterName, PLACEMENT_FILTERS, type PlacementFilter } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import type { Instant, NodeName } from "../model/names.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { type AffinityBook, bookOf } from "./affinity-book.ts";
import { neighboursOf } from "./neighbours.ts";
import { candidatesOf, holdingsOf, type PlacingRules, placeVms, toSettled } from "./place-vms.ts";
import { freeNow, toSites } from "./room.ts";
import { supportCache } from "./support-cache.ts";
import { type Site, speaksAgainst, spreadsOn } from "./what-speaks-against.ts";

/** Who and what stands around one that looks for a home. */
interface Neighbourhood {
  readonly sites: readonly Site[];
  readonly free: ReadonlyMap<NodeName, Amount>;
  readonly newBook: () => AffinityBook;
}

export interface Choice {
  /** The node it would be given; null: none can take it. */
  readonly node: NodeName | null;
  /** All that could take it, sorted by name. */
  readonly able: readonly NodeName[];
  readonly filters: readonly PlacementFilter[];
  /** Null: there is a node. */
  readonly blocked: Blocked | null;
}

/** As everybody sits now, with those who are asked about gone from where they are. */
export function around(
  desired: DesiredState,
  sightings: Sightings,
  looks: ReadonlyMap<NodeName, Looks>,
  at: Instant,
  leaving: readonly Homeless[],
): Neighbourhood {
  const free = freeNow(desired, sightings);
  for (const { from } of leaving)
    if (from !== null) free.set(from.seen.node, plus(free.get(from.seen.node) ?? NOTHING, from.held));
  const neighbours = neighboursOf(desired, sightings, [], leaving);
  const sites = toSites(desired, sightings, looks, at);
  const spreads = spreadsOn(desired, sites);
  return { sites, free, newBook: () => bookOf(desired, spreads, neighbours) };
}

export function chooseNode(each: Homeless, near: Neighbourhood, rules: PlacingRules): Choice {
  const { placed, blocked } = placeVms([each], near.sites, new Map(near.free), near.newBook(), rules);
  const { filters, able } = filtersFor(each, near, rules);
  return { node: placed[0]?.node ?? null, able, filters, blocked: blocked[0] ?? null };
}

/** Each filter is told, also one that leaves as many as there were: that it was asked is an answer, too. */
export function filtersFor(
  each: Homeless,
  { sites, free, newBook }: Pick<Neighbourhood, "sites" | "free" | "newBook">,
  { mayLeaveDisks, fleet }: PlacingRules,
): Pick<Choice, "filters" | "able"> {
  const holds = holdingsOf(each);
  const affinity = newBook().judge(toSettled(each), each.vm.placement);
  const candidates = new Set(
    candidatesOf(each, sites, new Map(sites.map((site) => [site.node.name, site])), mayLeaveDisks),
  );
  const asking = { fleet, support: supportCache() };
  const lets = (filter: FilterName, site: Site): boolean => {
    if (filter === "candidates") return candidates.has(site);
    if (filter === "anti-affinity") return affinity.whyApart(site.node) === null;
    if (filter === "affinity") return affinity.whyNotTogether(site.node) === null;
    if (filter === "spread") return affinity.whyCrowded(site.node) === null;
    if (filter === "room") return fits(holds, free.get(site.node.name) ?? NOTHING);
    return !speaksAgainst(filter, each, site, asking);
  };
  let left = sites;
  const filters = PLACEMENT_FILTERS.map((filter): PlacementFilter => {
    left = left.filter((site) => lets(filter, site));
    return { filter, left: left.length };
  });
  return { filters, able: left.map(({ node }) => node.name) };
}
