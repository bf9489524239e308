/**
 * Homes for all who need one, and room for those who grow: one by one where that will do, and else all at once, with others moved.
 *
 *   diff.ts → [place-fleet.ts] → place-vms.ts | seat-fleet.ts → make-plan.ts
 *
 * Nobody is moved where everybody finds a place and every required rule holds. A rule that does not hold is put right by moving
 * somebody: nothing but the manifests says what was agreed on, so it makes no difference when it came to be broken. Where that cannot be
 * done it is told, and forgiven: the rest of the plan stands.
 */
import { type Amount, fits, minus, NOTHING } from "../model/capacity.ts";
import type { Blocked } from "../model/changes.ts";
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import type { NodeName, VmName } from "../model/names.ts";
import { departureOf, toMover } from "../reconcile/departure.ts";
import type { Departure, Draft, Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import { type AffinityBook, bookOf, describeRule } from "./affinity-book.ts";
import type { Able } from "./destinations.ts";
import { withBounds, withReasons } from "./explain-blocked.ts";
import { type FailingRule, findFailingRule, hasRequiredRules, type Settler } from "./failing-rules.ts";
import { type Neighbour, neighboursOf } from "./neighbours.ts";
import { holdingsOf, type Placed, type Placements, type PlacingRules, placeVms } from "./place-vms.ts";
import { blockTooBig, fitGrowth, freeAfter, growElsewhere, type TooBig } from "./room.ts";
import { type SeatedFleet, seatFleet } from "./seat-fleet.ts";
import { movedNeighbour } from "./tell-seats.ts";
import { type Site, spreadsOn } from "./what-speaks-against.ts";

export interface FleetToPlace {
  readonly desired: DesiredState;
  readonly sightings: Sightings;
  readonly sites: readonly Site[];
  /** What each node has left right now. */
  readonly free: ReadonlyMap<NodeName, Amount>;
  /** VMs that have homes and change there. */
  readonly drafts: readonly Draft[];
  readonly homeless: readonly Homeless[];
  /** VMs that are as they should be. */
  readonly unchanged: ReadonlySet<VmName>;
  /** Whether one of those two may be moved for others, or for a rule. */
  readonly mayMove: (vm: VmName) => boolean;
  readonly rules: PlacingRules;
}

export interface PlacedFleet {
  /** Who changes where it is. */
  readonly growing: readonly Draft[];
  readonly placed: readonly Placed[];
  /** Of `unchanged`: who moves for others, or because of a rule. */
  readonly aside: readonly Placed[];
  /** Of those two: who would stay, were it not for others or for a rule. */
  readonly movedForOthers: ReadonlySet<VmName>;
  readonly blocked: readonly Blocked[];
}

export function placeFleet(to: FleetToPlace): PlacedFleet {
  const { desired, sightings, sites, free, drafts, homeless, rules } = to;
  const { growing, tooBig: cramped } = fitGrowth(drafts, free);
  const tooBig = cramped.map((each) => ({ ...each, mover: growElsewhere(each) }));
  const movers = tooBig.flatMap(({ mover }) => (mover === null ? [] : [mover]));
  const rooted = tooBig.filter(({ mover }) => mover === null);
  const seekers = [...homeless, ...movers];
  if (seekers.length === 0 && rooted.length === 0 && !hasRequiredRules(desired))
    return { growing, placed: [], aside: [], movedForOthers: new Set(), blocked: [] };
  // Those who are too big keep what they have of their node: they are among the neighbours unless they look for another one.
  const neighbours = neighboursOf(desired, sightings, drafts, seekers);
  const spreads = spreadsOn(desired, sites);
  const left = freeAfter(free, growing, seekers);
  const all = sumOf(left);
  const first =
    seekers.length === 0
      ? NOBODY
      : placeVms(seekers, sites, new Map(left), bookOf(desired, spreads, neighbours), rules);
  const oneByOne: PlacedFleet = {
    growing,
    placed: first.placed,
    aside: [],
    movedForOthers: new Set(),
    blocked: [...rooted.map(blockTooBig), ...first.blocked],
  };
  const settlers = [
    ...neighbours,
    ...first.placed.map(({ homeless: { vm, spec }, node }) => ({
      home: node,
      labels: spec.labels,
      placement: vm.placement,
      newcomer: vm,
    })),
  ];
  const isRight = (!first.isCrowded || isFull(first.blocked, seekers, all)) && rooted.length === 0;
  const failing = findFailingRule<Placeable>(desired.nodes, spreads, settlers);
  if (isRight && failing === null) return withBounds(oneByOne, seekers, to, all);
  const seated = seatFleet({
    ...{ sites, spreads, rules, homeless, tooBig },
    neighbours: neighboursOf(desired, sightings, drafts, homeless),
    departureOf: departures(to),
    isAsked: ({ name, draft }) => draft !== null || to.unchanged.has(name),
  });
  const needsNobody = seated.moves.every(({ why }) => why.kind !== "makesRoom" && why.kind !== "overfull");
  const open = seated.failures.filter(({ kind }) => kind === "seatless").length + seated.ungrown.size;
  const isBetter = open < oneByOne.blocked.length || (open === oneByOne.blocked.length && (needsNobody || isRight));
  return withBounds(
    isBetter ? takeSeats(to, growing, tooBig, seated) : withBroken(oneByOne, withReasons(oneByOne, seated), failing),
    seekers,
    to,
    all,
  );
}

/** `newcomer`: it is placed by this plan; `wanted`: it was there before, and is ours. */
type Placeable = Settler & { readonly newcomer?: DesiredVm; readonly wanted?: DesiredVm | null };

/** Where everybody has a place all the same, one whose rule does not hold when all is done is told of at once, not by the next plan. */
function withBroken(oneByOne: PlacedFleet, told: PlacedFleet, failing: FailingRule<Placeable> | null): PlacedFleet {
  const { newcomer, wanted, home } = failing?.subject ?? {};
  const vm = newcomer ?? wanted;
  const isTold = told.blocked.length > oneByOne.blocked.length;
  if (vm === undefined || vm === null || isTold || failing?.rule == null) return told;
  const blocked: Blocked = {
    name: vm.name,
    code: "UNPLACEABLE",
    message: `${vm.name} ${newcomer === undefined ? "stays on" : "comes to"} ${home}, against its rule ${describeRule(failing.rule)}: nobody can be placed so that it holds`,
    hint: "make room, or loosen the rule",
    source: vm.whereIs("/spec/placement") ?? vm.source,
  };
  return { ...told, blocked: [...told.blocked, blocked] };
}

/** What all nodes together have left. */
function sumOf(free: ReadonlyMap<NodeName, Amount>): Amount {
  const sum = (of: keyof Amount): number => [...free.values()].reduce((all, each) => all + Math.max(0, each[of]), 0);
  return { cpus: sum("cpus"), memoryMiB: sum("memoryMiB") };
}

/** Whether each of them wants more than all nodes together have, whoever moves where: then nobody needs to look for a way. */
function isFull(blocked: readonly Blocked[], seekers: readonly Homeless[], all: Amount): boolean {
  const holds = new Map(seekers.map((each) => [each.vm.name, holdingsOf(each)]));
  return blocked.every(({ name }) => !fits(holds.get(name) ?? NOTHING, all));
}

const NOBODY: Placements = { placed: [], blocked: [], isCrowded: false };

/** How those who have a home, and may be moved for others, could leave it. */
function departures({ sightings, unchanged, mayMove }: FleetToPlace): (neighbour: Neighbour) => Able | null {
  return ({ name, home, vm, draft, wanted }) => {
    if (!(draft !== null || unchanged.has(name)) || !mayMove(name)) return null;
    if (draft !== null) return goesAsItRuns(draft.departure) && toMover(draft) !== null ? draft.departure : null;
    const report = sightings.reports.get(home);
    if (report === undefined || wanted === null) return null;
    const departure = departureOf(wanted, wanted.spec, { vm, report, remains: sightings.remains(name) });
    return goesAsItRuns(departure) && !report.unfinished.some((entry) => entry.vm === name) ? departure : null;
  };
}

/** Nobody is stopped for others here; see `schedule/schedule-chains.ts` for where nothing else helps. */
const goesAsItRuns = (departure: Departure): departure is Able =>
  departure.kind === "able" && departure.how.mode === "live";

/** What the engine found, in words of changes. */
function takeSeats(
  { desired, sites, rules }: FleetToPlace,
  drafts: readonly Draft[],
  tooBig: readonly (TooBig & { readonly mover: Homeless | null })[],
  seated: SeatedFleet,
): PlacedFleet {
  const moveOf = new Map(seated.moves.map((move) => [move.vm, move]));
  const failed = new Set(seated.failures.flatMap((failure) => (failure.kind === "seatless" ? [failure.vm] : [])));
  const placed: Placed[] = [];
  const aside: Placed[] = [];
  const growing: Draft[] = [];
  const left: Homeless[] = [];
  const movedForOthers = new Set<VmName>();
  const gone = new Set<Draft>();
  for (const [vm, sitter] of seated.sitters.entries()) {
    const node = seated.nodeOf(vm);
    const move = moveOf.get(vm);
    if (sitter.kind === "homeless") {
      const { homeless } = sitter;
      if (node === null || failed.has(vm)) left.push(homeless);
      else placed.push({ homeless, node, holds: holdingsOf(homeless) });
    } else if (sitter.kind === "grows") {
      const { draft, mover } = sitter.tooBig;
      if (move === undefined || mover === null) growing.push(draft);
      else placed.push({ homeless: mover, node: node as NodeName, holds: holdingsOf(mover) });
    } else if (move !== undefined) {
      const homeless = movedNeighbour(seated, move);
      const { draft } = sitter.neighbour;
      if (draft !== null) gone.add(draft);
      movedForOthers.add(sitter.neighbour.name);
      (draft === null ? aside : placed).push({ homeless, node: node as NodeName, holds: holdingsOf(homeless) });
    }
  }
  const ungrown = tooBig.filter(({ draft }) => seated.ungrown.has(draft.name));
  left.push(...ungrown.flatMap(({ mover }) => (mover === null ? [] : [mover])));
  // Whoever is left without a seat is told why, as everybody sits then.
  const rest = placeVms(left, sites, freeWhenSeated(sites, seated), bookWhenSeated(desired, sites, seated), rules);
  const plan = {
    growing: [...drafts.filter((draft) => !gone.has(draft)), ...growing],
    placed: [...placed, ...rest.placed],
    ...{ aside, movedForOthers },
    blocked: [...ungrown.filter(({ mover }) => mover === null).map(blockTooBig), ...rest.blocked],
  };
  return withReasons(plan, seated);
}

function freeWhenSeated(sites: readonly Site[], { problem, nodeOf }: SeatedFleet): Map<NodeName, Amount> {
  const free = new Map(sites.map(({ node, room }) => [node.name, room]));
  for (const [vm, { wants }] of problem.vms.entries()) {
    const node = nodeOf(vm);
    const [cpus = 0, memoryMiB = 0] = wants;
    if (node !== null) free.set(node, minus(free.get(node) ?? NOTHING, { cpus, memoryMiB }));
  }
  return free;
}

function bookWhenSeated(desired: DesiredState, sites: readonly Site[], { sitters, nodeOf }: SeatedFleet): AffinityBook {
  const settled = sitters.flatMap((sitter, vm) => {
    const home = nodeOf(vm);
    if (home === null) return [];
    const { labels, placement } =
      sitter.kind === "homeless"
        ? { labels: sitter.homeless.spec.labels, placement: sitter.homeless.vm.placement }
        : sitter.neighbour;
    return [{ labels, placement, home }];
  });
  return bookOf(desired, spreadsOn(desired, sites), settled);
}
