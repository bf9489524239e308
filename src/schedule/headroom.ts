/** How much room every node has left at its worst moment. */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, add, at } from "./act.ts";

export interface Happening {
  /** Index of the act. */
  readonly index: number;
  readonly begins: boolean;
}

/** By node and resource, in the order in which things happen. */
export function leastHeadroom(
  { nodes, vms }: Problem,
  acts: readonly Act[],
  happenings: readonly Happening[],
): number[][] {
  const free = nodes.map(({ room }) => [...room]);
  for (const { home, holds } of vms) if (home >= 0) add(at(free, home), holds, -1);
  const least = free.map((amounts) => [...amounts]);
  for (const { index, begins } of happenings) {
    const { from, to, takes, gives } = at(acts, index);
    if (begins && to >= 0) {
      const left = at(free, to);
      add(left, takes, -1);
      for (const [resource, amount] of left.entries())
        at(least, to)[resource] = Math.min(at(at(least, to), resource), amount);
    } else if (!begins && from >= 0) add(at(free, from), gives, 1);
  }
  return least;
}
