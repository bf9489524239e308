/**
 * Which node takes a VM that has no home: simple, deterministic, explained.
 *
 *   diff-vm.ts → [place-vms.ts] → make-steps.ts
 *
 * Those first that have one node to go to, because the others can go elsewhere; then biggest first, then by name. Among the
 * nodes that may and can take it, the one that is emptiest afterwards (spread).
 * A VM whose disks were kept somewhere goes back to them or nowhere: it never wakes up beside an empty disk by surprise.
 * VMs that have a home are never moved to make room; one that moves for a reason of its own goes as it runs where both ends can.
 */
import type { Looks } from "../model/boot-needs.ts";
import { type Amount, describeAmount, fits, larger, minus, NOTHING, sizeOf } from "../model/capacity.ts";
import type { Blocked } from "../model/changes.ts";
import type { DesiredNode } from "../model/desired-state.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { NodeReport } from "../model/observed-state.ts";
import { isLocal, type VmSpec, wantsRunning } from "../model/vm-spec.ts";
import type { Homeless } from "../reconcile/draft.ts";
import { homeNeeds, whyLacking } from "../reconcile/look-ahead.ts";
import type { AffinityBook, AffinityJudge, Settled } from "./affinity-book.ts";
import { supportCache } from "./support-cache.ts";
import { whyItCannotArrive } from "./why-it-cannot-arrive.ts";
import { explain, keepsDisks, NOT_ALLOWED, objection, type WhyNot } from "./why-nowhere.ts";

export interface Site {
  readonly node: DesiredNode;
  /** Null: it does not answer. */
  readonly report: NodeReport | null;
  /** Of files and bridges that it was asked about. */
  readonly looks: Looks | undefined;
  readonly room: Amount;
  /** VMs that moved away from it, and of which it still keeps a record and old disks. */
  readonly leftHere: ReadonlySet<VmName>;
  /** All others that it has, whoever they belong to. */
  readonly namesHere: ReadonlySet<VmName>;
  /** Why it takes no new VMs, in words; null: it does. */
  readonly closed: string | null;
}

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
  /** Nodes that were found for some of them beforehand: they go there or nowhere, and choose first. */
  readonly found?: ReadonlyMap<VmName, NodeName>;
}

