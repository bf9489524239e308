/**
 * One try to seat a whole fleet, with some VMs held back: those stay as they are.
 *
 *   find-seats.ts, best-seat.ts → [attempt.ts] → assign.ts
 */
import { SeatChooser } from "./best-seat.ts";
import { findDepartures } from "./departures.ts";
import type { Failure } from "./explain-conflict.ts";
import { type Goal, NARROW, SeatSearch, WIDE } from "./find-seats.ts";
import { inSeatingOrder } from "./seating-order.ts";
import { Seats } from "./seats.ts";
import { EACH_MOVE, type LaidRule, type Terrain } from "./terrain.ts";
import { type BrokenRule, brokenRules, nameOfTrouble, type Trouble } from "./troubles.ts";

/** In steps of the search: what a whole fleet's may take. */
const PATIENCE = 10_000_000;
const CHEAPER_STEPS = 1_500_000;

export class Attempt {
  readonly seats: Seats;
  readonly failed: Failure[] = [];
  readonly #terrain: Terrain;
  readonly #heldBack: ReadonlySet<number>;
  readonly #search: SeatSearch;
  readonly #chooser: SeatChooser;
  readonly #overfullAtStart: readonly number[];
  readonly #cured: Trouble[] = [];
  /** What no way was found for, and how often somebody had been seated by then. */
  readonly #inVain = new Map<string, number>();
  #changes = 0;
  readonly #masks = new Map<Uint8Array, number>();
  readonly #brokenAtStart: readonly BrokenRule[];
  readonly #unhoused = new Set<number>();
  readonly #mustLeave = new Set<number>();
  /** What all that must be done costs at the least, in MiB. */
  #least = 0;

