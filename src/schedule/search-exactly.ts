/**
 * The order with the fewest acts, and among those the fewest MiB sent: every state of a small fleet is looked at, best first (A*).
 *
 * A state is where each guest is. What is left to be done is at least one act for each guest that is not where it should be,
 * and one more when none of them can go there right now.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, at } from "./act.ts";
import { Heap } from "./heap.ts";
import { findImmovable } from "./immovable.ts";
import { mayLeave, Ordering, placesFor } from "./ordering.ts";
import type { World } from "./world.ts";

/** States that may still be looked into, by all searches for one sequence together: what can be solved at all mostly needs some hundreds. */
export interface Budget {
  states: number;
}

const MOST_GUESTS = 16;
export const MOST_NODES = 10;

interface State {
  readonly codes: string;
  readonly parent: State | null;
  readonly act: Act | null;
  readonly acts: number;
  readonly mib: number;
}

export interface Asked {
  /** Give room at once. */
  readonly first: readonly number[];
  readonly wishes: readonly number[];
  /** Of those with wishes: wherever they are in the end, that is all right. */
  readonly spared?: ReadonlySet<number>;
}

/** Null: too big to be looked through. */
export function searchExactly(
  problem: Problem,
  targets: Int32Array,
  { first, wishes, spared = new Set() }: Asked,
  budget: Budget,
  mostStates = budget.states,
): Act[] | "none" | null {
  if (problem.nodes.length > MOST_NODES) return null;
  const ordering = new Ordering(problem, targets, wishes, (a, b) => a - b);
  const begun = first.map((vm) => ordering.world.act("resize", vm, at(targets, vm)));
  for (const act of begun) ordering.perform(act);
  const { guests: fixed, hopeless } = findImmovable(ordering);
  if (hopeless.some((vm) => !spared.has(vm))) return "none";
  const guests = problem.vms.flatMap((_, vm) =>
    ordering.pending.has(vm) || (mayLeave(ordering, vm) && !fixed.has(vm)) ? [vm] : [],
  );
  if (guests.length > MOST_GUESTS) return null;
  const found = new Search(ordering, guests, new Set(first), spared).run(budget, mostStates);
  return found === null || found === "none" ? found : [...begun, ...found];
}

class Search {
  readonly #ordering: Ordering;
  readonly #world: World;
  readonly #guests: readonly number[];
  readonly #resized: ReadonlySet<number>;
  readonly #spared: ReadonlySet<number>;
  readonly #places: readonly (readonly number[])[];
  readonly #best = new Map<string, number>();
  readonly #open = new Heap<State>();
  /** What the world shows right now. */
  #shown: string;

