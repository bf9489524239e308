/**
 * One VM alone: which node it would be given, and, filter by filter, how many nodes could be. For people who ask why.
 *
 *   place-vms.ts → [choose-node.ts] → plan/explain-vm.ts, turn/, what-if/
 */
import type { Looks } from "../model/boot-needs.ts";
import { fits, NOTHING, plus } from "../model/capacity.ts";
import type { Blocked } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import type { Instant, NodeName } from "../model/names.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { neighboursOf } from "./neighbours.ts";
import type { Neighbourhood } from "./place-together.ts";
import {
  candidatesOf,
  holdingsOf,
  type PlacingRules,
  placeVms,
  type Site,
  toSettled,
  whyNever,
  whyTaken,
} from "./place-vms.ts";
import { freeNow, toSites } from "./room.ts";
import { supportCache } from "./support-cache.ts";

/** What a node is asked, in this order; each counts the nodes that are left of those before. */
export const FILTERS = [
  "nodes",
  "candidates",
  "placement",
  "answers",
  "open",
  "able",
  "files",
  "name",
  "anti-affinity",
  "affinity",
  "room",
] as const;
export type FilterName = (typeof FILTERS)[number];

/** What each filter lets through, as the end of a sentence: `480 allowed by its placement`. */
export const FILTER_WORDS: Readonly<Record<FilterName, string>> = {
  nodes: "in the fleet",
  candidates: "to choose from",
  placement: "allowed by its placement",
  answers: "that answer",
  open: "that take newcomers",
  able: "whose hypervisor can run it",
  files: "with the files and bridges it needs",
  name: "where its name is free",
  "anti-affinity": "by anti-affinity",
  affinity: "by affinity",
  room: "with room",
};

export interface FilterCount {
  readonly filter: FilterName;
  readonly left: number;
}

export interface Choice {
  /** The node it would be given; null: none can take it. */
  readonly node: NodeName | null;
  /** All that could take it, sorted by name. */
  readonly able: readonly NodeName[];
  readonly filters: readonly FilterCount[];
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
  return { sites: toSites(desired, sightings, looks, at), free, ...neighboursOf(desired, sightings, leaving) };
}

export function chooseNode(each: Homeless, near: Neighbourhood, rules: PlacingRules): Choice {
  const { placed, blocked } = placeVms([each], near.sites, new Map(near.free), near.newBook(), rules);
  const { filters, able } = countFilters(each, near, rules);
  return { node: placed[0]?.node ?? null, able, filters, blocked: blocked[0] ?? null };
}

/** Each filter is told, also one that leaves as many as there were: that it was asked is an answer, too. */
function countFilters(
  each: Homeless,
  { sites, free, newBook }: Neighbourhood,
  { mayLeaveDisks, fleet }: PlacingRules,
): Pick<Choice, "filters" | "able"> {
  const holds = holdingsOf(each);
  const affinity = newBook().judge(toSettled(each), each.vm.placement.affinity);
  const candidates = new Set(
    candidatesOf(each, sites, new Map(sites.map((site) => [site.node.name, site])), mayLeaveDisks),
  );
  const support = supportCache();
  // Asked only of sites that the filters before it let through: its first objection is of ability or files then.
  const lacks = new Map<Site, string | null>();
  const lackOf = (site: Site): string | null => {
    if (!lacks.has(site)) lacks.set(site, whyNever(each, site, support)?.lacks ?? null);
    return lacks.get(site) ?? null;
  };
  const tests: Readonly<Record<FilterName, (site: Site) => boolean>> = {
    nodes: () => true,
    candidates: (site) => candidates.has(site),
    placement: ({ node }) => mayLiveOn(each.vm.placement, node),
    answers: ({ report }) => report !== null,
    open: ({ closed, node }) => closed === null || (each.from?.stays === true && each.from.seen.node === node.name),
    able: (site) => lackOf(site) !== "ability",
    files: (site) => lackOf(site) !== "files",
    name: (site) => whyTaken(each, site, fleet) === null && lackOf(site) === null,
    "anti-affinity": ({ node }) => affinity.whyApart(node) === null,
    affinity: ({ node }) => affinity.whyNotTogether(node) === null,
    room: ({ node }) => fits(holds, free.get(node.name) ?? NOTHING),
  };
  let left = sites;
  const filters = FILTERS.map((filter): FilterCount => {
    left = left.filter(tests[filter]);
    return { filter, left: left.length };
  });
  return { filters, able: left.map(({ node }) => node.name) };
}
