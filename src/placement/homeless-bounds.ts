/** Why a VM may live only where it may, reason by reason: so that a conflict can name the one that matters. */

import type { FilterName, PlacementConflict } from "../model/changes.ts";
import { describeMatch, matches, meets } from "../model/may-live-on.ts";
import type { NodeName } from "../model/names.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Bound } from "./engine/explain-conflict.ts";
import { candidatesOf, holdingsOf, type PlacingRules } from "./place-vms.ts";
import { supportCache } from "./support-cache.ts";
import { type Site, speaksAgainst } from "./what-speaks-against.ts";

/** What is known of the nodes, and how it is asked. */
export interface BoundsAround {
  readonly sites: readonly Site[];
  readonly rules: PlacingRules;
}

interface Reason {
  readonly kind: PlacementConflict["constraints"][number]["kind"];
  readonly text: (left: readonly Site[]) => string;
  readonly mayStay: (site: Site) => boolean;
}

/** Those that leave out some node; each leaves what it leaves, whatever the others say. `indexOf`: of the nodes that answered. */
export function boundsOf(each: Homeless, around: BoundsAround, indexOf: ReadonlyMap<NodeName, number>): Bound[] {
  const answering = around.sites.filter(({ node }) => indexOf.has(node.name));
  return reasonsOf(each, around).flatMap(({ text, mayStay }): Bound[] => {
    const left = answering.filter(mayStay);
    if (left.length === answering.length) return [];
    const nodes = left.map(({ node }) => indexOf.get(node.name) as number);
    return [{ text: text(left), nodes: nodes.sort((a, b) => a - b) }];
  });
}

/**
 * What contradicts each other for one that no node could take, were it empty: each is left out in turn, and stays out where
 * still no node is left. Null: some node could.
 */
export function conflictOfBounds(each: Homeless, around: BoundsAround): PlacementConflict | null {
  const { sites } = around;
  const asking = { fleet: around.rules.fleet, support: supportCache() };
  const open: Reason[] = (["answers", "open"] as const).map((by) => ({
    kind: "closed",
    text: () =>
      sayShut(
        by,
        sites.filter((site) => speaksAgainst(by, each, site, asking)),
      ),
    mayStay: (site) => !speaksAgainst(by, each, site, asking),
  }));
  const holds = holdingsOf(each);
  const room = (["cpus", "memoryMiB"] as const).map((resource): Reason => {
    const name = resource === "cpus" ? "cpus" : "memory";
    return {
      kind: "room",
      text: () => `the ${name} that nodes have`,
      // Of one that does not answer nobody knows its room: that it does not answer is what is in the way.
      mayStay: (site) => site.report === null || holds[resource] <= site.room[resource],
    };
  });
  const all = [...open, ...room, ...reasonsOf(each, around)];
  const leavesNone = (some: readonly Reason[]): boolean =>
    !sites.some((site) => some.every(({ mayStay }) => mayStay(site)));
  if (!leavesNone(all)) return null;
  let core = all;
  for (const reason of all) {
    const without = core.filter((other) => other !== reason);
    if (leavesNone(without)) core = without;
  }
  const constraints = core.map(({ kind, text, mayStay }) => ({ kind, text: text(sites.filter(mayStay)) }));
  return { constraints, othersStay: false };
}

const sayShut = (by: "answers" | "open", sites: readonly Site[]): string => {
  const names = listSome(sites.map(({ node }) => node.name));
  if (by === "open") return `${names} ${sites.length === 1 ? "takes" : "take"} nobody new`;
  return `${names} ${sites.length === 1 ? "does" : "do"} not answer`;
};

/** In the order in which they are given up: a VM's own placement says most. */
function reasonsOf(each: Homeless, { sites, rules }: BoundsAround): Reason[] {
  const asking = { fleet: rules.fleet, support: supportCache() };
  const siteByName = new Map(sites.map((site) => [site.node.name, site]));
  const candidates = new Set(candidatesOf(each, sites, siteByName, rules.mayLeaveDisks));
  const { vm, moves } = each;
  const { nodes, selector, nodeAffinity } = vm.placement;
  const why =
    (by: FilterName): Reason["mayStay"] =>
    (site) =>
      site.report === null || !speaksAgainst(by, each, site, asking);
  const pairs = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  const home = moves?.draft.node;
  return [
    {
      kind: moves === null ? "placement" : "closed",
      text: (left) => (home === undefined ? `its disks are kept on ${namesOf(left)}` : `it has to leave ${home}`),
      mayStay: (site) => candidates.has(site),
    },
    { kind: "placement", text: (left) => `its name is free on ${namesOf(left)} only`, mayStay: why("name") },
    { kind: "placement", text: (left) => `${namesOf(left)} can run it, the others cannot`, mayStay: why("able") },
    {
      kind: "placement",
      text: (left) => `${namesOf(left)} has the files it needs, the others lack some`,
      mayStay: why("files"),
    },
    {
      kind: "placement",
      text: () => `its placement asks for ${pairs.join(",")}`,
      mayStay: ({ node }) => matches(node.labels, selector),
    },
    ...(nodeAffinity ?? []).flatMap((rule): Reason[] =>
      rule.required
        ? [
            {
              kind: "placement",
              text: () => `its nodeAffinity asks for ${describeMatch(rule)}`,
              mayStay: ({ node }) => meets(node.labels, rule),
            },
          ]
        : [],
    ),
    {
      kind: "placement",
      text: () => `its placement names ${listSome(nodes)}`,
      mayStay: ({ node }) => nodes.length === 0 || nodes.includes(node.name),
    },
  ];
}

const namesOf = (sites: readonly Site[]): string =>
  sites.length === 0 ? "no node" : listSome(sites.map(({ node }) => node.name));

const listSome = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
