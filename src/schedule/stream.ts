/**
 * The same acts in another order, in which more of them run side by side: whatever there is room for begins, if all the others can
 * still be done afterwards, one after another.
 *
 * An order that was found by moving one guest at a time leaves links idle where room is scarce. Here an act begins as soon as links
 * and room are free, and each time it is made sure (as a bank does before it lends) that what is left can still be carried out.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, add, at, EPSILON } from "./act.ts";
import { Heap } from "./heap.ts";
import { World } from "./world.ts";

export interface Streamed {
  /** Each one possible after those before it. */
  readonly acts: readonly Act[];
  /** By index of the act: when it ends, in seconds. */
  readonly endS: readonly number[];
}

/** Who goes first of those who may: greater is sooner. Given the act, and the seconds that each link still has to do. */
export type Precedence = (act: Act, load: number, seconds: number) => readonly number[];

/** More than that, and making sure takes longer than it saves. */
const MOST_ACTS = 400;

/** Null: too many acts, or it came to no end. `secondsOf` is at full speed; each link carries one move at a time. */
export function stream(
  problem: Problem,
  acts: readonly Act[],
  secondsOf: (act: Act) => number,
  precedence: Precedence,
): Streamed | null {
  if (acts.length > MOST_ACTS) return null;
  return new Stream(problem, acts, secondsOf, precedence).run();
}

class Stream {
  readonly #acts: readonly Act[];
  readonly #secondsOf: (act: Act) => number;
  readonly #precedence: Precedence;
  /** As if everything that has begun had ended. */
  readonly #after: World;
  /** As it is without everything that has begun and not ended. */
  readonly #ended: World;
  /** What has begun and not ended takes at its target, by node. */
  readonly #taken: number[][];
  readonly #busy = new Set<number>();
  /** Guests that are down. */
  readonly #out = new Set<number>();
  #left: number[];
  readonly #order: Act[] = [];
  readonly #ends: number[] = [];
  readonly #running = new Heap<Act>();
  readonly #up = new Set<number>();
  readonly #down = new Set<number>();
  readonly #load = new Map<string, number>();

  constructor(problem: Problem, acts: readonly Act[], secondsOf: (act: Act) => number, precedence: Precedence) {
    this.#acts = acts;
    this.#secondsOf = secondsOf;
    this.#precedence = precedence;
    this.#after = new World(problem);
    this.#ended = new World(problem);
    this.#taken = problem.nodes.map(() => problem.resources.map(() => 0));
    this.#left = acts.map((_, index) => index);
    for (const act of acts) for (const link of linksOf(act)) this.#addLoad(link, secondsOf(act));
  }

  run(): Streamed | null {
    for (let now = 0; ; ) {
      for (let next = this.#best(); next !== null; next = this.#best()) this.#begin(next, now);
      const ended = this.#running.pop();
      if (ended === null) return this.#left.length > 0 ? null : { acts: this.#order, endS: this.#ends };
      now = this.#end(ended);
      for (let same = this.#running.peek(); same !== null && this.#endOf(same) <= now; same = this.#running.peek())
        this.#end(this.#running.pop() ?? same);
    }
  }

  /** The most urgent act that may begin now. */
  #best(): number | null {
    const some = this.#left
      .filter((index, place) => this.#mayBegin(at(this.#acts, index), place))
      .map((index) => {
        const act = at(this.#acts, index);
        const load = Math.max(...linksOf(act).map((link) => this.#load.get(link) ?? 0));
        return { index, urgency: this.#precedence(act, load, this.#secondsOf(act)) };
      })
      .sort((a, b) => compare(b.urgency, a.urgency) || a.index - b.index);
    return some.find(({ index }) => this.#canBeDoneAfter(index))?.index ?? null;
  }

  #mayBegin(act: Act, place: number): boolean {
    if (act.kind === "move" && (this.#up.has(act.from) || this.#down.has(act.to))) return false;
    // Its own acts before this one.
    for (let before = 0; before < place; before++)
      if (at(this.#acts, at(this.#left, before)).vm === act.vm) return false;
    // Both ends of those on their way are looked at: where they come from, and where they will be.
    return (
      !this.#busy.has(act.vm) &&
      this.#hasRoom(act) &&
      allows(this.#ended, act) &&
      allows(this.#after, act) &&
      this.#groupBears(act)
    );
  }

  #hasRoom({ to, takes }: Act): boolean {
    return takes.every(
      (amount, resource) =>
        amount === 0 || amount + at(at(this.#taken, to), resource) <= this.#ended.free(to, resource) + EPSILON,
    );
  }

  #groupBears({ vm, down }: Act): boolean {
    const { vms, groups } = this.#ended.problem;
    const { group } = at(vms, vm);
    if (!down || group < 0 || this.#out.has(vm)) return true;
    const others = [...this.#out].filter((other) => at(vms, other).group === group);
    return others.length < at(groups, group).maxUnavailable;
  }

  /** Making sure: with this one done, the others one after another, in the order that is known to work as far as it still does. */
  #canBeDoneAfter(first: number): boolean {
    const undos = [this.#after.perform(at(this.#acts, first))];
    let waiting = this.#left.filter((index) => index !== first);
    for (let before = -1; before !== waiting.length && waiting.length > 0; ) {
      before = waiting.length;
      const blocked = new Set<number>();
      waiting = waiting.filter((index) => {
        const act = at(this.#acts, index);
        if (blocked.has(act.vm) || !allows(this.#after, act)) {
          blocked.add(act.vm);
          return true;
        }
        undos.push(this.#after.perform(act));
        return false;
      });
    }
    for (const undo of undos.reverse()) undo();
    return waiting.length === 0;
  }

  #begin(index: number, now: number): void {
    const act = at(this.#acts, index);
    const seconds = this.#secondsOf(act);
    this.#left = this.#left.filter((each) => each !== index);
    this.#after.perform(act);
    add(at(this.#taken, act.to), act.takes, 1);
    this.#busy.add(act.vm);
    if (act.down) this.#out.add(act.vm);
    this.#order.push(act);
    this.#ends.push(now + seconds);
    this.#running.push(act, now + seconds);
    for (const link of linksOf(act)) this.#addLoad(link, -seconds);
    if (act.kind !== "move") return;
    this.#up.add(act.from);
    this.#down.add(act.to);
  }

  #end(act: Act): number {
    this.#ended.perform(act);
    add(at(this.#taken, act.to), act.takes, -1);
    this.#busy.delete(act.vm);
    if (act.kind !== "stop") this.#out.delete(act.vm);
    if (act.kind === "move") {
      this.#up.delete(act.from);
      this.#down.delete(act.to);
    }
    return this.#endOf(act);
  }

  #endOf(act: Act): number {
    return at(this.#ends, this.#order.indexOf(act));
  }

  #addLoad(link: string, seconds: number): void {
    this.#load.set(link, (this.#load.get(link) ?? 0) + seconds);
  }
}

const linksOf = ({ kind, from, to }: Act): string[] => (kind === "move" ? [`from ${from}`, `to ${to}`] : ["nowhere"]);

function allows(world: World, { kind, vm, to }: Act): boolean {
  if (kind === "stop") return world.canStop(vm);
  return kind === "resize" ? world.canResize(vm) : world.canMove(vm, to);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== at(b, index)) return value - at(b, index);
  return 0;
}
