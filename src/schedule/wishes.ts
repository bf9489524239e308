/** What is asked for, by what it does to room. */
import type { Problem } from "../placement/engine/problem.ts";
import { at, beyond, isZero } from "./act.ts";

export interface Wishes {
  /** Only give room: nothing can speak against doing that at once. */
  readonly first: readonly number[];
  /** Have to move, or give of one resource and take of another. */
  readonly wishes: readonly number[];
  /** Only take room: nobody waits for them, so they come last. */
  readonly last: readonly number[];
}

export function sortWishes({ vms }: Problem, targets: Int32Array): Wishes {
  const sorted = { first: [] as number[], wishes: [] as number[], last: [] as number[] };
  for (const [vm, { home, holds, wants }] of vms.entries()) {
    const target = at(targets, vm);
    if (target < 0) continue;
    if (home < 0) sorted.last.push(vm);
    else if (target !== home) sorted.wishes.push(vm);
    else if (isZero(beyond(wants, holds))) {
      if (!isZero(beyond(holds, wants))) sorted.first.push(vm);
    } else if (isZero(beyond(holds, wants))) sorted.last.push(vm);
    else sorted.wishes.push(vm);
  }
  return sorted;
}
