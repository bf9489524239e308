/**
 * Why nothing fits: a set of constraints that contradict each other and are all needed for it.
 *
 *   assign.ts → [explain-conflict.ts] → say-conflict.ts
 *
 * The set is minimal: without any one of them, the others moved as they may be, there is a way, and it was found. Each is left
 * out in turn; where there is still no way, it was not part of the conflict and stays out.
 */
import { BIG, type Goal, NARROW, type SearchLimits, SeatSearch, WIDE } from "./find-seats.ts";
import type { Problem, ProblemVm } from "./problem.ts";
import { Seats } from "./seats.ts";
import { type LaidRule, Terrain } from "./terrain.ts";
import { type BrokenRule, membersOf } from "./troubles.ts";

/** What nobody found a way for: a VM that has no seat, or sits where it should not; a node that is too full; a rule that was broken. */
export type Failure =
  | { readonly kind: "seatless"; readonly vm: number }
  | { readonly kind: "overfull"; readonly node: number }
  | { readonly kind: "broken"; readonly trouble: BrokenRule };

/** One of the reasons for where a VM may live, and the nodes that it leaves, sorted. */
export interface Bound {
  readonly text: string;
  readonly nodes: readonly number[];
}

/**
 * - `allowed`: where this VM may live; `bound`: one of the reasons for that, where they are known; `othersAllowed`: where the others may, who could make room.
 * - `closed`: that some nodes take nobody, or are emptied.
 * - `room`: what nodes hold of one of `Problem.resources`.
 * - `rule`: one of `Problem.rules`.
 * - `never`: that some VMs cannot move.
 */
export type Constraint =
  | { readonly kind: "allowed" | "othersAllowed" | "closed" | "never" }
  | { readonly kind: "bound"; readonly bound: Bound }
  | { readonly kind: "room"; readonly resource: number }
  | { readonly kind: "rule"; readonly rule: number };

export interface Conflict {
  /**
   * `unplaced`: a new VM; `stays`: one that should leave its node; `overfull`: a node whose VMs want more than it has;
   * `broken`: VMs for whom a required rule does not hold, nor did at the start.
   */
  readonly kind: "unplaced" | "stays" | "overfull" | "broken";
  /** Null: it is a node's, or a rule's. */
  readonly vm: number | null;
  /** Those for whom the rule does not hold, sorted; empty where it is about no rule. */
  readonly members: readonly number[];
  /** Index into `Problem.rules` of the one that does not hold; null: it is about none. */
  readonly rule: number | null;
  /** The VM's home, or the node that is too full; null: none. */
  readonly node: number | null;
  readonly core: readonly Constraint[];
  /** The core takes for granted that the others stay where they are: the fleet is too big, or too much else is wrong, to try more. */
  readonly othersStay: boolean;
}

/** In steps of the search: for all of a fleet's conflicts together, and for one question. */
const PATIENCE = 4_000_000;
const PER_QUESTION = 800_000;
/** What is asked where not everything can be tried: whether there is a free seat as the others sit. */
const OTHERS_STAY: readonly SearchLimits[] = NARROW.slice(0, 1);
const EVERYTHING: readonly SearchLimits[] = [...NARROW.slice(0, 2), WIDE];

/** Why a VM may live only where it may: with all of them and what is closed it is allowed where it is. Null: that is not known. */
export type BoundsOf = (vm: number) => readonly Bound[] | null;

export function explainConflicts(
  terrain: Terrain,
  seats: Seats,
  failures: readonly Failure[],
  boundsOf: BoundsOf = () => null,
): Conflict[] {
  const clerk = new Clerk(terrain, seats, boundsOf);
  return failures.map((failure) => clerk.explain(failure));
}

class Clerk {
  readonly #terrain: Terrain;
  readonly #seats: Seats;
  readonly #askBounds: BoundsOf;
  readonly #bounds = new Map<number, readonly Bound[] | null>();
  #patience = PATIENCE;

  constructor(terrain: Terrain, seats: Seats, boundsOf: BoundsOf) {
    this.#terrain = terrain;
    this.#seats = seats;
    this.#askBounds = boundsOf;
  }

  explain(failure: Failure): Conflict {
    const { vms, movable } = this.#terrain;
    // Of a big fleet in which somebody could move not everything can be tried: it is not begun.
    const wide = vms > BIG && movable.includes(1) ? null : this.#findCore(failure, EVERYTHING);
    const core = wide ?? this.#findCore(failure, OTHERS_STAY) ?? [];
    const of = { core, othersStay: wide === null, members: [], rule: null };
    if (failure.kind === "overfull") return { ...of, kind: "overfull", vm: null, node: failure.node };
    if (failure.kind === "broken")
      return {
        ...of,
        ...{ kind: "broken", vm: null, node: null, rule: failure.trouble.rule.index },
        members: membersOf(this.#seats, failure.trouble),
      };
    const { vm } = failure;
    const home = this.#terrain.home[vm]!;
    const kind = home < 0 ? "unplaced" : "stays";
    return { ...of, kind, vm, node: home < 0 ? null : home };
  }

  #boundsOf(failure: Failure): readonly Bound[] | null {
    if (failure.kind !== "seatless") return null;
    const known = this.#bounds.get(failure.vm);
    const bounds = known === undefined ? this.#askBounds(failure.vm) : known;
    this.#bounds.set(failure.vm, bounds);
    return bounds;
  }

