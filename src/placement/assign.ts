/**
 * Where everybody is to live, in repair mode: who may stay stays, and the few who must move go where they fit.
 *
 *   to-problem.ts → [assign.ts] → schedule/, plan/
 *
 * In this order, so that who is here already comes before who is new: those who must leave, nodes that are too full, new VMs,
 * rules that were broken before. Each takes the best free seat, or seats are made free for it (`find-seats.ts`). What nobody
 * found a way for is a conflict, and those VMs stay as they are. Same problem, same assignment: nothing here is left to chance,
 * and patience is counted in steps, not in seconds.
 */
import { SeatChooser } from "./best-seat.ts";
import { findDepartures } from "./departures.ts";
import { type Conflict, explainConflicts, type Failure } from "./explain-conflict.ts";
import { type Goal, NARROW, SeatSearch, type Trouble, WIDE } from "./find-seats.ts";
import type { Problem } from "./problem.ts";
import { Seats } from "./seats.ts";
import { Terrain } from "./terrain.ts";
import { type Move, whyMoved } from "./why-moved.ts";

export interface Assignment {
  /** VM → node, in the order of `Problem.vms`. -1: a new one that fits nowhere. One that should leave and cannot is at home. */
  readonly homes: readonly number[];
  /** Who has a home and leaves it, and why; in the order of `Problem.vms`. */
  readonly moves: readonly Move[];
  /** What could not be done, each with what stands in its way. */
  readonly conflicts: readonly Conflict[];
}

/** In steps of about a tenth of a microsecond: what a whole fleet's search for room may take. */
const PATIENCE = 60_000_000;
const CHEAPER_STEPS = 2_000_000;

export function assign(problem: Problem): Assignment {
  const terrain = new Terrain(problem);
  const heldBack = new Set<number>();
  for (;;) {
    const attempt = new Attempt(terrain, heldBack);
    const { unhoused } = attempt.run();
    // Who found no place, and whose home others were given meanwhile, keeps it, and all others are seated anew.
    if (unhoused.length === 0) return tell(terrain, attempt);
    for (const vm of unhoused) heldBack.add(vm);
  }
}

function tell(terrain: Terrain, { seats, failed }: Attempt): Assignment {
  return {
    homes: [...seats.at],
    moves: whyMoved(seats),
    conflicts: explainConflicts(terrain, seats, failed),
  };
}

class Attempt {
  readonly seats: Seats;
  readonly failed: Failure[] = [];
  readonly #terrain: Terrain;
  readonly #heldBack: ReadonlySet<number>;
  readonly #search: SeatSearch;
  readonly #chooser: SeatChooser;
  /** What each node would have left if everybody stayed. */
  readonly #freeAtStart: Float64Array;
  readonly #overfullAtStart: readonly number[];
  readonly #cured: Trouble[] = [];
  readonly #unhoused = new Set<number>();
  readonly #mustLeave = new Set<number>();
  /** What all that must be done costs at the least, in MiB. */
  #least = 0;

  constructor(terrain: Terrain, heldBack: ReadonlySet<number>) {
    this.#terrain = terrain;
    this.#heldBack = heldBack;
    this.seats = new Seats(terrain);
    this.#freeAtStart = Float64Array.from(this.seats.free);
    this.#overfullAtStart = range(terrain.nodes).filter((node) => this.seats.isOverfull(node));
    this.#search = new SeatSearch(this.seats, PATIENCE);
    this.#chooser = new SeatChooser(this.seats);
  }

