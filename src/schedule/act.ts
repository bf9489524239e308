/** What can be done to a guest while a fleet is put in order: the units that are ordered, timed and waited for. */
import type { Amounts } from "../placement/engine/problem.ts";

/**
 * - `move`: to another node; both ends are counted until it has ended.
 * - `stop`: a guest that moves cold is stopped ahead of its move, so that its room at home is free for others.
 * - `resize`: one that stays takes more, gives back, or both.
 * - `arrive`: a new one.
 */
export interface Act {
  readonly kind: "move" | "stop" | "resize" | "arrive";
  readonly vm: number;
  /** -1: from nowhere. */
  readonly from: number;
  /** The same as `from`, unless it moves or arrives. */
  readonly to: number;
  /** On `to`, from its start on. */
  readonly takes: Amounts;
  /** On `from`, when it has ended. */
  readonly gives: Amounts;
  /** It goes on from there later. */
  readonly parked: boolean;
  /** A running guest is down while it lasts. */
  readonly down: boolean;
}

/** Room that differs by less is the same: amounts may be fractions, and sums of them are not exact. */
export const EPSILON = 1e-6;

/** For indices that are known to be there. */
export const at = <Item>(list: ArrayLike<Item>, index: number): Item => list[index] as Item;

export const isZero = (amounts: Amounts): boolean => amounts.every((amount) => amount === 0);

/** What the first has beyond the second, of each resource. */
export const beyond = (first: Amounts, second: Amounts): Amounts =>
  first.map((amount, resource) => Math.max(0, amount - at(second, resource)));

export function add(sum: number[], amounts: Amounts, sign: 1 | -1): void {
  for (const [resource, amount] of amounts.entries()) sum[resource] = at(sum, resource) + sign * amount;
}
