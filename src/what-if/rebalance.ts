/**
 * Moves that nobody needs and somebody asked for: fuller nodes give guests to emptier ones. A plan like any other, made, checked and
 * carried out as such; guests to which there is anything else to do are left out.
 *
 *   level-nodes.ts → [rebalance.ts] → plan/make-plan.ts
 */
import { heldBy } from "../model/capacity.ts";
import { isWorse } from "../model/change-class.ts";
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import { mayLiveOn } from "../model/may-live-on.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState, VmReport } from "../model/observed-state.ts";
import { freeNow, toSites } from "../placement/room.ts";
import { sentMiB } from "../placement/sent-mib.ts";
import { supportCache } from "../placement/support-cache.ts";
import { whyNever, whyNotNow } from "../placement/what-speaks-against.ts";
import { makePlan, type PlanInput } from "../plan/make-plan.ts";
import type { Plan } from "../plan/plan-document.ts";
import { planIdOf } from "../plan/plan-id.ts";
import { departureOf } from "../reconcile/departure.ts";
import { findDifferences } from "../reconcile/diff.ts";
import type { Homeless } from "../reconcile/draft.ts";
import { locateVms, type Sightings } from "../reconcile/locate-vms.ts";
import { looksByNode } from "../reconcile/look-ahead.ts";
import { moveAsItIs } from "../reconcile/move-as-it-is.ts";
import { type Level, type LevelMove, levelNodes } from "./level-nodes.ts";
import { RuleIndex } from "./rule-index.ts";

export interface RebalanceInput extends Pick<PlanInput, "desired" | "observed" | "source" | "commit" | "allowances"> {
  /** How much less full the fuller of both nodes must be after a move, 0 to 1. */
  readonly minGain: number;
  /** Who was moved, or booted, less long ago stays. */
  readonly holdSeconds: number;
}

export interface Rebalance {
  readonly plan: Plan;
  readonly before: ReadonlyMap<NodeName, number>;
  readonly after: ReadonlyMap<NodeName, number>;
  /** VMs that nothing could be started for, were their node lost: every other node that they may live on keeps disks that they left there. */
  readonly heldByOldDisks: readonly { readonly vm: VmName; readonly nodes: readonly NodeName[] }[];
}

interface Movable {
  readonly vm: DesiredVm;
  readonly report: VmReport;
  readonly node: NodeName;
  readonly homeless: Homeless;
}

export function rebalance(input: RebalanceInput): Rebalance {
  const sightings = locateVms(input.desired, input.observed);
  const stays = new Set<VmName>();
  // Who cannot be moved after all stays, and the rest is levelled anew.
  for (;;) {
    const movable = findMovable(input, sightings, stays);
    const level = levelWith(input, sightings, movable);
    const plan = planMoves(input, level);
    const done = new Set(plan.changes.flatMap((change) => (isWorse(change.class, "migrate") ? [] : [change.name])));
    const failed = level.moves.filter(({ vm }) => !done.has(vm));
    if (failed.length === 0) {
      const heldByOldDisks = findHeld(input.desired, sightings);
      return { plan, before: level.before, after: level.after, heldByOldDisks };
    }
    for (const { vm } of failed) stays.add(vm);
  }
}

function findHeld({ vms, nodes }: DesiredState, sightings: Sightings): Rebalance["heldByOldDisks"] {
  return vms.flatMap((vm) => {
    const old = sightings.leftDisks(vm.name);
    if (old.length === 0) return [];
    const location = sightings.locate(vm.name);
    const home = location.kind === "present" ? location.node : null;
    const others = nodes.filter(
      (node) => node.name !== home && sightings.reports.has(node.name) && mayLiveOn(vm.placement, node),
    );
    return others.length > 0 && others.every(({ name }) => old.includes(name)) ? [{ vm: vm.name, nodes: old }] : [];
  });
}

/** Guests that run as their manifests say, can be moved, and have been where they are long enough. */
function findMovable(
  { desired, observed, holdSeconds }: RebalanceInput,
  sightings: Sightings,
  stays: ReadonlySet<VmName>,
): ReadonlyMap<VmName, Movable> {
  const findings = findDifferences(desired, sightings, null, observed.at);
  const arrivals = arrivalsOf(observed);
  const movable = new Map<VmName, Movable>();
  for (const vm of desired.vms) {
    const location = sightings.locate(vm.name);
    if (stays.has(vm.name) || location.kind !== "present" || findings.get(vm.name)?.kind !== "unchanged") continue;
    const { node, vm: report } = location;
    const home = sightings.reports.get(node);
    if (home === undefined || isHeld(report, arrivals.get(vm.name), observed.at, holdSeconds)) continue;
    const remains = sightings.remains(vm.name);
    const departure = departureOf(vm, vm.spec, { vm: report, report: home, remains });
    // Levelling is worth no standstill.
    if (departure.kind === "rooted" || departure.how.mode !== "live") continue;
    const homeless = moveAsItIs(report, node, departure, []);
    if (homeless !== null) movable.set(vm.name, { vm, report, node, homeless });
  }
  return movable;
}

