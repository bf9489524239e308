/**
 * Why nothing fits: by filter, how many nodes are left, and a set of constraints that contradict each other and are all needed for it.
 *
 *   assign.ts → [explain-conflict.ts] → say-conflict.ts
 *
 * The set is minimal: without any one of them, the others moved as they may be, there is a way, and it was found. Each is left
 * out in turn; where there is still no way, it was not part of the conflict and stays out.
 */
import { NARROW, type SearchLimits, SeatSearch, WIDE } from "./find-seats.ts";
import type { Problem } from "./problem.ts";
import { CLOSED, NOT_ALLOWED, Seats } from "./seats.ts";
import { type LaidRule, Terrain } from "./terrain.ts";

/** What nobody found a way for: a VM that has no seat, or sits where it should not; or a node that is too full. */
export type Failure =
  | { readonly kind: "seatless"; readonly vm: number }
  | { readonly kind: "overfull"; readonly node: number };

/**
 * - `allowed`: where this VM may live; `othersAllowed`: where the others may, who could make room.
 * - `closed`: that some nodes take nobody, or are emptied.
 * - `room`: what nodes hold of one of `Problem.resources`.
 * - `rule`: one of `Problem.rules`.
 * - `never`: that some VMs cannot move.
 */
export type Constraint =
  | { readonly kind: "allowed" | "othersAllowed" | "closed" | "never" }
  | { readonly kind: "room"; readonly resource: number }
  | { readonly kind: "rule"; readonly rule: number };

/** How many nodes are left of those before, when this is asked, too. */
export interface Filter {
  readonly by: Constraint | { readonly kind: "nodes" };
  readonly left: number;
}

export interface Conflict {
  /** `unplaced`: a new VM; `stays`: one that should leave its node; `overfull`: a node whose VMs want more than it has. */
  readonly kind: "unplaced" | "stays" | "overfull";
  /** Null: it is a node's. */
  readonly vm: number | null;
  /** The VM's home, or the node that is too full; null: none. */
  readonly node: number | null;
  /** Empty where it is a node's. */
  readonly filters: readonly Filter[];
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

export function explainConflicts(terrain: Terrain, seats: Seats, failures: readonly Failure[]): Conflict[] {
  const clerk = new Clerk(terrain, seats);
  return failures.map((failure) => clerk.explain(failure));
}

class Clerk {
  readonly #terrain: Terrain;
  readonly #seats: Seats;
  #patience = PATIENCE;

  constructor(terrain: Terrain, seats: Seats) {
    this.#terrain = terrain;
    this.#seats = seats;
  }