  /** Null: nobody can say, as not everything could be tried, or there is a way after all. */
  #findCore(failure: Failure, limits: readonly SearchLimits[]): Constraint[] | null {
    const dropped: Constraint[] = [];
    const core: Constraint[] = [];
    // Many constraints are no part of it: they are left out together, and one by one only where that opens a way.
    const shrink = (some: readonly Constraint[]): boolean => {
      if (some.length === 0) return true;
      dropped.push(...some);
      const way = this.#hasWay(failure, dropped, limits);
      if (way === null) return false;
      if (!way) return true;
      dropped.length -= some.length;
      if (some.length === 1) core.push(...some);
      const half = some.length >> 1;
      return some.length === 1 || (shrink(some.slice(0, half)) && shrink(some.slice(half)));
    };
    if (this.#hasWay(failure, dropped, limits) !== false) return null;
    return shrink(this.#constraintsOn(failure)) ? core : null;
  }

  /** In the order in which they are given up: what is left is told, and a VM's own placement and the room it lacks say most. */
  #constraintsOn(failure: Failure): Constraint[] {
    const { problem, movable, allowed, rules } = this.#terrain;
    const bounds = this.#boundsOf(failure);
    const all: Constraint[] = [];
    if (movable.includes(0)) all.push({ kind: "never" });
    if (allowed.some((mask) => mask.includes(0))) all.push({ kind: "othersAllowed" });
    for (const { index, rule } of rules) if (rule.weight === null) all.push({ kind: "rule", rule: index });
    if (this.#terrain.closed.includes(1)) all.push({ kind: "closed" });
    for (const resource of problem.resources.keys()) all.push({ kind: "room", resource });
    if (bounds === null) all.push({ kind: "allowed" });
    else for (const bound of bounds) all.push({ kind: "bound", bound });
    return all;
  }

  #hasWay(failure: Failure, dropped: readonly Constraint[], limits: readonly SearchLimits[]): boolean | null {
    if (this.#patience <= 0) return null;
    const vm = failure.kind === "seatless" ? failure.vm : -1;
    const bounds = this.#boundsOf(failure)?.filter((bound) => !isAmong(dropped, bound)) ?? null;
    const terrain = new Terrain(relax(this.#terrain.problem, this.#seats.at, { vm, bounds }, dropped));
    const seats = new Seats(terrain);
    const home = vm < 0 ? -1 : terrain.home[vm]!;
    if (home >= 0 && terrain.leaving[home] === 0 && terrain.allowed[vm]![home] === 1) return true;
    if (vm >= 0 && terrain.movable[vm] === 0) return false;
    if (vm >= 0) seats.lift(vm);
    const goal = failure.kind === "seatless" ? { seatless: [vm], troubles: [] } : troubleOf(failure, terrain, dropped);
    if (goal === null) return true;
    const search = new SeatSearch(seats, PER_QUESTION);
    const found = limits.some((each) => search.find(goal, each) !== null);
    this.#patience -= PER_QUESTION - search.patience + terrain.nodes + terrain.vms;
    // That nobody leaves for it is a question that is always answered in full.
    return found ? true : search.isCertain || limits === OTHERS_STAY ? false : null;
  }
}

const isAmong = (dropped: readonly Constraint[], bound: Bound): boolean =>
  dropped.some((each) => each.kind === "bound" && each.bound === bound);

/** The same trouble in another terrain; null: it is none there. */
function troubleOf(
  failure: Exclude<Failure, { readonly kind: "seatless" }>,
  terrain: Terrain,
  dropped: readonly Constraint[],
): Goal | null {
  if (failure.kind === "overfull") return { seatless: [], troubles: [{ kind: "overfull", node: failure.node }] };
  const { trouble } = failure;
  const { index } = trouble.rule;
  if (dropped.some((each) => each.kind === "rule" && each.rule === index)) return null;
  const rule = terrain.rules.find((each) => each.index === index) as LaidRule;
  return { seatless: [], troubles: [{ ...trouble, rule }] };
}

/** More than any node has, and small enough that sums stay exact. */
const PLENTY = 2 ** 45;

/** The problem from where everybody sits now, without these constraints. What is not right now is forgiven as it was at the start. */
function relax(
  problem: Problem,
  at: Int32Array,
  subject: { readonly vm: number; readonly bounds: readonly Bound[] | null },
  dropped: readonly Constraint[],
): Problem {
  const isDropped = (kind: Constraint["kind"]): boolean => dropped.some((each) => each.kind === kind);
  const plenty = new Set(dropped.flatMap((each) => (each.kind === "room" ? [each.resource] : [])));
  const ruleless = new Set(dropped.flatMap((each) => (each.kind === "rule" ? [each.rule] : [])));
  const [anywhere, othersAnywhere, open, free] = (["allowed", "othersAllowed", "closed", "never"] as const).map(
    isDropped,
  );
  const allowedOf = (vm: ProblemVm, index: number): readonly number[] | null => {
    if (index !== subject.vm) return othersAnywhere ? null : vm.allowed;
    if (subject.bounds === null) return anywhere ? null : vm.allowed;
    const [first, ...others] = subject.bounds;
    return first?.nodes.filter((node) => others.every(({ nodes }) => nodes.includes(node))) ?? null;
  };
  return {
    ...problem,
    nodes: problem.nodes.map((node) => ({
      ...node,
      ...(open && { closed: false, leaving: false }),
      room: node.room.map((amount, r) => (plenty.has(r) ? PLENTY : amount)),
    })),
    vms: problem.vms.map((vm, index) => ({
      ...vm,
      home: at[index]!,
      allowed: allowedOf(vm, index),
      moves: vm.moves === "never" && vm.home >= 0 && !free ? "never" : "live",
    })),
    // Each keeps its index: one that is left out is a wish of no weight.
    rules: problem.rules.map((rule, index) => (ruleless.has(index) ? { ...rule, weight: 0 } : rule)),
  };
}
