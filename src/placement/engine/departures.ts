/**
 * Whose leaving makes room on a node: the cheapest sets of its VMs of which nobody could as well stay.
 *
 *   seats.ts → [departures.ts] → find-seats.ts
 */
import type { Seats } from "./seats.ts";

export interface Departure {
  readonly vms: readonly number[];
  /** In MiB moved, as `Terrain.cost` counts it. */
  readonly cost: number;
}

export interface DepartureLimits {
  /** No more than so many sets, the cheapest. */
  readonly sets: number;
  /** No set that costs more. */
  readonly cost: number;
  /** No more tries than so many; then it is the cheapest of those that were met. */
  readonly tries: number;
}

/**
 * `needs`: by resource, how much must become free beyond what is; zero or less: nothing. `mayLeave`: asked of each VM there.
 * `priceOf`: what it costs that this one leaves where it is. Sorted by cost, then by who.
 * `isAll`: there are no others within that cost.
 */
export function findDepartures(
  seats: Seats,
  node: number,
  needs: Float64Array,
  mayLeave: (vm: number) => boolean,
  priceOf: (vm: number) => number,
  limits: DepartureLimits,
): { readonly departures: Departure[]; readonly tries: number; readonly isAll: boolean } {
  const { resources, wants } = seats.terrain;
  const short: number[] = [];
  for (let r = 0; r < resources; r++) if (needs[r]! > 0) short.push(r);
  if (short.length === 0) return { departures: [{ vms: [], cost: 0 }], tries: 1, isAll: true };
  const give = (vm: number, r: number): number => wants[vm * resources + r]!;
  const share = (vm: number): number => short.reduce((sum, r) => sum + give(vm, r) / needs[r]!, 0);
  const some = seats.on(node).filter((vm) => mayLeave(vm) && short.some((r) => give(vm, r) > 0));
  const prices = new Map(some.map((vm) => [vm, priceOf(vm)]));
  const price = (vm: number): number => prices.get(vm)!;
  some.sort((a, b) => price(a) - price(b) || share(b) - share(a) || a - b);
  // What all from here on could give together: a set that cannot be completed is not begun.
  const rest = short.map((r) => {
    const sums = new Float64Array(some.length + 1);
    for (let i = some.length - 1; i >= 0; i--) sums[i] = sums[i + 1]! + give(some[i]!, r);
    return sums;
  });
  const found: Departure[] = [];
  const chosen: number[] = [];
  const given = new Float64Array(resources);
  let tries = 0;

  const isNeeded = (vm: number): boolean => short.some((r) => given[r]! - give(vm, r) < needs[r]!);
  const dearest = (): number => (found.length < limits.sets ? limits.cost : found[found.length - 1]!.cost);
  const enter = (cost: number): void => {
    const place = found.findIndex((each) => each.cost > cost);
    found.splice(place < 0 ? found.length : place, 0, { vms: [...chosen], cost });
    if (found.length > limits.sets) found.pop();
  };
  const visit = (from: number, cost: number): void => {
    if (tries++ > limits.tries) return;
    if (cost > dearest() || (cost === dearest() && found.length === limits.sets)) return;
    if (short.every((r) => given[r]! >= needs[r]!)) {
      if (chosen.every(isNeeded)) enter(cost);
      return;
    }
    for (let i = from; i < some.length; i++) {
      if (short.some((_, k) => given[short[k]!]! + rest[k]![i]! < needs[short[k]!]!)) return;
      const vm = some[i]!;
      // Of those that are alike, the first that is still there: the other sets say the same.
      if (i > from && isAlike(seats, vm, some[i - 1]!) && price(vm) === price(some[i - 1]!)) continue;
      if (cost + price(vm) > limits.cost) return;
      for (const r of short) given[r]! += give(vm, r);
      chosen.push(vm);
      visit(i + 1, cost + price(vm));
      chosen.pop();
      for (const r of short) given[r]! -= give(vm, r);
    }
  };
  visit(0, 0);
  return { departures: found, tries, isAll: found.length < limits.sets && tries <= limits.tries };
}

/** Whether it makes no difference which of the two leaves. */
function isAlike({ terrain }: Seats, a: number, b: number): boolean {
  const { wants, resources, allowed, home, cost, requiredOf, preferredOf } = terrain;
  for (let r = 0; r < resources; r++) if (wants[a * resources + r] !== wants[b * resources + r]) return false;
  return (
    allowed[a] === allowed[b] &&
    home[a] === home[b] &&
    cost[a] === cost[b] &&
    requiredOf[a]!.length === 0 &&
    requiredOf[b]!.length === 0 &&
    preferredOf[a]!.length === 0 &&
    preferredOf[b]!.length === 0
  );
}
