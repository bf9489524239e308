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
import { Attempt } from "./attempt.ts";
import { type BoundsOf, type Conflict, explainConflicts, type Failure } from "./explain-conflict.ts";
import type { Problem } from "./problem.ts";
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

export function assign(problem: Problem): Assignment {
  const { homes, moves, explain } = seatAll(problem);
  return { homes, moves, conflicts: explain() };
}

export interface Seated extends Pick<Assignment, "homes" | "moves"> {
  readonly failures: readonly Failure[];
  /** Reasons take their time: for those of `failures` that are asked for, or for all. */
  readonly explain: (some?: readonly Failure[], boundsOf?: BoundsOf) => Conflict[];
}

/** The same, for who may ask no reasons. */
export function seatAll(problem: Problem): Seated {
  const terrain = new Terrain(problem);
  const { seats, failed } = seatEverybody(terrain);
  return {
    homes: [...seats.at],
    moves: whyMoved(seats),
    failures: failed,
    explain: (some = failed, boundsOf) => explainConflicts(terrain, seats, some, boundsOf),
  };
}

function seatEverybody(terrain: Terrain): Attempt {
  const heldBack = new Set<number>();
  for (;;) {
    const attempt = new Attempt(terrain, heldBack);
    const { unhoused } = attempt.run();
    if (unhoused.length === 0) return attempt;
    // Who found no place, and whose home others were given meanwhile, keeps it, and all others are seated anew.
    const before = heldBack.size;
    for (const vm of unhoused) heldBack.add(vm);
    // Nobody can be named whose staying would help: then nobody is seated anew, and only those move who make something right.
    if (heldBack.size === before) for (const vm of attempt.seatedAnew) heldBack.add(vm);
  }
}
