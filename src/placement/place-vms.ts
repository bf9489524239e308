/**
 * Which node takes a VM that has no home: simple, deterministic, explained.
 *
 *   diff-vm.ts → [place-vms.ts] → make-steps.ts
 *
 * Those first that have one node to go to, because the others can go elsewhere; then biggest first, then by name. Among the
 * nodes that may and can take it, the one that is emptiest afterwards (spread).
 * A VM whose disks were kept somewhere goes back to them or nowhere: it never wakes up beside an empty disk by surprise.
 * Nobody who has a home is moved to make room here: that is `seat-fleet.ts`, where this leaves some without one.
 */
import { type Amount, fits, larger, minus, NOTHING, sizeOf } from "../model/capacity.ts";
import type { Blocked } from "../model/changes.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import { isLocal, wantsRunning } from "../model/vm-spec.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { AffinityBook, AffinityJudge, Settled } from "./affinity-book.ts";
import { supportCache } from "./support-cache.ts";
import { type Site, whyNever, whyNotNow } from "./what-speaks-against.ts";
import { explain, keepsDisks } from "./why-nowhere.ts";

export interface Placed {
  readonly homeless: Homeless;
  readonly node: NodeName;
  readonly holds: Amount;
}

export interface Placements {
  readonly placed: readonly Placed[];
  readonly blocked: readonly Blocked[];
  /** Whether some of the blocked found a node that would take them, were others not there. */
  readonly isCrowded: boolean;
}

export interface PlacingRules {
  /** A VM whose disks are kept where its placement no longer allows it may be made anew elsewhere, without them. */
  readonly mayLeaveDisks: boolean;
  readonly fleet: string;
}

/** `free`: what each site has left when everything else in the plan is done; it is drawn down here. */
export function placeVms(
  homeless: readonly Homeless[],
  sites: readonly Site[],
  free: Map<NodeName, Amount>,
  book: AffinityBook,
  { mayLeaveDisks, fleet }: PlacingRules,
): Placements {
  const placed: Placed[] = [];
  const blocked: Blocked[] = [];
  let isCrowded = false;
  const asking = { fleet, support: supportCache() };
  const siteByName = new Map(sites.map((site) => [site.node.name, site]));
  const freeOn = (site: Site): Amount => free.get(site.node.name) ?? NOTHING;

  const sitesFor = (each: Homeless): readonly Site[] => candidatesOf(each, sites, siteByName, mayLeaveDisks);
  const isTied = (each: Homeless): boolean => each.vm.placement.nodes.length === 1 || sitesFor(each).length === 1;
  const [tied, others] = [homeless.filter(isTied), homeless.filter((each) => !isTied(each))];
  for (const each of [...tied.sort(biggestFirst), ...others.sort(biggestFirst)]) {
    const holds = holdingsOf(each);
    const settled = toSettled(each);
    const affinity = book.judge(settled, each.vm.placement);
    const candidates = sitesFor(each);
    const judge = (site: Site) => whyNever(each, site, asking) ?? whyNotNow(site, holds, freeOn(site), affinity);
    let best: Site | null = null;
    let bestScore: Score = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const site of candidates) {
      // Nearly all of them are no better than one that was found: they are not even asked whether they could.
      const score = scoreOf(site, holds, freeOn(site), affinity);
      if (isBetter(score, bestScore) && judge(site) === null) [best, bestScore] = [site, score];
    }
    if (best === null) {
      blocked.push(explain(each, holds, sites.length, candidates.map(judge)));
      isCrowded ||= candidates.some((site) => fits(holds, site.room) && whyNever(each, site, asking) === null);
      continue;
    }
    const node = best.node.name;
    placed.push({ homeless: each, node, holds });
    free.set(node, minus(freeOn(best), holds));
    book.settle(settled, node);
  }
  return { placed, blocked, isCrowded };
}

/** By VM, the nodes that may and can take it, whoever else is there; in the order of `sites`. */
export function findCandidates(
  homeless: readonly Homeless[],
  sites: readonly Site[],
  { mayLeaveDisks, fleet }: PlacingRules,
): Map<VmName, readonly NodeName[]> {
  const asking = { fleet, support: supportCache() };
  const siteByName = new Map(sites.map((site) => [site.node.name, site]));
  // Many may live on the same nodes: they share one list.
  const lists = new Map<string, readonly NodeName[]>();
  return new Map(
    homeless.map((each) => {
      const fit = candidatesOf(each, sites, siteByName, mayLeaveDisks).filter(
        (site) => whyNever(each, site, asking) === null,
      );
      const names = fit.map(({ node }) => node.name);
      const key = names.join();
      const list = lists.get(key) ?? names;
      lists.set(key, list);
      return [each.vm.name, list];
    }),
  );
}

/** A guest that moves is as big as it is until it is as big as it will be. */
export function holdingsOf({ spec, moves }: Homeless): Amount {
  if (moves !== null) return larger(moves.draft.before, moves.draft.after);
  return wantsRunning(spec.runStrategy, false) === true ? sizeOf(spec) : NOTHING;
}

export const toSettled = ({ vm, spec }: Homeless): Settled => ({
  labels: spec.labels,
  antiAffinity: vm.placement.antiAffinity,
});

/** Where its bytes are, if anywhere; else everywhere. */
export function candidatesOf(
  { vm, keptDisks, from, spec, moves }: Homeless,
  sites: readonly Site[],
  siteByName: ReadonlyMap<NodeName, Site>,
  mayLeaveDisks: boolean,
): readonly Site[] {
  const hasLocalDisks = spec.disks.some((disk) => isLocal(disk.origin));
  if (moves !== null) return sites.filter(({ node }) => node.name !== moves.draft.node);
  if (from?.stays && hasLocalDisks) return [siteByName.get(from.seen.node)].filter((site) => site !== undefined);
  if (keptDisks === null || !hasLocalDisks || !keepsDisks(spec, keptDisks)) return sites;
  const home = siteByName.get(keptDisks.node);
  if (home === undefined) return [];
  return mayLeaveDisks && !mayLiveOn(vm.placement, home.node) ? sites : [home];
}

type Score = readonly [preference: number, fullness: number];

/** Preferred affinity first, then how full the node's scarcer resource would be. */
function scoreOf(site: Site, holds: Amount, room: Amount, affinity: AffinityJudge): Score {
  const left = minus(room, holds);
  const cpus = 1 - left.cpus / Math.max(1, site.room.cpus);
  const memory = 1 - left.memoryMiB / Math.max(1, site.room.memoryMiB);
  return [affinity.preference(site.node), Math.max(cpus, memory)];
}

/** Sites come sorted by name, so a tie goes to the first name. */
const isBetter = (a: Score, b: Score): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

function biggestFirst(a: Homeless, b: Homeless): number {
  return (
    b.spec.memory.sizeMiB - a.spec.memory.sizeMiB ||
    b.spec.cpus.count - a.spec.cpus.count ||
    byName(a.vm.name, b.vm.name)
  );
}