/** When guests came to where they are, as the nodes that they left know it. */
function arrivalsOf({ nodes }: ObservedState): ReadonlyMap<VmName, Instant> {
  const arrivals = new Map<VmName, Instant>();
  for (const node of nodes)
    for (const { name, migration } of node.reach === "answered" ? node.report.vms : [])
      if (migration?.stage === "left" && (arrivals.get(name) ?? "") < migration.since)
        arrivals.set(name, migration.since);
  return arrivals;
}

function isHeld({ since }: VmReport, arrived: Instant | undefined, at: Instant, holdSeconds: number): boolean {
  const latest = Math.max(Date.parse(since), arrived === undefined ? 0 : Date.parse(arrived));
  return Date.parse(at) - latest < holdSeconds * 1000;
}

function levelWith(
  { desired, observed, minGain }: RebalanceInput,
  sightings: Sightings,
  movable: ReadonlyMap<VmName, Movable>,
): Level {
  const sites = toSites(desired, sightings, looksByNode(observed), observed.at);
  const siteOf = new Map(sites.map((site) => [site.node.name, site]));
  const free = freeNow(desired, sightings);
  const rules = new RuleIndex(desired, sightings);
  const asking = { fleet: desired.fleet.name, support: supportCache() };
  const nodes = sites.flatMap(({ node: { name }, report, room }) =>
    report === null ? [] : [{ name, room, free: free.get(name) ?? { cpus: 0, memoryMiB: 0 } }],
  );
  const vms = [...movable.values()].map(({ vm: { name }, report, node: home }) => ({
    ...{ name, home, holds: heldBy(report) },
    moveMiB: sentMiB(report.spec),
  }));
  return levelNodes(nodes, vms, minGain, (name, to, homes) => {
    const each = movable.get(name);
    const [site, from] = [siteOf.get(to), siteOf.get(homes.get(name) as NodeName)];
    if (each === undefined || site === undefined || from === undefined) return false;
    const { homeless, vm } = each;
    // Whoever must be with this one would lose it: it is not moved for the sake of room.
    if (rules.isNeeded(vm.spec.labels)) return false;
    // Coming home again is no move.
    if (to !== each.node && whyNever(homeless, site, asking) !== null) return false;
    const placedElsewhere = ({ name: other, home }: { readonly name: VmName; readonly home: NodeName }) =>
      other === name ? null : (homes.get(other) ?? home);
    const book = rules.bookFor([homeless], placedElsewhere, []);
    const settled = { labels: vm.spec.labels, antiAffinity: vm.placement.antiAffinity };
    const judge = book.judge(settled, vm.placement);
    const nothing = { cpus: 0, memoryMiB: 0 };
    // That there is room is seen to already.
    if (!mayLiveOn(vm.placement, site.node) || whyNotNow(site, nothing, nothing, judge) !== null) return false;
    return judge.preference(site.node) <= judge.preference(from.node);
  });
}

/** The plan that takes each to its node and does nothing else. */
function planMoves(input: RebalanceInput, { moves, before, after }: Level): Plan {
  const { desired, observed, source, commit, allowances } = input;
  const to = new Map(moves.map((move) => [move.vm, move]));
  const pinned: DesiredState = {
    ...desired,
    vms: desired.vms.map((vm) => {
      const move = to.get(vm.name);
      return move === undefined ? vm : { ...vm, placement: { ...vm.placement, nodes: [move.to] } };
    }),
  };
  // No pattern would mean all of them.
  const selection =
    desired.vms.length === 0 ? null : { targets: [...to.keys()], excludes: moves.length === 0 ? ["*"] : [] };
  const plan = makePlan({ ...{ desired: pinned, observed, source, commit, selection, allowances } });
  const changes = plan.changes.map((change) => {
    const move = to.get(change.name);
    if (move === undefined) return change;
    const text = whyItGoes(move, before, after);
    return {
      ...change,
      reasons: change.reasons.map((reason) =>
        reason.field === "placement" ? { ...reason, field: null, to: move.to, text, source: null } : reason,
      ),
    };
  });
  const told = { ...plan, changes };
  return { ...told, id: planIdOf(told) };
}

function whyItGoes(
  { from, to }: LevelMove,
  before: ReadonlyMap<NodeName, number>,
  after: ReadonlyMap<NodeName, number>,
): string {
  const percent = (fullness: number | undefined) => `${Math.round((fullness ?? 0) * 100)} %`;
  return `rebalance: ${from} goes from ${percent(before.get(from))} full to ${percent(after.get(from))}, ${to} from ${percent(before.get(to))} to ${percent(after.get(to))}`;
}

/** Nodes whose fullness changes, the fullest first. */
export const changedNodes = ({ before, after }: Pick<Rebalance, "before" | "after">): readonly NodeName[] =>
  [...before.keys()]
    .filter((node) => before.get(node) !== after.get(node))
    .sort((a, b) => (before.get(b) ?? 0) - (before.get(a) ?? 0) || byName(a, b));
