/**
 * Makes room: seats for those who have none, by letting others leave theirs, with the fewest moved bytes.
 *
 *   departures.ts → [find-seats.ts] → assign.ts, explain.ts
 *
 * Depth first with a bound: one that is to be seated takes a node, whoever must leave for it joins those who are to be seated,
 * and nobody who was seated here is asked to leave again. So each try ends, and with wide limits every seating is found that
 * can be: any that is right names, at each branch, whom it moves and where to. Narrow limits make it quick on big fleets.
 */
import { findDepartures } from "./departures.ts";
import { APART, CLOSED, NOT_ALLOWED, type Seats } from "./seats.ts";
import type { LaidRule } from "./terrain.ts";
import type { Trouble } from "./troubles.ts";

export interface Goal {
  /** VMs that sit nowhere. */
  readonly seatless: readonly number[];
  readonly troubles: readonly Trouble[];
}

export interface SearchLimits {
  /** How many may have to leave for others, along one try. */
  readonly departures: number;
  /** How many nodes with room are tried for each VM, and how many where somebody must leave. */
  readonly nodes: number;
  readonly crowdedNodes: number;
  readonly sets: number;
  /** Whether nodes are tried that only a later move makes right by `together` and `spread`. */
  readonly detours: boolean;
  /** Steps of about the same length, all told; a bound on time that is the same on every machine. */
  readonly steps: number;
}

export const NARROW: readonly SearchLimits[] = [
  { departures: 0, nodes: 3, crowdedNodes: 0, sets: 24, detours: false, steps: 200_000 },
  { departures: 1, nodes: 2, crowdedNodes: 16, sets: 4, detours: false, steps: 300_000 },
  { departures: 3, nodes: 2, crowdedNodes: 8, sets: 4, detours: false, steps: 600_000 },
  { departures: 8, nodes: 2, crowdedNodes: 6, sets: 3, detours: false, steps: 1_000_000 },
];
/** Ten VMs have at most 252 sets of which none holds another. */
export const WIDE: SearchLimits = {
  departures: Number.POSITIVE_INFINITY,
  nodes: Number.POSITIVE_INFINITY,
  crowdedNodes: Number.POSITIVE_INFINITY,
  sets: 400,
  detours: true,
  steps: 2_000_000,
};

/** In a fleet of so many, what a search has not found after some steps it does not find after many: it cannot try everything. */
export const BIG = 2_000;
const STEPS_OF_BIG = 300_000;

interface Branch {
  readonly node: number;
  readonly leave: readonly number[];
  /** Lower is tried first: detours last, then by cost, then by how many leave. */
  readonly isDetour: boolean;
  readonly cost: number;
  readonly order: number;
}

/** A seating as it differs from the one that the search began with. */
type Seating = readonly (readonly [vm: number, node: number])[];

const NOWHERE = -2;

export class SeatSearch {
  readonly #seats: Seats;
  /** Seated here: not asked to leave again. */
  readonly #fixed: Uint8Array;
  /** The node that a VM was asked to leave: it does not go back there. */
  readonly #left: Int32Array;
  readonly #touched = new Set<number>();
  readonly #seatless: number[] = [];
  readonly #buffers: Uint8Array[] = [];
  readonly #needs: Float64Array;
  #limits: SearchLimits = WIDE;
  #troubles: readonly Trouble[] = [];
  #steps = 0;
  #bound = 0;
  #cost = 0;
  #departed = 0;
  #best: Seating | null = null;
  #hasSkipped = false;
  /** Of all searches: what is left of the fleet's share of patience. */
  #patience: number;

  constructor(seats: Seats, patience: number) {
    const { vms, resources } = seats.terrain;
    this.#seats = seats;
    this.#fixed = new Uint8Array(vms);
    this.#left = new Int32Array(vms).fill(NOWHERE);
    this.#needs = new Float64Array(resources);
    this.#patience = patience;
  }

  /** Whether the last search, if it found no way, tried everything: then there is none. */
  get isCertain(): boolean {
    return !this.#hasSkipped && this.#steps > 0;
  }

  get patience(): number {
    return this.#patience;
  }

