/** Chance that can be had again: the same seed gives the same numbers. */

export interface Chance {
  /** At least 0, less than 1. */
  next(): number;
  /** A whole number from 0 up to `limit`, exclusive. */
  below(limit: number): number;
  /** Undefined when there is nothing to choose from. */
  pick<Item>(items: readonly Item[]): Item | undefined;
  /** True that often. */
  often(probability: number): boolean;
}

/** Mulberry32: 32 bits of state are enough for some thousand choices. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, pick: (items) => items[below(items.length)], often: (probability) => next() < probability };
}