  constructor(terrain: Terrain, heldBack: ReadonlySet<number>) {
    this.#terrain = terrain;
    this.#heldBack = heldBack;
    this.seats = new Seats(terrain);
    this.#overfullAtStart = range(terrain.nodes).filter(
      (node) => this.seats.isOverfull(node) && terrain.problem.nodes[node]?.mayStayOverfull !== true,
    );
    const goes = (vm: number): boolean => terrain.problem.vms[vm]?.goes === true;
    this.#brokenAtStart = [...brokenRules(this.seats)].filter(
      (trouble) => trouble.kind !== "pair" || !(goes(trouble.one) || goes(trouble.other)),
    );
    this.#search = new SeatSearch(this.seats, PATIENCE);
    this.#chooser = new SeatChooser(this.seats);
  }

  /** Who is new, or must leave. */
  get seatedAnew(): readonly number[] {
    return range(this.#terrain.vms).filter((vm) => this.#terrain.home[vm]! < 0 || this.#mustLeave.has(vm));
  }

  run(): { readonly unhoused: readonly number[] } {
    const { vms, home } = this.#terrain;
    const late = this.#seatAll(this.#liftThoseWhoMustLeave());
    const crowded = this.#worstFirst().filter((node) => !this.#relieve(node));
    const fresh = range(vms).filter((vm) => home[vm]! < 0 && !this.#heldBack.has(vm));
    // Who belongs to one that was not seated yet could not be.
    this.#settleAccounts(this.#seatAll([...late, ...fresh]), crowded);
    this.#mendWhatMovingBroke();
    if (this.#unhoused.size > 0) return { unhoused: [...this.#unhoused] };
    for (const node of this.#overfullAtStart)
      if (!this.seats.isOverfull(node)) this.#cured.push({ kind: "overfull", node });
    for (const vm of this.#heldBack) if (this.seats.at[vm] === home[vm]) this.failed.push({ kind: "seatless", vm });
    this.#tryAgain();
    for (let before = Number.POSITIVE_INFINITY; this.failed.length < before; this.#tryAgain()) {
      before = this.failed.length;
      this.#cureRules();
      this.#tryCheaper();
      this.#sendHome();
      this.#settleWell();
      if (before === 0) break;
    }
    for (const trouble of this.#brokenAtStart)
      if (this.#search.isSo(trouble)) this.failed.push({ kind: "broken", trouble });
    return { unhoused: [] };
  }

  /** Those who failed, now that all others have their seats: whom they needed may have come, or gone. */
  #tryAgain(): void {
    const { movable, home } = this.#terrain;
    const isDone = (failure: Failure): boolean => {
      if (failure.kind === "overfull") return this.#relieve(failure.node);
      if (failure.kind === "broken") return this.#find({ seatless: [], troubles: [failure.trouble] });
      const { vm } = failure;
      if (movable[vm] === 0) return false;
      this.seats.lift(vm);
      const isSeated = this.#find({ seatless: [vm], troubles: [] });
      if (!isSeated && home[vm]! >= 0) this.seats.seat(vm, home[vm]!);
      return isSeated;
    };
    for (let before = Number.POSITIVE_INFINITY; this.failed.length > 0 && this.failed.length < before; ) {
      before = this.failed.length;
      const left = this.failed.filter((failure) => !isDone(failure));
      this.failed.splice(0, before, ...left);
    }
  }

  #shouldLeave(vm: number): boolean {
    const { home, leaving, allowed } = this.#terrain;
    const node = home[vm]!;
    return node >= 0 && (leaving[node] === 1 || allowed[vm]![node] === 0);
  }

  #liftThoseWhoMustLeave(): number[] {
    const { vms, movable, cost } = this.#terrain;
    const must = range(vms).filter((vm) => !this.#heldBack.has(vm) && this.#shouldLeave(vm));
    const able = must.filter((vm) => movable[vm] === 1);
    for (const vm of must) if (movable[vm] === 0) this.failed.push({ kind: "seatless", vm });
    for (const vm of able) {
      this.seats.lift(vm);
      this.#mustLeave.add(vm);
      this.#least += cost[vm]!;
    }
    return able;
  }

  /**
   * The best seats in turn; those who found none try again when all others sit, and then others may have to leave for them.
   * Says who found none.
   */
  #seatAll(vms: readonly number[]): number[] {
    const seat = (vm: number): boolean => {
      const node = this.#chooser.choose(vm);
      if (node < 0) return false;
      this.seats.seat(vm, node);
      this.#changes++;
      return true;
    };
    let waiting = inSeatingOrder(this.#terrain, vms);
    for (const way of [seat, (vm: number) => this.#find({ seatless: [vm], troubles: [] })])
      for (let before = Number.POSITIVE_INFINITY; waiting.length > 0 && waiting.length < before; ) {
        before = waiting.length;
        waiting = waiting.filter((vm) => !way(vm));
      }
    return waiting;
  }

  /** Those for whom no way was found one by one: all at once, as they may need one another, or else as many as can be. */
  #settleAccounts(waiting: readonly number[], crowded: readonly number[]): void {
    const troubles = crowded.map((node): Trouble => ({ kind: "overfull", node }));
    const isOneAlone = waiting.length + crowded.length < 2;
    if (!isOneAlone && this.#find({ seatless: waiting, troubles })) return;
    const { home } = this.#terrain;
    for (const vm of waiting) if (home[vm]! >= 0 && !this.#find({ seatless: [vm], troubles: [] })) this.#giveUp(vm);
    // Who belongs to one that went home again knows only now where that is.
    const fresh = waiting.filter((vm) => home[vm]! < 0);
    for (const vm of this.#seatAll(fresh)) this.failed.push({ kind: "seatless", vm });
    for (const node of crowded) if (!this.#relieve(node)) this.failed.push({ kind: "overfull", node });
  }

  /** Back to where it was; where others were given its room meanwhile, it is to be held back from the start. */
  #giveUp(vm: number): void {
    const home = this.#terrain.home[vm]!;
    this.#changes++;
    if (this.seats.fits(vm, home) && this.seats.isForgivenAtHome(vm)) {
      this.seats.seat(vm, home);
      this.failed.push({ kind: "seatless", vm });
    } else this.#unhoused.add(vm);
  }

  /** Wider and wider, until there is a way. Asked again while nobody has moved, it is still not there. */
  #find(goal: Goal): boolean {
    const seatless = goal.seatless.map((vm) => this.#kindOf(vm));
    const question = `${seatless.join()} ${goal.troubles.map(nameOfTrouble).join()}`;
    if (this.#inVain.get(question) === this.#changes) return false;
    const troubles = [...goal.troubles, ...this.#cured.filter(({ kind }) => kind !== "overfull")];
    for (const limits of [...NARROW, WIDE]) {
      if (this.#search.find({ ...goal, troubles }, limits) !== null) {
        this.#changes++;
        return true;
      }
      if (this.#search.isCertain) break;
    }
    this.#inVain.set(question, this.#changes);
    return false;
  }

  /** New ones that want the same and may go to the same nodes: what was in vain for one of them is for the others. */
  #kindOf(vm: number): string {
    const { home, requiredOf, allowed, wants, resources } = this.#terrain;
    if (home[vm]! >= 0 || requiredOf[vm]!.length > 0) return String(vm);
    const mask = allowed[vm]!;
    const place = this.#masks.get(mask) ?? this.#masks.size;
    this.#masks.set(mask, place);
    return `new ${place} ${wants.slice(vm * resources, (vm + 1) * resources).join("/")}`;
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

  #relieve(node: number): boolean {
    return this.#find({ seatless: [], troubles: [{ kind: "overfull", node }] });
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
      for (const vm of this.#culprits(rule, troubles)) this.#unhoused.add(vm);
    }
  }

  /** Who was seated anew and is to be held back, so that a rule holds: those whose trouble it is, or else whoever is in it. */
  #culprits(rule: LaidRule, troubles: readonly Trouble[]): number[] {
    const { home } = this.#terrain;
    const isAnew = (vm: number): boolean =>
      this.seats.at[vm]! >= 0 && (home[vm]! < 0 || (this.#mustLeave.has(vm) && this.seats.at[vm] !== home[vm]));
    const isMeant = (vm: number): boolean =>
      troubles.some(
        (each) =>
          (each.kind === "lonely" && each.vm === vm) ||
          (each.kind === "crowded" && each.domain === rule.domainOf[this.seats.at[vm]!]),
      );
    const anew = [...new Set([...rule.subjects, ...rule.others])].filter(isAnew);
    const meant = anew.filter((vm) => rule.isSubject.has(vm) && isMeant(vm));
    return meant.length > 0 ? meant : anew;
  }

  /** Rules that did not hold at the start are made to hold where that is possible; what was put right is not undone for the next. */
  #cureRules(): void {
    let left = this.#brokenAtStart.filter((trouble) => !this.#cured.includes(trouble));
    for (let before = Number.POSITIVE_INFINITY; left.length > 0 && left.length < before; ) {
      before = left.length;
      left = left.filter((trouble) => {
        const isCured = !this.#search.isSo(trouble) || this.#find({ seatless: [], troubles: [trouble] });
        if (isCured) this.#cured.push(trouble);
        return !isCured;
      });
    }
  }

  #costNow(): number {
    const { home, cost } = this.#terrain;
    return this.seats.at.reduce((sum, node, vm) => sum + (home[vm]! < 0 || node === home[vm] ? 0 : cost[vm]!), 0);
  }

  /** All that was done, once more from the start and at once, for less. Small fleets are searched through; big ones as far as patience goes. */
  #tryCheaper(): void {
    const now = this.#costNow();
    if (now <= this.#least + EACH_MOVE / 2) return;
    const { seats } = this;
    const fresh = new Seats(this.#terrain);
    const { home } = this.#terrain;
    const seatless = range(this.#terrain.vms).filter(
      (vm) => seats.at[vm]! >= 0 && (home[vm]! < 0 || this.#shouldLeave(vm)) && seats.at[vm] !== home[vm],
    );
    for (const vm of seatless) fresh.lift(vm);
    const search = new SeatSearch(fresh, CHEAPER_STEPS);
    if (search.find({ seatless, troubles: this.#cured }, WIDE, now - EACH_MOVE / 2) === null) return;
    for (let vm = 0; vm < this.#terrain.vms; vm++) if (seats.at[vm] !== fresh.at[vm]) seats.lift(vm);
    for (let vm = 0; vm < this.#terrain.vms; vm++)
      if (seats.at[vm]! < 0 && fresh.at[vm]! >= 0) seats.seat(vm, fresh.at[vm]!);
  }

  /** Nobody moves who need not: who could as well be at home goes there. */
  #sendHome(): void {
    this.#changes++;
    const { vms, home, resources } = this.#terrain;
    for (let again = true; again; ) {
      again = false;
      for (let vm = 0; vm < vms; vm++) {
        const node = this.seats.at[vm]!;
        if (home[vm]! < 0 || node === home[vm] || node < 0) continue;
        this.seats.lift(vm);
        // Of what its node lacks whoever leaves, there is no reason to leave it.
        const hasRoom = range(resources).every(
          (r) => this.seats.hasRoom(vm, home[vm]!, r) || this.seats.lacks(home[vm]!, r),
        );
        const mayStay = hasRoom && this.seats.mayReturn(vm);
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