  /**
   * Seats everybody of the goal and puts its troubles right for less than `bound` MiB more than now, and says what that cost;
   * null: it found no way, and everybody sits where they sat.
   */
  find(goal: Goal, limits: SearchLimits, bound: number = Number.POSITIVE_INFINITY): number | null {
    this.#limits = limits;
    this.#troubles = goal.troubles;
    this.#bound = bound;
    this.#cost = goal.seatless.reduce((sum, vm) => sum + this.#least(vm), 0);
    this.#departed = 0;
    this.#best = null;
    this.#hasSkipped = limits !== WIDE;
    this.#steps = Math.min(limits.steps, this.#patience, this.#seats.terrain.vms > BIG ? STEPS_OF_BIG : limits.steps);
    const granted = this.#steps;
    for (const vm of goal.seatless) {
      this.#seatless.push(vm);
      this.#touched.add(vm);
    }
    this.#descend(0);
    this.#seatless.length = 0;
    this.#touched.clear();
    this.#patience -= granted - Math.max(0, this.#steps);
    return this.#take();
  }

  /** The best seating that was met, if any. */
  #take(): number | null {
    const best = this.#best;
    if (best === null) return null;
    for (const [vm] of best) this.#seats.lift(vm);
    for (const [vm, node] of best) this.#seats.move(vm, node);
    return this.#bound;
  }

  /** What it costs at least that a VM without a seat gets one. */
  #least(vm: number): number {
    const { home, cost, leaving, allowed } = this.#seats.terrain;
    const node = home[vm]!;
    if (node < 0) return 0;
    return this.#left[vm] === node || leaving[node] === 1 || allowed[vm]![node] === 0 ? cost[vm]! : 0;
  }

  #costAt(vm: number, node: number): number {
    const { home, cost } = this.#seats.terrain;
    return home[vm]! < 0 || home[vm] === node ? 0 : cost[vm]!;
  }

  #descend(depth: number): void {
    if (this.#steps <= 0 || this.#cost >= this.#bound) return;
    this.#steps -= 1 + this.#troubles.length;
    const trouble = this.#troubles.find((each) => this.isSo(each));
    if (trouble !== undefined) this.#putRight(trouble, depth);
    else if (this.#seatless.length === 0) this.#arrive(depth);
    else this.#seatNext(depth);
  }

  /** All sit. What their moving broke, and no rule of two says beforehand, is put right, or the try was in vain. */
  #arrive(depth: number): void {
    const rules = new Set<LaidRule>();
    for (const vm of this.#touched)
      for (const laid of this.#seats.terrain.requiredOf[vm]!) if (laid.rule.kind !== "apart") rules.add(laid);
    for (const laid of rules) {
      this.#steps -= laid.subjects.length;
      if (!this.#seats.isBroken(laid)) continue;
      if (this.#limits.detours) this.#letOneLeave([...laid.isSubject, ...laid.isOther], depth);
      return;
    }
    this.#bound = this.#cost;
    this.#best = [...this.#touched].map((vm) => [vm, this.#seats.at[vm]!] as const);
  }

  /** Whether it is still so, as everybody sits now. */
  isSo(trouble: Trouble): boolean {
    const { at } = this.#seats;
    switch (trouble.kind) {
      case "overfull":
        return this.#seats.isOverfull(trouble.node);
      case "pair": {
        const { domainOf } = trouble.rule;
        const [one, other] = [at[trouble.one]!, at[trouble.other]!];
        return one >= 0 && other >= 0 && domainOf[one]! >= 0 && domainOf[one] === domainOf[other];
      }
      // While somebody of the rule has no seat, nobody can say.
      case "lonely":
        return this.#seatless.length === 0 && this.#seats.lonely(trouble.rule, false).includes(trouble.vm);
      case "crowded":
        return this.#seatless.length === 0 && this.#seats.crowded(trouble.rule, false).includes(trouble.domain);
    }
  }

  #putRight(trouble: Trouble, depth: number): void {
    if (trouble.kind === "overfull") this.#relieve(trouble.node, depth);
    else if (trouble.kind === "pair") this.#letOneLeave([trouble.one, trouble.other], depth);
    else this.#letOneLeave([...trouble.rule.isSubject, ...trouble.rule.isOther], depth);
  }

  #relieve(node: number, depth: number): void {
    const { resources } = this.#seats.terrain;
    for (let r = 0; r < resources; r++) this.#needs[r] = -this.#seats.free[node * resources + r]!;
    for (const { vms } of this.#departuresFrom(node, this.#needs, this.#limits.sets, []))
      this.#without(vms, () => this.#descend(depth + 1));
  }

  /** One of these goes to another node: those first who cost least. */
  #letOneLeave(vms: readonly number[], depth: number): void {
    const some = [...new Set(vms)].filter((vm) => this.#mayLeave(vm) && this.#seats.at[vm]! >= 0);
    const price = (vm: number): number => this.#priceOf(vm);
    some.sort((a, b) => price(a) - price(b) || a - b);
    for (const vm of some.slice(0, this.#limits.detours ? some.length : this.#limits.crowdedNodes + 2))
      this.#without([vm], () => this.#descend(depth + 1));
  }

  readonly #mayLeave = (vm: number): boolean => this.#seats.terrain.movable[vm] === 1 && this.#fixed[vm] === 0;

  /** Who is away from home already costs nothing more to be put elsewhere. */
  readonly #priceOf = (vm: number): number => {
    const { home, cost } = this.#seats.terrain;
    return this.#seats.at[vm] === home[vm] ? cost[vm]! : 0;
  };

  #departuresFrom(node: number, needs: Float64Array, sets: number, besides: readonly number[]) {
    const { departures, tries, isAll } = findDepartures(
      this.#seats,
      node,
      needs,
      (vm) => this.#mayLeave(vm) && !besides.includes(vm),
      this.#priceOf,
      { sets, cost: this.#bound - this.#cost, tries: this.#limits.detours ? 20_000 : 4000 },
    );
    if (!isAll) this.#hasSkipped = true;
    this.#steps -= tries + this.#seats.on(node).length;
    return departures;
  }

  /** Goes on with these seated nowhere, and afterwards puts them back. */
  #without(vms: readonly number[], goOn: () => void): void {
    const { at } = this.#seats;
    const before = vms.map((vm) => ({ vm, node: at[vm]!, left: this.#left[vm]!, isNew: !this.#touched.has(vm) }));
    const cost = this.#cost;
    for (const { vm, node } of before) {
      this.#cost -= this.#costAt(vm, node);
      this.#left[vm] = node;
      this.#cost += this.#least(vm);
      this.#seats.lift(vm);
      this.#seatless.push(vm);
      this.#touched.add(vm);
    }
    goOn();
    for (const { vm, node, left, isNew } of before) {
      this.#seats.seat(vm, node);
      this.#left[vm] = left;
      this.#seatless.splice(this.#seatless.lastIndexOf(vm), 1);
      if (isNew) this.#touched.delete(vm);
    }
    this.#cost = cost;
  }

  #seatNext(depth: number): void {
    const vm = this.#hardest();
    this.#seatless.splice(this.#seatless.lastIndexOf(vm), 1);
    const least = this.#least(vm);
    for (const { node, leave, isDetour } of this.#branches(vm, depth)) {
      if (this.#steps <= 0) break;
      const cost = this.#cost;
      const bound = this.#bound;
      this.#cost += this.#costAt(vm, node) - least;
      if (this.#cost < this.#bound) {
        this.#departed += leave.length;
        this.#without(leave, () => {
          this.#seats.seat(vm, node);
          this.#fixed[vm] = 1;
          this.#descend(depth + 1);
          this.#fixed[vm] = 0;
          this.#seats.lift(vm);
        });
        this.#departed -= leave.length;
      }
      const wasLast = this.#seatless.length === 0 && leave.length === 0 && !isDetour;
      // The last one sits as cheaply as it can, and nobody had to move after it: another node with room would be no better.
      const isSettled = wasLast && this.#bound < bound && this.#bound <= this.#cost;
      this.#cost = cost;
      if (isSettled) break;
    }
    this.#seatless.push(vm);
  }

  /** Who has the fewest nodes to go to goes first, then the biggest. */
  #hardest(): number {
    const { problem, wants, resources } = this.#seats.terrain;
    const choice = (vm: number): number => problem.vms[vm]!.allowed?.length ?? Number.POSITIVE_INFINITY;
    const isHarder = (a: number, b: number): boolean => {
      if (choice(a) !== choice(b)) return choice(a) < choice(b);
      for (let r = resources - 1; r >= 0; r--) {
        const [one, other] = [wants[a * resources + r]!, wants[b * resources + r]!];
        if (one !== other) return one > other;
      }
      return a < b;
    };
    return this.#seatless.reduce((hardest, vm) => (isHarder(vm, hardest) ? vm : hardest));
  }

  #branches(vm: number, depth: number): Branch[] {
    const seats = this.#seats;
    const { nodes, home } = seats.terrain;
    this.#buffers[depth] ??= new Uint8Array(nodes);
    const objections = this.#buffers[depth];
    seats.objections(vm, objections);
    this.#steps -= nodes >> 2;
    if (home[vm]! >= 0) {
      if (seats.terrain.leaving[home[vm]!] === 0) objections[home[vm]!]! &= ~CLOSED;
      if (this.#left[vm] !== home[vm] && seats.mayReturn(vm)) objections[home[vm]!] = 0;
    }
    const direct: Branch[] = [];
    const crowded: { node: number; lack: number }[] = [];
    for (let node = 0; node < nodes; node++) {
      const against = objections[node]!;
      if ((against & (NOT_ALLOWED | CLOSED)) !== 0 || node === this.#left[vm]) continue;
      const isDetour = (against & ~APART) !== 0;
      if (isDetour && !this.#limits.detours) continue;
      if ((against & APART) === 0 && seats.fits(vm, node)) {
        const [cost, order] = [this.#costAt(vm, node), seats.fullness(vm, node)];
        enterBranch(direct, { node, leave: [], isDetour, cost, order }, this.#limits.nodes);
      } else if (this.#departed < this.#limits.departures && seats.couldFit(vm, node))
        crowded.push({ node, lack: this.#lack(vm, node) });
    }
    if (crowded.length === 0) return direct;
    // A node that lacks little is likely to be cleared cheaply; where all are tried, their order matters less.
    crowded.sort((a, b) => a.lack - b.lack || a.node - b.node);
    const branches: Branch[] = [...direct];
    for (const { node } of crowded.slice(0, this.#limits.crowdedNodes)) {
      const isDetour = (objections[node]! & ~APART) !== 0;
      branches.push(...this.#clearings(vm, node, (objections[node]! & APART) !== 0, isDetour));
    }
    return branches.sort(compareBranches);
  }

  /** How many VMs like this one would have to go, so to speak: of the resource that is scarcest. */
  #lack(vm: number, node: number): number {
    const { resources, wants } = this.#seats.terrain;
    let most = 0;
    for (let r = 0; r < resources; r++) {
      const want = wants[vm * resources + r]!;
      if (want > 0) most = Math.max(most, (want - this.#seats.free[node * resources + r]!) / want);
    }
    return most;
  }

  /** The ways to clear a node for a VM. */
  #clearings(vm: number, node: number, isApart: boolean, isDetour: boolean): Branch[] {
    const seats = this.#seats;
    const { resources, wants } = seats.terrain;
    const blockers = isApart ? seats.blockers(vm, node) : [];
    if (!blockers.every(this.#mayLeave)) return [];
    for (let r = 0; r < resources; r++) {
      const want = wants[vm * resources + r]!;
      const freed = blockers.reduce(
        (sum, each) => sum + (seats.at[each] === node ? wants[each * resources + r]! : 0),
        0,
      );
      this.#needs[r] = want > 0 ? want - freed - seats.free[node * resources + r]! : 0;
    }
    const paid = blockers.reduce((sum, each) => sum + this.#priceOf(each), 0) + this.#costAt(vm, node);
    const left = this.#limits.departures - this.#departed;
    return this.#departuresFrom(node, this.#needs, this.#limits.sets, blockers)
      .filter((set) => set.vms.length + blockers.length <= left)
      .map((set) => ({
        node,
        leave: [...blockers, ...set.vms],
        isDetour,
        cost: paid + set.cost,
        order: seats.fullness(vm, node),
      }));
  }
}

function compareBranches(a: Branch, b: Branch): number {
  return (
    Number(a.isDetour) - Number(b.isDetour) ||
    a.cost - b.cost ||
    a.leave.length - b.leave.length ||
    a.order - b.order ||
    a.node - b.node
  );
}

/** Keeps the best so many, sorted. */
function enterBranch(best: Branch[], branch: Branch, most: number): void {
  if (best.length >= most && compareBranches(best[best.length - 1]!, branch) <= 0) return;
  let place = best.length;
  while (place > 0 && compareBranches(best[place - 1]!, branch) > 0) place--;
  best.splice(place, 0, branch);
  if (best.length > most) best.pop();
}
