/**
 * Who sits where while an assignment is looked for, what is left on each node, and what the rules say to one VM about each node.
 *
 *   terrain.ts → [seats.ts] → find-seats.ts, assign.ts
 *
 * Only amounts are kept up to date with each move. What rules say is counted when it is asked, among the few that a rule is about:
 * so a try is taken back by moving back, and nothing can be left over of it.
 */
import type { LaidRule, Terrain } from "./terrain.ts";

/** Why a VM may not go to a node, whatever the room: bits, so that nodes can be counted by what speaks against them. */
export const NOT_ALLOWED = 1;
export const CLOSED = 2;
export const APART = 4;
export const TOGETHER = 8;
export const SPREAD = 16;

export class Seats {
  readonly terrain: Terrain;
  /** VM → node; -1: it has none. */
  readonly at: Int32Array;
  /** By node and resource; below zero: too full. */
  readonly free: Float64Array;
  readonly #residents: number[][];
  readonly #place: Int32Array;
  readonly #stamp: Int32Array;
  readonly #counts: Float64Array;
  #token = 0;

  /** Everybody at home. */
  constructor(terrain: Terrain) {
    this.terrain = terrain;
    this.at = new Int32Array(terrain.vms).fill(-1);
    this.free = Float64Array.from(terrain.room);
    this.#residents = Array.from({ length: terrain.nodes }, () => []);
    this.#place = new Int32Array(terrain.vms);
    this.#stamp = new Int32Array(terrain.domains);
    this.#counts = new Float64Array(terrain.domains);
    for (let vm = 0; vm < terrain.vms; vm++) if (terrain.home[vm]! >= 0) this.seat(vm, terrain.home[vm]!);
  }

  /** In no particular order. */
  on(node: number): readonly number[] {
    return this.#residents[node]!;
  }

  seat(vm: number, node: number): void {
    const { resources, wants } = this.terrain;
    this.at[vm] = node;
    for (let r = 0; r < resources; r++) this.free[node * resources + r]! -= wants[vm * resources + r]!;
    this.#place[vm] = this.#residents[node]!.push(vm) - 1;
  }