  explain(failure: Failure): Conflict {
    const wide = this.#findCore(failure, EVERYTHING);
    const core = wide ?? this.#findCore(failure, OTHERS_STAY) ?? [];
    const of = { core, othersStay: wide === null };
    if (failure.kind === "overfull") return { ...of, kind: "overfull", vm: null, node: failure.node, filters: [] };
    const { vm } = failure;
    const home = this.#terrain.home[vm]!;
    const kind = home < 0 ? "unplaced" : "stays";
    return { ...of, kind, vm, node: home < 0 ? null : home, filters: this.#filter(vm) };
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
    return shrink(this.#constraintsOn()) ? core : null;
  }

  /** In the order in which they are given up: what is left is told, and a VM's own placement and the room it lacks say most. */
  #constraintsOn(): Constraint[] {
    const { problem, movable, allowed, rules } = this.#terrain;
    const all: Constraint[] = [];
    if (movable.includes(0)) all.push({ kind: "never" });
    if (allowed.some((mask) => mask.includes(0))) all.push({ kind: "othersAllowed" });
    for (const { index, rule } of rules) if (rule.weight === null) all.push({ kind: "rule", rule: index });
    if (this.#terrain.closed.includes(1)) all.push({ kind: "closed" });
    for (const resource of problem.resources.keys()) all.push({ kind: "room", resource });
    all.push({ kind: "allowed" });
    return all;
  }

  #hasWay(failure: Failure, dropped: readonly Constraint[], limits: readonly SearchLimits[]): boolean | null {
    if (this.#patience <= 0) return null;
    const vm = failure.kind === "seatless" ? failure.vm : -1;
    const terrain = new Terrain(relax(this.#terrain.problem, this.#seats.at, vm, dropped));
    const seats = new Seats(terrain);
    const home = vm < 0 ? -1 : terrain.home[vm]!;
    if (home >= 0 && terrain.leaving[home] === 0 && terrain.allowed[vm]![home] === 1) return true;
    if (vm >= 0 && terrain.movable[vm] === 0) return false;
    if (vm >= 0) seats.lift(vm);
    const goal =
      failure.kind === "seatless"
        ? { seatless: [vm], troubles: [] }
        : { seatless: [], troubles: [{ kind: "overfull", node: failure.node } as const] };
    const search = new SeatSearch(seats, PER_QUESTION);
    const found = limits.some((each) => search.find(goal, each) !== null);
    this.#patience -= PER_QUESTION - search.patience + terrain.nodes + terrain.vms;
    // That nobody leaves for it is a question that is always answered in full.
    return found ? true : search.isCertain || limits === OTHERS_STAY ? false : null;
  }

  #filter(vm: number): Filter[] {
    const { problem, nodes, rules, home } = this.#terrain;
    const seats = this.#seats;
    const before = seats.at[vm]!;
    seats.lift(vm);
    const against = new Uint8Array(nodes);
    seats.objections(vm, against);
    let left = Array.from({ length: nodes }, (_, node) => node);
    const filters: Filter[] = [{ by: { kind: "nodes" }, left: nodes }];
    const keep = (by: Constraint, mayStay: (node: number) => boolean, always = true) => {
      const kept = left.filter(mayStay);
      if (always || kept.length < left.length) filters.push({ by, left: kept.length });
      left = kept;
    };
    keep({ kind: "allowed" }, (node) => (against[node]! & NOT_ALLOWED) === 0, problem.vms[vm]!.allowed !== null);
    keep({ kind: "closed" }, (node) => (against[node]! & CLOSED) === 0 && node !== home[vm], false);
    for (const resource of problem.resources.keys())
      keep({ kind: "room", resource }, (node) => seats.hasRoom(vm, node, resource), false);
    for (const laid of rules) {
      if (laid.rule.weight !== null || !(laid.isSubject.has(vm) || laid.isOther.has(vm))) continue;
      const said = new Uint8Array(nodes);
      seats.object(laid, vm, said);
      keep({ kind: "rule", rule: laid.index }, (node) => said[node] === 0 && !this.#breaksAt(laid, vm, node), false);
    }
    if (before >= 0) seats.seat(vm, before);
    return filters;
  }

  /** Whether one that sits nowhere would leave another alone, or crowd a domain, by being there. */
  #breaksAt(laid: LaidRule, vm: number, node: number): boolean {
    if (laid.rule.kind === "apart") return false;
    this.#seats.seat(vm, node);
    const isBroken = this.#seats.isBroken(laid);
    this.#seats.lift(vm);
    return isBroken;
  }
}

/** More than any node has, and small enough that sums stay exact. */
const PLENTY = 2 ** 45;

/** The problem from where everybody sits now, without these constraints. What is not right now is forgiven as it was at the start. */
function relax(problem: Problem, at: Int32Array, subject: number, dropped: readonly Constraint[]): Problem {
  const isDropped = (kind: Constraint["kind"]): boolean => dropped.some((each) => each.kind === kind);
  const plenty = new Set(dropped.flatMap((each) => (each.kind === "room" ? [each.resource] : [])));
  const ruleless = new Set(dropped.flatMap((each) => (each.kind === "rule" ? [each.rule] : [])));
  const [anywhere, othersAnywhere, open, free] = (["allowed", "othersAllowed", "closed", "never"] as const).map(
    isDropped,
  );
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
      allowed: (index === subject ? anywhere : othersAnywhere) ? null : vm.allowed,
      moves: vm.moves === "never" && vm.home >= 0 && !free ? "never" : "live",
    })),
    rules: problem.rules.filter((_, index) => !ruleless.has(index)),
  };
}
