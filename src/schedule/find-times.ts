/** The times that end first: of the order that was found, and of the same acts side by side wherever there is room for it. */
import type { Problem } from "../placement/engine/problem.ts";
import type { Act } from "./act.ts";
import { type Limits, leastSeconds, listSchedule, type Schedule, secondsAtFullSpeed } from "./list-schedule.ts";
import type { MoveCosts } from "./move-duration.ts";
import { type Precedence, stream } from "./stream.ts";
import { waitEdges } from "./wait-edges.ts";

export interface Times extends Schedule {
  readonly acts: readonly Act[];
  readonly after: readonly (readonly number[])[];
}

/** Nothing better is looked for than what is this near to what the links need at least. */
const GOOD_ENOUGH = 1.05;

/** The busiest link first; the longest first; the shortest first, which makes room soonest. */
const PRECEDENCES: readonly Precedence[] = [
  (_, load, seconds) => [load, seconds],
  (_, load, seconds) => [seconds, load],
  (_, load, seconds) => [-seconds, load],
];

export function findTimes(problem: Problem, found: readonly Act[], costs: MoveCosts, limits: Limits): Times {
  const scheduleOf = (acts: readonly Act[], endS: readonly number[] | null): Times => {
    const after = waitEdges(problem, acts, endS);
    return { acts, after, ...listSchedule({ problem, acts, after, costs, limits }) };
  };
  let best = scheduleOf(found, null);
  const least = leastSeconds(problem, found);
  const secondsOf = (act: Act): number => secondsAtFullSpeed(problem, act, costs);
  for (const precedence of PRECEDENCES) {
    if (best.makespanS <= least * GOOD_ENOUGH || best.after.every(({ length }) => length === 0)) return best;
    const streamed = stream(problem, found, secondsOf, precedence);
    if (streamed === null) continue;
    const times = scheduleOf(streamed.acts, streamed.endS);
    if (times.makespanS < best.makespanS) best = times;
  }
  return best;
}