  run(): { readonly unhoused: readonly number[] } {
    const mustLeave = this.#liftThoseWhoMustLeave();
    this.#seatAll(mustLeave);
    for (const node of this.#worstFirst()) this.#relieve(node);
    this.#seatAll(range(this.#terrain.vms).filter((vm) => this.#terrain.home[vm]! < 0 && !this.#heldBack.has(vm)));
    this.#mendWhatMovingBroke();
    if (this.#unhoused.size > 0) return { unhoused: [...this.#unhoused] };
    this.#cureRules();
    this.#tryCheaper();
    this.#sendHome();
    this.#settleWell();
    for (const vm of this.#heldBack) this.failed.push({ kind: "seatless", vm });
    return { unhoused: [] };
  }

  #liftThoseWhoMustLeave(): number[] {
    const { vms, home, movable, leaving, allowed, cost } = this.#terrain;
    const must = range(vms).filter((vm) => {
      const node = home[vm]!;
      return node >= 0 && !this.#heldBack.has(vm) && (leaving[node] === 1 || allowed[vm]![node] === 0);
    });
    const able = must.filter((vm) => movable[vm] === 1);
    for (const vm of must) if (movable[vm] === 0) this.failed.push({ kind: "seatless", vm });
    for (const vm of able) {
      this.seats.lift(vm);
      this.#mustLeave.add(vm);
      this.#least += cost[vm]!;
    }
    return able;
  }

  /** The best seats in turn; those who found none try again when all others sit, and then others may have to leave for them. */
  #seatAll(vms: readonly number[]): void {
    const seat = (vm: number): boolean => {
      const node = this.#chooser.choose(vm);
      if (node >= 0) this.seats.seat(vm, node);
      return node >= 0;
    };
    let waiting = this.#inOrder(vms).filter((vm) => !seat(vm));
    for (let before = vms.length; waiting.length > 0 && waiting.length < before; ) {
      before = waiting.length;
      waiting = waiting.filter((vm) => !seat(vm));
    }
    for (let before = Number.POSITIVE_INFINITY; waiting.length > 0 && waiting.length < before; ) {
      before = waiting.length;
      waiting = waiting.filter((vm) => !this.#find({ seatless: [vm], troubles: [] }));
    }
    for (const vm of waiting) this.#giveUp(vm);
  }

  #giveUp(vm: number): void {
    if (this.#terrain.home[vm]! < 0) this.failed.push({ kind: "seatless", vm });
    else if (this.#isHomeFree(vm)) {
      this.seats.seat(vm, this.#terrain.home[vm]!);
      this.failed.push({ kind: "seatless", vm });
    } else this.#unhoused.add(vm);
  }

  /** Whether it can go back to where it was without making anything worse than it was. */
  #isHomeFree(vm: number): boolean {
    const { home, resources, wants } = this.#terrain;
    for (let r = 0; r < resources; r++) {
      const at = home[vm]! * resources + r;
      const left = this.seats.free[at]! - wants[vm * resources + r]!;
      if (left < Math.min(0, this.#freeAtStart[at]!)) return false;
    }
    return this.seats.isForgivenAtHome(vm);
  }

  /** Those first who have one node to go to, because the others can go elsewhere; then the biggest; then by name. */
  #inOrder(vms: readonly number[]): number[] {
    const { allowed, closed, wants, resources } = this.#terrain;
    const choices = new Map<Uint8Array, number>();
    const isTied = (vm: number): boolean => {
      const mask = allowed[vm]!;
      const known =
        choices.get(mask) ?? mask.reduce((sum, may, node) => sum + (may === 1 && closed[node] === 0 ? 1 : 0), 0);
      choices.set(mask, known);
      return known === 1;
    };
    const rank = new Map(vms.map((vm) => [vm, isTied(vm) ? 0 : 1]));
    return [...vms].sort((a, b) => {
      if (rank.get(a) !== rank.get(b)) return rank.get(a)! - rank.get(b)!;
      for (let r = resources - 1; r >= 0; r--) {
        const difference = wants[b * resources + r]! - wants[a * resources + r]!;
        if (difference !== 0) return difference;
      }
      return a - b;
    });
  }

  /** Wider and wider, until there is a way; then once more with these limits for a cheaper one. */
  #find(goal: Goal): boolean {
    for (const limits of [...NARROW, WIDE]) {
      const cost = this.#search.find(goal, limits);
      if (cost === null) continue;
      return true;
    }
    return false;
  }

  /** Nodes that are too full, those first that cost most to relieve. */
  #worstFirst(): number[] {
    const costs = new Map(this.#overfullAtStart.map((node) => [node, this.#leastFor(node)]));
    const still = this.#overfullAtStart.filter((node) => this.seats.isOverfull(node));
    for (const node of still) this.#least += costs.get(node)!;
    return still.sort((a, b) => costs.get(b)! - costs.get(a)! || a - b);
  }

  /** What must leave a node that is too full, at the least, in MiB. */
  #leastFor(node: number): number {
    const { resources, movable, cost } = this.#terrain;
    const needs = Float64Array.from({ length: resources }, (_, r) => -this.seats.free[node * resources + r]!);
    const limits = { sets: 1, cost: Number.POSITIVE_INFINITY, tries: 4000 };
    const { departures } = findDepartures(
      this.seats,
      node,
      needs,
      (vm) => movable[vm] === 1,
      (vm) => cost[vm]!,
      limits,
    );
    return departures[0]?.cost ?? 0;
  }

  #relieve(node: number): void {
    const trouble: Trouble = { kind: "overfull", node };
    if (this.#find({ seatless: [], troubles: [trouble] })) this.#cured.push(trouble);
    else this.failed.push({ kind: "overfull", node });
  }

  /** Who moved may have left somebody alone who belongs to it, or crowded a domain. */
  #mendWhatMovingBroke(): void {
    for (const rule of this.#terrain.rules) {
      if (rule.rule.weight !== null || rule.rule.kind === "apart" || !this.seats.isBroken(rule)) continue;
      const troubles: Trouble[] =
        rule.rule.kind === "together"
          ? this.seats.lonely(rule).map((vm) => ({ kind: "lonely", rule, vm }))
          : this.seats.crowded(rule).map((domain) => ({ kind: "crowded", rule, domain }));
      if (this.#find({ seatless: [], troubles })) continue;
      const { home } = this.#terrain;
      for (const vm of [...rule.isSubject, ...rule.isOther])
        if (this.seats.at[vm]! >= 0 && this.seats.at[vm] !== home[vm]) this.#unhoused.add(vm);
    }
  }

  /** Rules that did not hold at the start are made to hold where that is possible. */
  #cureRules(): void {
    for (const rule of this.#terrain.rules) {
      if (rule.rule.weight !== null) continue;
      for (const trouble of this.#brokenAtStart(rule))
        if (this.#find({ seatless: [], troubles: [trouble] })) this.#cured.push(trouble);
    }
  }

  *#brokenAtStart(rule: Terrain["rules"][number]): Generator<Trouble> {
    const { home } = this.#terrain;
    if (rule.rule.kind === "together")
      for (const vm of this.seats.lonely(rule, false)) yield { kind: "lonely", rule, vm };
    else if (rule.rule.kind === "spread")
      for (const domain of this.seats.crowded(rule, false)) yield { kind: "crowded", rule, domain };
    else {
      const domainOf = (vm: number): number => (this.seats.at[vm]! < 0 ? -1 : rule.domainOf[this.seats.at[vm]!]!);
      const othersIn = Map.groupBy(rule.others, domainOf);
      for (const one of rule.subjects) {
        const there = domainOf(one) < 0 || home[one]! < 0 ? [] : (othersIn.get(domainOf(one)) ?? []);
        for (const other of there)
          if (other !== one && (other > one || !rule.isSubject.has(other) || !rule.isOther.has(one)))
            yield { kind: "pair", rule, one, other };
      }
    }
  }

  #costNow(): number {
    const { home, cost } = this.#terrain;
    return this.seats.at.reduce((sum, node, vm) => sum + (home[vm]! < 0 || node === home[vm] ? 0 : cost[vm]!), 0);
  }