/** `free`: what each site has left when everything else in the plan is done; it is drawn down here. */
export function placeVms(
  homeless: readonly Homeless[],
  sites: readonly Site[],
  free: Map<NodeName, Amount>,
  book: AffinityBook,
  { mayLeaveDisks, fleet, found }: PlacingRules,
): Placements {
  const placed: Placed[] = [];
  const blocked: Blocked[] = [];
  let isCrowded = false;
  const support = supportCache();
  const siteByName = new Map(sites.map((site) => [site.node.name, site]));
  const freeOn = (site: Site): Amount => free.get(site.node.name) ?? NOTHING;

  const sitesFor = (each: Homeless): readonly Site[] => {
    const site = siteByName.get(found?.get(each.vm.name) as NodeName);
    return site === undefined ? candidatesOf(each, sites, siteByName, mayLeaveDisks) : [site];
  };
  const isTied = (each: Homeless): boolean => each.vm.placement.nodes.length === 1 || sitesFor(each).length === 1;
  const [tied, others] = [homeless.filter(isTied), homeless.filter((each) => !isTied(each))];
  for (const each of [...tied.sort(biggestFirst), ...others.sort(biggestFirst)]) {
    const holds = holdingsOf(each);
    const settled = toSettled(each);
    const affinity = book.judge(settled, each.vm.placement.affinity);
    const candidates = sitesFor(each);
    const judge = (site: Site) =>
      whyTaken(each, site, fleet) ?? whyNever(each, site, support) ?? whyNotNow(site, holds, freeOn(site), affinity);
    let best: Site | null = null;
    let bestScore: Score = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const site of candidates) {
      if (judge(site) !== null) continue;
      const score = scoreOf(site, holds, freeOn(site), affinity);
      if (isBetter(score, bestScore)) [best, bestScore] = [site, score];
    }
    if (best === null) {
      blocked.push(explain(each, holds, candidates.map(judge)));
      isCrowded ||= candidates.some((site) => (whyTaken(each, site, fleet) ?? whyNever(each, site, support)) === null);
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
  const support = supportCache();
  const siteByName = new Map(sites.map((site) => [site.node.name, site]));
  // Many may live on the same nodes: they share one list.
  const lists = new Map<string, readonly NodeName[]>();
  return new Map(
    homeless.map((each) => {
      const fit = candidatesOf(each, sites, siteByName, mayLeaveDisks).filter(
        (site) => (whyTaken(each, site, fleet) ?? whyNever(each, site, support)) === null,
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

/** An agent gives a name to one fleet at a time: until the other's tombstone is gone, the name is taken there. */
export function whyTaken(
  { vm, moves, remains }: Homeless,
  { node, leftHere, namesHere }: Site,
  fleet: string,
): WhyNot | null {
  // Its guest may come back to it; a new one would find the name taken.
  if (moves === null && leftHere.has(vm.name)) {
    const kind = `keeps what it left there when it moved away (odorobo vm delete ${vm.name} --node ${node.name} ends that)`;
    return { node: node.name, kind, detail: null, lacks: "place" };
  }
  if (moves !== null) {
    const kept = remains.find((each) => each.node === node.name && each.tombstone.disks.length > 0);
    const why =
      kept !== undefined
        ? `keeps disks of an earlier life of it (odorobo vm purge ${vm.name} --node ${node.name} ends that)`
        : namesHere.has(vm.name)
          ? "has a VM of this name already"
          : null;
    if (why !== null) return { node: node.name, kind: why, detail: null, lacks: "place" };
  }
  const taken = remains.find((each) => each.node === node.name && each.tombstone.fleet !== fleet);
  if (taken === undefined) return null;
  const owner = taken.tombstone.fleet === null ? "made by hand" : `of the fleet ${taken.tombstone.fleet}`;
  return {
    node: node.name,
    kind: `keeps what is left of a VM of this name ${owner}`,
    detail: null,
    lacks: "place",
  };
}

/** What speaks against a node, whoever else lives there. Asked in this order; the first objection counts. */
export function whyNever(
  each: Homeless,
  { node, report, looks, closed }: Site,
  support: (spec: VmSpec, report: NodeReport) => string | null,
): WhyNot | null {
  if (!mayLiveOn(each.vm.placement, node)) return objection(node.name, NOT_ALLOWED);
  if (report === null) return objection(node.name, "does not answer");
  if (closed !== null && !(each.from?.stays && each.from.seen.node === node.name)) return objection(node.name, closed);
  const unsupported = support(each.spec, report);
  if (unsupported !== null) return objection(node.name, unsupported, "ability");
  const barred = each.moves === null ? null : whyItCannotArrive(each.moves, report);
  if (barred !== null) return objection(node.name, barred, "ability");
  const lacking = looks === undefined ? null : whyLacking(each.spec, homeNeeds(each.spec), looks);
  if (lacking !== null) return objection(node.name, lacking, lacking.startsWith("lacks ") ? "files" : "ability");
  return null;
}

/** What speaks against a node because of who else lives there. */
function whyNotNow({ node }: Site, holds: Amount, room: Amount, affinity: AffinityJudge): WhyNot | null {
  const apart = affinity.whyApart(node);
  if (apart !== null) return objection(node.name, `anti-affinity (${apart})`);
  const alone = affinity.whyNotTogether(node);
  if (alone !== null) return objection(node.name, `affinity (${alone})`);
  if (fits(holds, room)) return null;
  return { ...objection(node.name, "lacks room"), detail: `${describeAmount(atLeastNothing(room))} free` };
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

const atLeastNothing = (a: Amount): Amount => ({ cpus: Math.max(0, a.cpus), memoryMiB: Math.max(0, a.memoryMiB) });

function biggestFirst(a: Homeless, b: Homeless): number {
  return (
    b.spec.memory.sizeMiB - a.spec.memory.sizeMiB ||
    b.spec.cpus.count - a.spec.cpus.count ||
    byName(a.vm.name, b.vm.name)
  );
}
