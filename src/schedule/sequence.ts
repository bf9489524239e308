/**
 * From where each VM should be to a schedule: in which order moves run, who is parked where on the way, when each begins and ends.
 *
 *   placement/ → [sequence.ts] → make-plan.ts
 *
 *   find-order.ts     one order that is possible        wait-edges.ts     what has to wait for what, and nothing else
 *   find-times.ts     when                              explain-stuck.ts  why not
 *
 * Invariants, at every instant of every order that the `after` of the result allow: no node is asked for more room than it has,
 * both ends counted while a VM moves; required `apart` rules hold, but for pairs that broke them at the start and have not moved;
 * no more than `maxUnavailable` members of a group are down. The same input gives the same schedule.
 */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, at, beyond, isZero } from "./act.ts";
import { explainStuck, type Stuck } from "./explain-stuck.ts";
import { findOrder } from "./find-order.ts";
import { findTimes } from "./find-times.ts";
import { leastHeadroom } from "./headroom.ts";
import { type Limits, linkLoads, type Timed } from "./list-schedule.ts";
import { type MoveCosts, USUAL_COSTS } from "./move-duration.ts";
import type { Budget } from "./search-exactly.ts";

/** VMs and nodes are indices into the problem. Sorted by start. */
export interface Sequence {
  readonly moves: readonly SequencedMove[];
  /** What is done without a move; between them `after` and `afterInPlace` make one DAG with the moves. */
  readonly inPlace: readonly InPlace[];
  readonly makespanS: number;
  /** The link that has most to do, and how long at full speed: no schedule of these moves is shorter. Null: nothing moves. */
  readonly busiestLink: BusiestLink | null;
  /** By node and resource: the least room left at any instant of the predicted times. Negative: it was overfull at the start. */
  readonly headroom: readonly (readonly number[])[];
  /** What cannot be done, and why. Nothing of it is in the moves. */
  readonly stuck: readonly Stuck[];
}

interface Timing {
  readonly startS: number;
  readonly endS: number;
  /** Indices of the moves whose end it waits for, ascending. */
  readonly after: readonly number[];
  /** The same of `inPlace`. */
  readonly afterInPlace: readonly number[];
}

export interface SequencedMove extends Timing {
  readonly vm: number;
  readonly from: number;
  readonly to: number;
  /** Of the guest, predicted. 0: it is off. */
  readonly downtimeMs: number;
  readonly moveMiB: number;
  /** More than `moveMiB` when the guest writes meanwhile. */
  readonly sentMiB: number;
  /** Only when it does not: it writes as fast as it is sent. */
  readonly converges?: false;
  /** It is on its way: a later move takes it on. */
  readonly parked?: true;
}

export interface InPlace extends Timing {
  /** `stop`: a guest that moves cold, ahead of its move. */
  readonly kind: "resize" | "arrive" | "stop";
  readonly vm: number;
  readonly node: number;
}

export interface BusiestLink {
  readonly node: number;
  readonly direction: "up" | "down";
  readonly seconds: number;
}

export interface SequenceOptions {
  readonly costs?: MoveCosts;
  readonly limits?: Limits;
}

/** Some seconds at the very worst. */
const MOST_STATES = 50_000;

const NO_LIMITS: Limits = { perNode: Number.POSITIVE_INFINITY, perFleet: Number.POSITIVE_INFINITY };

/** `homes`: the node each VM should be on, by index; -1: nowhere, it stays as it is or out. */
export function sequence(problem: Problem, homes: readonly number[], options: SequenceOptions = {}): Sequence {
  const { costs = USUAL_COSTS, limits = NO_LIMITS } = options;
  const targets = Int32Array.from(homes);
  const { acts: found, stuck } = orderWhatCanBeDone(problem, targets);
  const { acts, after, timed, happenings, makespanS } = findTimes(problem, found, costs, limits);
  return {
    ...inOrderOfTime(problem, acts, after, timed),
    makespanS,
    busiestLink: findBusiestLink(problem, acts),
    headroom: leastHeadroom(problem, acts, happenings),
    stuck,
  };
}

/** Whoever cannot get what it wants gives way, so that the others may. */
function orderWhatCanBeDone(problem: Problem, targets: Int32Array): { acts: readonly Act[]; stuck: Stuck[] } {
  const stuck: Stuck[] = [];
  const left = Int32Array.from(targets);
  const budget: Budget = { states: MOST_STATES };
  for (;;) {
    const order = findOrder(problem, left, budget);
    if (order.unmet.length === 0) return { acts: order.acts, stuck };
    // Those whom nothing can help do not depend on one another: they are told all at once.
    const cases = order.isHopeless ? order.unmet.map((vm) => ({ ...order, unmet: [vm] })) : [order];
    for (const each of cases) {
      const reason = explainStuck(problem, left, each, budget);
      stuck.push(reason);
      for (const vm of reason.givesWay) giveUp(problem, left, vm);
    }
  }
}

/** One that may not be given what it wants is not moved for others either: where it went it would have to be given it. */
function giveUp({ vms }: Problem, left: Int32Array, vm: number): void {
  const { home, holds, wants } = at(vms, vm);
  left[vm] = isZero(beyond(wants, holds)) && isZero(beyond(holds, wants)) ? home : -1;
}

function inOrderOfTime(
  problem: Problem,
  acts: readonly Act[],
  after: readonly (readonly number[])[],
  timed: readonly Timed[],
): Pick<Sequence, "moves" | "inPlace"> {
  const sorted = acts
    .map((_, index) => index)
    .sort((a, b) => at(timed, a).startS - at(timed, b).startS || at(timed, a).endS - at(timed, b).endS || a - b);
  const isMove = (index: number): boolean => at(acts, index).kind === "move";
  const [moving, staying] = [sorted.filter(isMove), sorted.filter((index) => !isMove(index))];
  const numberOf = new Map([...moving.entries(), ...staying.entries()].map(([number, index]) => [index, number]));
  const numbersOf = (indices: readonly number[]): number[] =>
    indices.map((index) => numberOf.get(index) ?? -1).sort((a, b) => a - b);
  const timingOf = (index: number): Timing => ({
    startS: at(timed, index).startS,
    endS: at(timed, index).endS,
    after: numbersOf(at(after, index).filter(isMove)),
    afterInPlace: numbersOf(at(after, index).filter((each) => !isMove(each))),
  });
  return {
    moves: moving.map((index) => {
      const { vm, from, to, parked, down } = at(acts, index);
      const { downtimeMs, sentMiB, converges } = at(timed, index);
      const { moves, moveMiB } = at(problem.vms, vm);
      const isOff = moves === "cold" && !down;
      return {
        vm,
        from,
        to,
        ...timingOf(index),
        downtimeMs: isOff ? 0 : downtimeMs,
        moveMiB,
        sentMiB,
        ...(!converges && { converges: false as const }),
        ...(parked && { parked: true as const }),
      };
    }),
    inPlace: staying.map((index) => {
      const { kind, vm, to } = at(acts, index);
      return { kind: kind as InPlace["kind"], vm, node: to, ...timingOf(index) };
    }),
  };
}

function findBusiestLink(problem: Problem, acts: readonly Act[]): BusiestLink | null {
  let busiest: BusiestLink | null = null;
  const [up, down] = linkLoads(problem, acts);
  for (const [direction, loads] of [["up", up] as const, ["down", down] as const])
    for (const [node, seconds] of [...loads].sort(([a], [b]) => a - b))
      if (busiest === null || seconds > busiest.seconds) busiest = { node, direction, seconds };
  return busiest;
}