  lift(vm: number): void {
    const { resources, wants } = this.terrain;
    const node = this.at[vm]!;
    if (node < 0) return;
    for (let r = 0; r < resources; r++) this.free[node * resources + r]! += wants[vm * resources + r]!;
    const residents = this.#residents[node]!;
    const last = residents.pop()!;
    if (last !== vm) {
      residents[this.#place[vm]!] = last;
      this.#place[last] = this.#place[vm]!;
    }
    this.at[vm] = -1;
  }

  move(vm: number, node: number): void {
    this.lift(vm);
    if (node >= 0) this.seat(vm, node);
  }

  /** Whether there is room for it. Of what it does not take, no node is too full. */
  fits(vm: number, node: number): boolean {
    const { resources } = this.terrain;
    for (let r = 0; r < resources; r++) if (!this.hasRoom(vm, node, r)) return false;
    return true;
  }

  hasRoom(vm: number, node: number, resource: number): boolean {
    const { resources, wants } = this.terrain;
    const want = wants[vm * resources + resource]!;
    return want <= 0 || want <= this.free[node * resources + resource]!;
  }

  /** Whether there would be room for it, were everybody gone who can go. */
  couldFit(vm: number, node: number): boolean {
    const { resources, wants, ceiling } = this.terrain;
    for (let r = 0; r < resources; r++) {
      const want = wants[vm * resources + r]!;
      if (want > 0 && want > ceiling[node * resources + r]!) return false;
    }
    return true;
  }

  isOverfull(node: number): boolean {
    for (let r = 0; r < this.terrain.resources; r++) if (this.lacks(node, r)) return true;
    return false;
  }

  lacks(node: number, resource: number): boolean {
    return this.free[node * this.terrain.resources + resource]! < 0;
  }

  /** How full the scarcer resource would be, were it there. */
  fullness(vm: number, node: number): number {
    const { resources, wants, room } = this.terrain;
    let fullest = Number.NEGATIVE_INFINITY;
    for (let r = 0; r < resources; r++) {
      const left = this.free[node * resources + r]! - wants[vm * resources + r]!;
      fullest = Math.max(fullest, 1 - left / Math.max(1, room[node * resources + r]!));
    }
    return fullest;
  }

  /** For a VM that sits nowhere: by node, what speaks against it. Its home is judged as any other node: see `mayReturn`. */
  objections(vm: number, into: Uint8Array): void {
    const { nodes, closed, allowed } = this.terrain;
    const mask = allowed[vm]!;
    for (let node = 0; node < nodes; node++)
      into[node] = (mask[node]! === 1 ? 0 : NOT_ALLOWED) | (closed[node]! === 1 ? CLOSED : 0);
    for (const laid of this.terrain.requiredOf[vm]!) this.object(laid, vm, into);
  }

  /** Adds what one required rule has against each node. */
  object(laid: LaidRule, vm: number, into: Uint8Array): void {
    if (laid.rule.kind === "apart") this.#objectToApart(laid, vm, into);
    else if (!laid.isSubject.has(vm)) return;
    else if (laid.rule.kind === "together") this.#objectToTogether(laid, vm, into);
    else this.#objectToSpread(laid, into);
  }

  /** Those whom a required rule does not let it be together with, were it on that node. */
  blockers(vm: number, node: number): number[] {
    const found = new Set<number>();
    for (const laid of this.terrain.requiredOf[vm]!) {
      if (laid.rule.kind !== "apart") continue;
      const domain = laid.domainOf[node]!;
      if (domain < 0) continue;
      const meet = (all: Int32Array) => {
        for (const each of all)
          if (each !== vm && this.at[each]! >= 0 && laid.domainOf[this.at[each]!] === domain) found.add(each);
      };
      if (laid.isSubject.has(vm)) meet(laid.others);
      if (laid.isOther.has(vm)) meet(laid.subjects);
    }
    return [...found];
  }

  /** Whether one that sits nowhere may go home, room or not: what was wrong there at the start is forgiven, pair by pair. */
  mayReturn(vm: number): boolean {
    const { home, leaving, allowed } = this.terrain;
    const node = home[vm]!;
    if (node < 0 || leaving[node] === 1 || allowed[vm]![node] === 0) return false;
    return this.isForgivenAtHome(vm);
  }

  /** Whether nobody who came since the start is in the way of a VM at its home. */
  isForgivenAtHome(vm: number): boolean {
    const node = this.terrain.home[vm]!;
    if (this.blockers(vm, node).some((each) => this.at[each] !== this.terrain.home[each])) return false;
    this.seat(vm, node);
    const broken = this.terrain.requiredOf[vm]!.some((laid) => laid.rule.kind !== "apart" && this.isBroken(laid));
    this.lift(vm);
    return !broken;
  }

  /** Whether a required `together` or `spread` does not hold among those who sit, where that is not forgiven. */
  isBroken(laid: LaidRule): boolean {
    return laid.rule.kind === "together" ? this.lonely(laid).length > 0 : this.crowded(laid).length > 0;
  }

  /** Subjects of a `together` without one of the others, that were not so where they are at the start. */
  lonely(laid: LaidRule, isForgiving = true): number[] {
    const { home } = this.terrain;
    const now = this.#alone(laid, this.at);
    if (now.length === 0 || !isForgiving) return now;
    const before = new Set(this.#alone(laid, home));
    return now.filter((vm) => !(before.has(vm) && this.at[vm] === home[vm]));
  }

  /** Domains with more subjects of a `spread` than it allows, that were not so crowded before or have had arrivals. */
  crowded(laid: LaidRule, isForgiving = true): number[] {
    const { home } = this.terrain;
    const now = this.#excess(laid, this.at);
    const over = [...now].filter(([, excess]) => excess > 0).map(([domain]) => domain);
    if (over.length === 0 || !isForgiving) return over;
    const before = this.#excess(laid, home);
    const arrived = new Set<number>();
    for (const vm of laid.subjects)
      if (this.at[vm]! >= 0 && this.at[vm] !== home[vm]) arrived.add(laid.domainOf[this.at[vm]!]!);
    return over.filter((domain) => arrived.has(domain) || now.get(domain)! > (before.get(domain) ?? 0));
  }

  /** What did not hold at the start: subjects alone, domains crowded, and with whom a VM was not apart. */
  aloneAtStart(laid: LaidRule): number[] {
    return this.#alone(laid, this.terrain.home);
  }

  crowdedAtStart(laid: LaidRule): number[] {
    return [...this.#excess(laid, this.terrain.home)].filter(([, excess]) => excess > 0).map(([domain]) => domain);
  }

  matesAtStart(laid: LaidRule, vm: number): number[] {
    const { home } = this.terrain;
    const domainOf = (each: number): number => (home[each]! < 0 ? -1 : laid.domainOf[home[each]!]!);
    const those = [...(laid.isSubject.has(vm) ? laid.others : []), ...(laid.isOther.has(vm) ? laid.subjects : [])];
    return those.filter((each) => each !== vm && domainOf(each) >= 0 && domainOf(each) === domainOf(vm));
  }

  /** By node, what the preferred rules would cost if it were there: lower is better. False: they say nothing. */
  preferences(vm: number, into: Float64Array): boolean {
    const preferred = this.terrain.preferredOf[vm]!;
    const { likes } = this.terrain.problem.vms[vm]!;
    for (let node = 0; node < into.length; node++) into[node] = likes === undefined ? 0 : -likes[node]!;
    for (const laid of preferred) {
      const { kind, weight } = laid.rule;
      const worth = kind === "together" ? -(weight ?? 0) : (weight ?? 0);
      const counts = this.#counts.fill(0);
      const count = (all: Int32Array, butNot?: ReadonlySet<number>) => {
        for (const each of all) {
          const isMeant = each !== vm && this.at[each]! >= 0 && !butNot?.has(each);
          const domain = isMeant ? laid.domainOf[this.at[each]!]! : -1;
          if (domain >= 0) counts[domain]!++;
        }
      };
      const isSubject = laid.isSubject.has(vm);
      if (kind === "spread") count(laid.subjects);
      else if (isSubject) count(laid.others);
      // Each pair once, whichever of the two asks for it.
      if (kind === "apart" && laid.isOther.has(vm)) count(laid.subjects, isSubject ? laid.isOther : undefined);
      if (kind === "spread" && !laid.isSubject.has(vm)) continue;
      const least = kind === "spread" ? laid.counting.reduce((min, d) => Math.min(min, counts[d]!), Infinity) : 0;
      for (let node = 0; node < into.length; node++) {
        const domain = laid.domainOf[node]!;
        if (domain < 0) continue;
        const amount = kind === "spread" ? Math.max(0, counts[domain]! + 1 - least - laid.rule.skew) : counts[domain]!;
        into[node]! += worth * amount;
      }
    }
    return preferred.length > 0 || likes !== undefined;
  }

  #objectToApart(laid: LaidRule, vm: number, into: Uint8Array): void {
    const token = ++this.#token;
    const mark = (all: Int32Array) => {
      for (const each of all) {
        if (each === vm || this.at[each]! < 0) continue;
        const domain = laid.domainOf[this.at[each]!]!;
        if (domain < 0 || this.#stamp[domain] === token) continue;
        this.#stamp[domain] = token;
        for (const node of laid.nodesIn[domain]!) into[node]! |= APART;
      }
    };
    if (laid.isSubject.has(vm)) mark(laid.others);
    if (laid.isOther.has(vm) && laid.rule.subjects !== laid.rule.others) mark(laid.subjects);
  }

  #objectToTogether(laid: LaidRule, vm: number, into: Uint8Array): void {
    const token = ++this.#token;
    let settled = 0;
    for (const each of laid.others) {
      const domain = each === vm || this.at[each]! < 0 ? -1 : laid.domainOf[this.at[each]!]!;
      if (domain < 0) continue;
      settled++;
      this.#stamp[domain] = token;
    }
    if (settled === 0 && laid.isOther.has(vm)) return;
    for (let node = 0; node < into.length; node++) {
      const domain = laid.domainOf[node]!;
      if (domain < 0 || this.#stamp[domain] !== token) into[node]! |= TOGETHER;
    }
  }

  #objectToSpread(laid: LaidRule, into: Uint8Array): void {
    const counts = this.#counts.fill(0);
    for (const each of laid.subjects) {
      const domain = this.at[each]! < 0 ? -1 : laid.domainOf[this.at[each]!]!;
      if (domain >= 0) counts[domain]!++;
    }
    let least = Infinity;
    let howMany = 0;
    for (const domain of laid.counting) {
      if (counts[domain]! < least) howMany = 0;
      if (counts[domain]! <= least) howMany++;
      least = Math.min(least, counts[domain]!);
    }
    for (let node = 0; node < into.length; node++) {
      const domain = laid.domainOf[node]!;
      if (domain < 0) continue;
      const isLastOfLeast = howMany === 1 && counts[domain] === least && laid.counting.includes(domain);
      if (counts[domain]! + 1 - (isLastOfLeast ? least + 1 : least) > laid.rule.skew) into[node]! |= SPREAD;
    }
  }

  #alone(laid: LaidRule, where: Int32Array): number[] {
    const counts = new Map<number, number>();
    let settled = 0;
    for (const each of laid.others) {
      const domain = where[each]! < 0 ? -1 : laid.domainOf[where[each]!]!;
      if (domain < 0) continue;
      settled++;
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    const alone: number[] = [];
    for (const vm of laid.subjects) {
      if (where[vm]! < 0) continue;
      const domain = laid.domainOf[where[vm]!]!;
      const itself = domain >= 0 && laid.isOther.has(vm) ? 1 : 0;
      const isFirst = laid.isOther.has(vm) && settled === itself;
      if (!isFirst && (counts.get(domain) ?? 0) === itself) alone.push(vm);
    }
    return alone;
  }

  #excess(laid: LaidRule, where: Int32Array): Map<number, number> {
    const counts = new Map<number, number>(laid.counting.map((domain) => [domain, 0]));
    for (const vm of laid.subjects) {
      const domain = where[vm]! < 0 ? -1 : laid.domainOf[where[vm]!]!;
      if (domain >= 0) counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    let least = Infinity;
    for (const domain of laid.counting) least = Math.min(least, counts.get(domain)!);
    for (const [domain, count] of counts) counts.set(domain, count - least - laid.rule.skew);
    return counts;
  }
}
