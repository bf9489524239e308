/**
 * A fleet in which one guest is moved at a time, and moved back: what the search for an order tries its moves in.
 *
 * Invariants: `used` is the sum of what every guest takes where it is; `counts` says of each required `apart` rule how many
 * of its subjects and others each domain holds; `down` how many members of each group are stopped.
 */
import type { Amounts, Problem } from "../placement/engine/problem.ts";
import { type Act, at, beyond, EPSILON, isZero } from "./act.ts";

/** One required `apart` rule, as one guest sees it. */
interface Part {
  readonly rule: number;
  readonly domainOf: readonly number[];
  readonly isSubject: boolean;
  readonly isOther: boolean;
}

/** Undoes one act of the world. Acts are undone in the opposite order. */
export type Undo = () => void;

export class World {
  readonly problem: Problem;
  /** Node of each guest; -1: it has not arrived. */
  readonly position: Int32Array;
  readonly isOff: Uint8Array;
  readonly #resources: number;
  readonly #used: Float64Array;
  readonly #now: Amounts[];
  readonly #nothing: Amounts;
  readonly #parts: readonly (readonly Part[])[];
  readonly #counts = new Map<number, number>();
  readonly #down: Int32Array;
  readonly #guests: Set<number>[];

  constructor(problem: Problem) {
    this.problem = problem;
    this.#resources = problem.resources.length;
    this.#used = new Float64Array(problem.nodes.length * this.#resources);
    this.#nothing = problem.resources.map(() => 0);
    this.#now = problem.vms.map((vm) => vm.holds);
    this.position = Int32Array.from(problem.vms, (vm) => vm.home);
    this.isOff = new Uint8Array(problem.vms.length);
    this.#down = new Int32Array(problem.groups.length);
    this.#guests = problem.nodes.map(() => new Set());
    this.#parts = partsOf(problem);
    for (const [vm, { home, holds }] of problem.vms.entries()) {
      if (home < 0) continue;
      this.#add(home, holds, 1);
      this.#seat(vm, home, 1);
      this.#guestsOf(home).add(vm);
    }
  }

