/**
 * Guests that no node takes as they run, and that may be stopped for their move: some node may take them off.
 *
 *   make-plan.ts → [place-or-stop.ts] → place-fleet.ts
 */
import { asCold } from "../reconcile/departure.ts";
import { type FleetToPlace, type PlacedFleet, placeFleet } from "./place-fleet.ts";

/** Nobody is stopped whom a node takes as it runs; and nobody at all where that helps nobody. */
export function placeOrStop(to: FleetToPlace, mayStop: boolean): PlacedFleet {
  const first = placeFleet(to);
  if (!mayStop || first.blocked.length === 0) return first;
  const left = new Map(first.blocked.map((blocked) => [blocked.name, blocked]));
  const homeless = to.homeless.map((each) => {
    const blocked = left.get(each.vm.name);
    const because = blocked?.rejected?.at(-1)?.because ?? "no node takes it";
    return blocked === undefined ? each : (asCold(each, because) ?? each);
  });
  if (homeless.every((each, index) => each === to.homeless[index])) return first;
  const second = placeFleet({ ...to, homeless });
  if (second.blocked.length >= first.blocked.length) return first;
  // Who is left out either way is told why it is not moved as it runs.
  return { ...second, blocked: second.blocked.map((each) => left.get(each.name) ?? each) };
}
