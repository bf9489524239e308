/**
 * When each act begins and ends: whatever may begin does so as soon as its links are free, on the busiest link first, the longest
 * first. A move has its links' whole bandwidth where it can: one after another is never later than all at once, and each is
 * safe sooner.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, at, EPSILON } from "./act.ts";
import type { Happening } from "./headroom.ts";
import { Heap } from "./heap.ts";
import { coldMove, liveMove, type MoveCosts, type MoveDuration } from "./move-duration.ts";

export interface Limits {
  /** Moves at once that have this node as one of their ends. */
  readonly perNode: number;
  readonly perFleet: number;
}

export interface Timed extends MoveDuration {
  readonly startS: number;
  readonly endS: number;
}

interface Given {
  readonly problem: Problem;
  readonly acts: readonly Act[];
  readonly after: readonly (readonly number[])[];
  readonly costs: MoveCosts;
  readonly limits: Limits;
}

/** Other rules of precedence are not tried for less than this. */
const GOOD_ENOUGH = 1.01;
/** Rates below and beyond this are not taken at their word. */
const [LEAST_RATE, MOST_RATE] = [0.01, 1e9];
/** A move is not begun with less than this part of what its links could give it. */
const FAIR_PART = 0.5;

export interface Schedule {
  /** By index of the act. */
  readonly timed: readonly Timed[];
  /** At one instant, what ends comes before what begins. */
  readonly happenings: readonly Happening[];
  readonly makespanS: number;
}

/** The best that several rules of precedence come to. */
export function listSchedule(given: Given): Schedule {
  const rules = [true, false].flatMap((byLoad) => [true, false].map((byTail) => ({ byLoad, byTail })));
  const least = leastSeconds(given.problem, given.acts);
  let best: Schedule | null = null;
  for (const rule of rules) {
    const schedule = new Timetable(given, rule).fill();
    if (best === null || schedule.makespanS < best.makespanS - EPSILON) best = schedule;
    if (best.makespanS <= least * GOOD_ENOUGH) break;
  }
  return best as Schedule;
}

const clamp = (rate: number): number => Math.min(MOST_RATE, Math.max(LEAST_RATE, rate));

/** No schedule of these acts can be shorter: what the busiest link has to do. */
export function leastSeconds(problem: Problem, acts: readonly Act[]): number {
  const [up, down] = linkLoads(problem, acts);
  return Math.max(0, ...up.values(), ...down.values());
}

/** Seconds that each node's links have to do in all, out and in. */
export function linkLoads({ nodes, vms }: Problem, acts: readonly Act[]): [Map<number, number>, Map<number, number>] {
  const [up, down] = [new Map<number, number>(), new Map<number, number>()];
  for (const { kind, vm, from, to } of acts) {
    if (kind !== "move") continue;
    const { moveMiB } = at(vms, vm);
    up.set(from, (up.get(from) ?? 0) + moveMiB / clamp(at(nodes, from).upMiBps));
    down.set(to, (down.get(to) ?? 0) + moveMiB / clamp(at(nodes, to).downMiBps));
  }
  return [up, down];
}

class Timetable {
  readonly #given: Given;
  readonly #rule: { readonly byLoad: boolean; readonly byTail: boolean };
  readonly #timed: Timed[];
  readonly #happenings: Happening[] = [];
  readonly #followers: number[][];
  readonly #waitsFor: number[];
  readonly #running = new Heap<{ readonly index: number; readonly rate: number }>();
  /** By source: moves that wait for nothing but links. */
  readonly #ready = new Map<number, number[]>();
  readonly #tail: number[];
  readonly #up: number[];
  readonly #down: number[];
  readonly #upLoad: Map<number, number>;
  readonly #downLoad: Map<number, number>;
  readonly #busy: number[];
  #moving = 0;
  #now = 0;