  /** What it takes where it is. */
  now(vm: number): Amounts {
    return at(this.#now, vm);
  }

  guestsOn(node: number): Iterable<number> {
    return this.#guestsOf(node);
  }

  free(node: number, resource: number): number {
    return at(at(this.problem.nodes, node).room, resource) - at(this.#used, node * this.#resources + resource);
  }

  /** A resource that is not asked for does not matter, however overfull. */
  hasRoom(node: number, amounts: Amounts): boolean {
    const base = node * this.#resources;
    const { room } = at(this.problem.nodes, node);
    for (let resource = 0; resource < this.#resources; resource++) {
      const amount = at(amounts, resource);
      if (amount > 0 && at(this.#used, base + resource) + amount > at(room, resource) + EPSILON) return false;
    }
    return true;
  }

  isApart(vm: number, node: number): boolean {
    const position = at(this.position, vm);
    for (const part of at(this.#parts, vm)) {
      const domain = at(part.domainOf, node);
      if (domain < 0) continue;
      const isThere = position >= 0 && at(part.domainOf, position) === domain;
      const key = keyOf(part.rule, domain);
      const subjects = (this.#counts.get(key) ?? 0) - (isThere && part.isSubject ? 1 : 0);
      const others = (this.#counts.get(key + 1) ?? 0) - (isThere && part.isOther ? 1 : 0);
      if ((part.isSubject && others > 0) || (part.isOther && subjects > 0)) return false;
    }
    return true;
  }

  /** Whom it may not be together with if it went there. */
  foesOf(vm: number, node: number): number[] {
    const foes = new Set<number>();
    for (const { rule, domainOf, isSubject, isOther } of at(this.#parts, vm)) {
      const domain = at(domainOf, node);
      if (domain < 0) continue;
      const { subjects, others } = at(this.problem.rules, rule);
      for (const foe of [...(isSubject ? others : []), ...(isOther ? subjects : [])]) {
        const position = at(this.position, foe);
        if (foe !== vm && position >= 0 && at(domainOf, position) === domain) foes.add(foe);
      }
    }
    return [...foes].sort((a, b) => a - b);
  }

  /** Would being moved, or stopped, take it down beyond what its group bears? */
  groupBears(vm: number): boolean {
    const { group, moves } = at(this.problem.vms, vm);
    if (moves !== "cold" || group < 0 || at(this.isOff, vm) === 1 || isZero(this.now(vm))) return true;
    return at(this.#down, group) < at(this.problem.groups, group).maxUnavailable;
  }

  /** Room, rules and group; whether it may live there at all is for the caller to know. */
  canMove(vm: number, node: number): boolean {
    return this.hasRoom(node, at(this.problem.vms, vm).wants) && this.isApart(vm, node) && this.groupBears(vm);
  }

  canStop(vm: number): boolean {
    const { moves } = at(this.problem.vms, vm);
    return moves === "cold" && at(this.isOff, vm) === 0 && !isZero(this.now(vm)) && this.groupBears(vm);
  }

  canResize(vm: number): boolean {
    return this.hasRoom(at(this.position, vm), beyond(at(this.problem.vms, vm).wants, this.now(vm)));
  }

  /** What an act would be from here. */
  act(kind: Act["kind"], vm: number, to: number, parked = false): Act {
    const { wants, moves } = at(this.problem.vms, vm);
    const from = at(this.position, vm);
    const now = this.now(vm);
    const amounts = {
      move: { takes: wants, gives: now },
      stop: { takes: this.#nothing, gives: now },
      resize: { takes: beyond(wants, now), gives: beyond(now, wants) },
      arrive: { takes: wants, gives: this.#nothing },
    }[kind];
    const down = moves === "cold" && !isZero(now) && (kind === "stop" || (kind === "move" && this.isOff[vm] === 0));
    return { kind, vm, from, to, ...amounts, parked, down: down || (kind === "move" && this.isOff[vm] === 1) };
  }

  /** Done at once, from beginning to end. */
  perform(act: Act): Undo {
    const { vm, kind, from, to } = act;
    const now = this.now(vm);
    const wasOff = at(this.isOff, vm);
    const after = kind === "stop" ? this.#nothing : at(this.problem.vms, vm).wants;
    this.#put(vm, from, to, now, after, wasOff, kind === "stop" ? 1 : 0);
    return () => this.#put(vm, to, from, after, now, kind === "stop" ? 1 : 0, wasOff);
  }

  /** Straight into this state, from whatever it is in. */
  put(vm: number, node: number, state: "untouched" | "moved" | "stopped"): void {
    const { holds, wants } = at(this.problem.vms, vm);
    const after = { untouched: holds, moved: wants, stopped: this.#nothing }[state];
    const off = state === "stopped" ? 1 : 0;
    this.#put(vm, at(this.position, vm), node, this.now(vm), after, at(this.isOff, vm), off);
  }

  #put(vm: number, from: number, to: number, now: Amounts, after: Amounts, wasOff: number, off: number): void {
    if (from >= 0) this.#add(from, now, -1);
    if (to >= 0) this.#add(to, after, 1);
    if (from !== to) {
      if (from >= 0) {
        this.#seat(vm, from, -1);
        this.#guestsOf(from).delete(vm);
      }
      if (to >= 0) {
        this.#seat(vm, to, 1);
        this.#guestsOf(to).add(vm);
      }
      this.position[vm] = to;
    }
    this.#now[vm] = after;
    const { group } = at(this.problem.vms, vm);
    if (group >= 0 && wasOff !== off) this.#down[group] = at(this.#down, group) + off - wasOff;
    this.isOff[vm] = off;
  }

  #add(node: number, amounts: Amounts, sign: number): void {
    const base = node * this.#resources;
    for (let resource = 0; resource < this.#resources; resource++)
      this.#used[base + resource] = at(this.#used, base + resource) + sign * at(amounts, resource);
  }

  #seat(vm: number, node: number, sign: number): void {
    for (const { rule, domainOf, isSubject, isOther } of at(this.#parts, vm)) {
      const domain = at(domainOf, node);
      if (domain < 0) continue;
      const key = keyOf(rule, domain);
      if (isSubject) this.#counts.set(key, (this.#counts.get(key) ?? 0) + sign);
      if (isOther) this.#counts.set(key + 1, (this.#counts.get(key + 1) ?? 0) + sign);
    }
  }

  #guestsOf(node: number): Set<number> {
    return at(this.#guests, node);
  }
}

/** Subjects; others are counted under the next number. Domains are indices of at most as many as there are nodes. */
const keyOf = (rule: number, domain: number): number => (rule * 2 ** 20 + domain) * 2;

/** Per guest, the required `apart` rules that it has a part in. */
function partsOf({ rules, vms }: Problem): Part[][] {
  const parts: Part[][] = vms.map(() => []);
  for (const [rule, { kind, weight, subjects, others, domainOf }] of rules.entries()) {
    if (kind !== "apart" || weight !== null) continue;
    const [isSubject, isOther] = [new Set(subjects), new Set(others)];
    for (const vm of new Set([...subjects, ...others]))
      at(parts, vm).push({ rule, domainOf, isSubject: isSubject.has(vm), isOther: isOther.has(vm) });
  }
  return parts;
}