  constructor(
    ordering: Ordering,
    guests: readonly number[],
    resized: ReadonlySet<number>,
    spared: ReadonlySet<number>,
  ) {
    this.#ordering = ordering;
    this.#spared = spared;
    this.#resized = resized;
    this.#world = ordering.world;
    this.#guests = guests;
    this.#places = guests.map((vm) => {
      const target = at(ordering.targets, vm);
      return mayLeave(ordering, vm) ? [...new Set([target, ...placesFor(ordering, vm)])] : [];
    });
    this.#shown = String.fromCharCode(...guests.map(() => UNTOUCHED));
  }

  run(budget: Budget, mostStates: number): Act[] | "none" | null {
    this.#add({ codes: this.#shown, parent: null, act: null, acts: 0, mib: 0 });
    for (let states = 0; ; states++) {
      const state = this.#open.pop();
      if (state === null) return "none";
      if (costOf(state) > (this.#best.get(state.codes) ?? Number.POSITIVE_INFINITY)) continue;
      if (states >= mostStates || budget.states <= 0) return null;
      budget.states--;
      this.#show(state.codes);
      if (this.#left().acts === 0) return actsOf(state);
      this.#expand(state);
    }
  }

  #expand(state: State): void {
    const { targets, problem } = this.#ordering;
    for (const [index, vm] of this.#guests.entries()) {
      const position = at(this.#world.position, vm);
      const target = at(targets, vm);
      for (const node of at(this.#places, index)) {
        if (node === position && !(this.#world.isOff[vm] === 1)) continue;
        if (node === position || !this.#world.canMove(vm, node)) continue;
        this.#follow(state, index, this.#world.act("move", vm, node, node !== target));
      }
      if (this.#mayStop(state, index)) this.#follow(state, index, this.#world.act("stop", vm, position));
      const isResize = target === at(problem.vms, vm).home && this.#ordering.pending.has(vm);
      if (
        isResize &&
        position === target &&
        this.#world.now(vm) !== at(problem.vms, vm).wants &&
        this.#world.canResize(vm)
      )
        this.#follow(state, index, this.#world.act("resize", vm, target));
    }
  }

  /** Only one that goes anyway, and only from home. */
  #mayStop(state: State, index: number): boolean {
    const vm = at(this.#guests, index);
    const { home } = at(this.#ordering.problem.vms, vm);
    return (
      state.codes.charCodeAt(index) === UNTOUCHED && at(this.#ordering.targets, vm) !== home && this.#world.canStop(vm)
    );
  }

  #follow(parent: State, index: number, act: Act): void {
    const code = act.kind === "stop" ? STOPPED : act.to + FIRST_NODE;
    const codes = parent.codes.slice(0, index) + String.fromCharCode(code) + parent.codes.slice(index + 1);
    const mib = act.kind === "move" ? at(this.#ordering.problem.vms, act.vm).moveMiB : 0;
    const state = { codes, parent, act, acts: parent.acts + 1, mib: parent.mib + mib };
    if (costOf(state) >= (this.#best.get(codes) ?? Number.POSITIVE_INFINITY)) return;
    const undo = this.#world.perform(act);
    const shown = this.#shown;
    this.#shown = codes;
    this.#add(state);
    this.#shown = shown;
    undo();
  }

  /** The world shows this state. */
  #add(state: State): void {
    this.#best.set(state.codes, costOf(state));
    const left = this.#left();
    this.#open.push(state, keyOf(state.acts + left.acts, state.mib + left.mib), left.acts);
  }

  #left(): { readonly acts: number; readonly mib: number } {
    const { problem, targets } = this.#ordering;
    let [acts, mib, canGo] = [0, 0, false];
    for (const [index, vm] of this.#guests.entries()) {
      if (this.#spared.has(vm)) continue;
      const { home, moveMiB, wants } = at(problem.vms, vm);
      const target = at(targets, vm);
      const code = this.#shown.charCodeAt(index);
      if (at(this.#world.position, vm) === target && code !== STOPPED) {
        if (code !== UNTOUCHED || target !== home || !this.#ordering.pending.has(vm)) continue;
        acts++;
        canGo ||= this.#world.now(vm) !== wants && this.#world.canResize(vm);
      } else {
        acts++;
        mib += moveMiB;
        canGo ||= this.#world.canMove(vm, target);
      }
    }
    return { acts: acts > 0 && !canGo ? acts + 1 : acts, mib };
  }

  #show(codes: string): void {
    for (const [index, vm] of this.#guests.entries()) {
      const code = codes.charCodeAt(index);
      if (code === this.#shown.charCodeAt(index)) continue;
      const { home } = at(this.#ordering.problem.vms, vm);
      if (code >= FIRST_NODE) this.#world.put(vm, code - FIRST_NODE, "moved");
      else this.#world.put(vm, home, code === STOPPED ? "stopped" : this.#resized.has(vm) ? "moved" : "untouched");
    }
    this.#shown = codes;
  }
}

const UNTOUCHED = 0;
const STOPPED = 1;
const FIRST_NODE = 2;

/** Acts count first, MiB decide between equals. */
const keyOf = (acts: number, mib: number): number => acts * 2 ** 32 + mib;
const costOf = ({ acts, mib }: State): number => keyOf(acts, mib);

function actsOf(state: State): Act[] {
  const acts: Act[] = [];
  for (let each: State | null = state; each?.act; each = each.parent) acts.unshift(each.act);
  return acts;
}