  /** All that was done, once more from the start and at once, for less. Small fleets are searched through; big ones as far as patience goes. */
  #tryCheaper(): void {
    const now = this.#costNow();
    if (now <= this.#least + 0.5) return;
    const { seats } = this;
    const fresh = new Seats(this.#terrain);
    const { home } = this.#terrain;
    const seatless = range(this.#terrain.vms).filter(
      (vm) => seats.at[vm]! >= 0 && (home[vm]! < 0 || this.#mustLeave.has(vm)) && seats.at[vm] !== home[vm],
    );
    for (const vm of seatless) fresh.lift(vm);
    const search = new SeatSearch(fresh, CHEAPER_STEPS);
    if (search.find({ seatless, troubles: this.#cured }, { ...WIDE, steps: CHEAPER_STEPS }, now - 0.5) === null) return;
    for (let vm = 0; vm < this.#terrain.vms; vm++) if (seats.at[vm] !== fresh.at[vm]) seats.lift(vm);
    for (let vm = 0; vm < this.#terrain.vms; vm++)
      if (seats.at[vm]! < 0 && fresh.at[vm]! >= 0) seats.seat(vm, fresh.at[vm]!);
  }

  /** Nobody moves who need not: who could as well be at home goes there. */
  #sendHome(): void {
    const { vms, home } = this.#terrain;
    for (let again = true; again; ) {
      again = false;
      for (let vm = 0; vm < vms; vm++) {
        const node = this.seats.at[vm]!;
        if (home[vm]! < 0 || node === home[vm] || node < 0) continue;
        this.seats.lift(vm);
        const mayStay = this.seats.mayReturn(vm) && this.seats.fits(vm, home[vm]!);
        if (mayStay) this.seats.seat(vm, home[vm]!);
        if (mayStay && !this.#isAnythingUndone(vm)) again = true;
        else this.seats.move(vm, node);
      }
    }
  }

  /** Whether a VM's going home broke what its rules or those that were cured say. */
  #isAnythingUndone(vm: number): boolean {
    if (this.#terrain.requiredOf[vm]!.some((laid) => laid.rule.kind !== "apart" && this.seats.isBroken(laid)))
      return true;
    return this.#cured.some((trouble) => this.#search.isSo(trouble));
  }

  /** Who moves or is new and was seated in a hurry takes the best of the seats that are left. */
  #settleWell(): void {
    const { vms, home } = this.#terrain;
    for (let vm = 0; vm < vms; vm++) {
      const node = this.seats.at[vm]!;
      if (node < 0 || node === home[vm]) continue;
      this.seats.lift(vm);
      const better = this.#chooser.choose(vm);
      this.seats.seat(vm, better < 0 ? node : better);
      if (better >= 0 && better !== node && this.#isAnythingUndone(vm)) this.seats.move(vm, node);
    }
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