  constructor(given: Given, rule: { readonly byLoad: boolean; readonly byTail: boolean }) {
    const { problem, acts, after } = given;
    this.#given = given;
    this.#rule = rule;
    this.#timed = new Array(acts.length);
    this.#followers = acts.map(() => []);
    for (const [index, waits] of after.entries()) for (const each of waits) at(this.#followers, each).push(index);
    this.#waitsFor = after.map(({ length }) => length);
    this.#up = problem.nodes.map(({ upMiBps }) => clamp(upMiBps));
    this.#down = problem.nodes.map(({ downMiBps }) => clamp(downMiBps));
    [this.#upLoad, this.#downLoad] = linkLoads(problem, acts);
    this.#busy = problem.nodes.map(() => 0);
    this.#tail = acts.map(() => 0);
    for (let index = acts.length - 1; index >= 0; index--)
      for (const each of at(this.#followers, index))
        this.#tail[index] = Math.max(at(this.#tail, index), at(this.#tail, each) + this.#fullSpeed(each));
  }

  fill(): Schedule {
    for (const [index, count] of this.#waitsFor.entries()) if (count === 0) this.#admit(index);
    for (;;) {
      this.#startAll();
      const next = this.#running.pop();
      if (next === null) return { timed: this.#timed, happenings: this.#happenings, makespanS: this.#now };
      this.#finish(next);
      // All that ends at the same moment ends before anything begins.
      for (let same = this.#running.peek(); same !== null && at(this.#timed, same.index).endS <= this.#now; ) {
        this.#finish(this.#running.pop() ?? same);
        same = this.#running.peek();
      }
    }
  }

  #admit(index: number): void {
    const { kind, from } = at(this.#given.acts, index);
    if (kind === "move") {
      const known = this.#ready.get(from);
      if (known) known.push(index);
      else this.#ready.set(from, [index]);
      return;
    }
    const seconds = kind === "stop" ? this.#given.costs.stopS : 0;
    this.#begin(index, 0, { seconds, sentMiB: 0, downtimeMs: seconds * 1_000, converges: true });
  }

  #begin(index: number, rate: number, duration: MoveDuration): void {
    const endS = this.#now + duration.seconds;
    this.#timed[index] = { ...duration, startS: this.#now, endS };
    this.#happenings.push({ index, begins: true });
    this.#running.push({ index, rate }, endS);
  }

  #finish({ index, rate }: { readonly index: number; readonly rate: number }): void {
    const { kind, from, to } = at(this.#given.acts, index);
    this.#now = at(this.#timed, index).endS;
    this.#happenings.push({ index, begins: false });
    if (kind === "move") this.#useLinks(from, to, -rate);
    for (const follower of at(this.#followers, index)) {
      this.#waitsFor[follower] = at(this.#waitsFor, follower) - 1;
      if (this.#waitsFor[follower] === 0) this.#admit(follower);
    }
  }

  #useLinks(from: number, to: number, rate: number): void {
    this.#up[from] = at(this.#up, from) - rate;
    this.#down[to] = at(this.#down, to) - rate;
    const sign = Math.sign(rate);
    this.#moving += sign;
    this.#busy[from] = at(this.#busy, from) + sign;
    this.#busy[to] = at(this.#busy, to) + sign;
  }

  #startAll(): void {
    const { limits, acts } = this.#given;
    const blocked = new Set<number>();
    while (this.#moving < limits.perFleet) {
      let best: { index: number; source: number; key: readonly number[] } | null = null;
      for (const [source, waiting] of this.#ready) {
        if (blocked.has(source)) continue;
        let some = false;
        for (const index of waiting) {
          if (this.#rateFor(index) === 0) continue;
          some = true;
          const key = this.#urgency(index);
          if (best === null || isMore(key, best.key)) best = { index, source, key };
        }
        // Links only get fuller while acts are begun.
        if (!some) blocked.add(source);
      }
      if (best === null) return;
      const { index, source } = best;
      const { vm, from, to } = at(acts, index);
      const waiting = (this.#ready.get(source) ?? []).filter((each) => each !== index);
      if (waiting.length > 0) this.#ready.set(source, waiting);
      else this.#ready.delete(source);
      const rate = this.#rateFor(index);
      this.#useLinks(from, to, rate);
      const { moveMiB } = at(this.#given.problem.vms, vm);
      const { nodes } = this.#given.problem;
      this.#upLoad.set(from, (this.#upLoad.get(from) ?? 0) - moveMiB / clamp(at(nodes, from).upMiBps));
      this.#downLoad.set(to, (this.#downLoad.get(to) ?? 0) - moveMiB / clamp(at(nodes, to).downMiBps));
      this.#begin(index, rate, durationOf(this.#given.problem, at(acts, index), rate, this.#given.costs));
    }
  }

  /** Greater is sooner. */
  #urgency(index: number): readonly [number, number, number] {
    const { from, to } = at(this.#given.acts, index);
    const load = Math.max(this.#upLoad.get(from) ?? 0, this.#downLoad.get(to) ?? 0);
    const seconds = this.#fullSpeed(index);
    const chain = seconds + at(this.#tail, index);
    const { byLoad, byTail } = this.#rule;
    if (byLoad) return [byTail ? Math.max(load, chain) : load, seconds, -index];
    return [byTail ? chain : seconds, load, -index];
  }

  /** 0: it cannot begin now. */
  #rateFor(index: number): number {
    const { from, to } = at(this.#given.acts, index);
    const { nodes } = this.#given.problem;
    const { perNode } = this.#given.limits;
    if (at(this.#busy, from) >= perNode || at(this.#busy, to) >= perNode) return 0;
    const full = Math.min(clamp(at(nodes, from).upMiBps), clamp(at(nodes, to).downMiBps));
    const free = Math.min(at(this.#up, from), at(this.#down, to));
    return free >= full * FAIR_PART ? Math.min(free, full) : 0;
  }

  #fullSpeed(index: number): number {
    return secondsAtFullSpeed(this.#given.problem, at(this.#given.acts, index), this.#given.costs);
  }
}

function durationOf({ vms }: Problem, { vm }: Act, rate: number, costs: MoveCosts): MoveDuration {
  const load = at(vms, vm);
  return load.moves === "cold" ? coldMove(load, rate, costs) : liveMove(load, rate, costs);
}

/** With its links for itself. */
export function secondsAtFullSpeed(problem: Problem, act: Act, costs: MoveCosts): number {
  if (act.kind !== "move") return act.kind === "stop" ? costs.stopS : 0;
  const rate = Math.min(clamp(at(problem.nodes, act.from).upMiBps), clamp(at(problem.nodes, act.to).downMiBps));
  return durationOf(problem, act, rate, costs).seconds;
}

function isMore(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) if (value !== at(b, index)) return value > at(b, index);
  return false;
}
