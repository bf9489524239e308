/**
 * Those who are left without a home, and those for whom a rule does not hold: each with what cannot be had together.
 *
 *   explain-conflict.ts, homeless-bounds.ts → [explain-blocked.ts] → place-fleet.ts
 */
import { type Amount, fits } from "../model/capacity.ts";
import type { Blocked, PlacementConflict } from "../model/changes.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Conflict } from "./engine/explain-conflict.ts";
import { BIG } from "./engine/find-seats.ts";
import { type BoundsAround, conflictOfBounds } from "./homeless-bounds.ts";
import { holdingsOf } from "./place-vms.ts";
import { toConflict } from "./say-conflict.ts";
import type { SeatedFleet } from "./seat-fleet.ts";
import { ruleBlocked } from "./tell-seats.ts";

interface HasBlocked {
  readonly blocked: readonly Blocked[];
}

/** Where much fits nowhere, so many are told what contradicts what; of a fleet that is big, as each takes its time, few. */
const MOST_EXPLAINED = 12;
const FEW_EXPLAINED = 3;

/** Each of those whom no node could take, whoever else is there, with why not. */
export function withBounds<Plan extends HasBlocked>(
  plan: Plan,
  seekers: readonly Homeless[],
  around: BoundsAround,
  all: Amount,
): Plan {
  if (plan.blocked.length === 0) return plan;
  const homeless = new Map(seekers.map((each) => [each.vm.name, each]));
  let explained = 0;
  const blocked = plan.blocked.map((each): Blocked => {
    const seeker = homeless.get(each.name);
    if (seeker === undefined || each.filters === undefined || explained >= MOST_EXPLAINED) return each;
    const conflict =
      each.conflict === undefined || each.conflict.constraints.length === 0
        ? (conflictOfBounds(seeker, around) ?? conflictOfRoom(seeker, all))
        : null;
    if (conflict === null) return each;
    explained++;
    return { ...each, conflict };
  });
  return { ...plan, blocked };
}

/** Each of those who are blocked, with what cannot be had together; and those for whom a rule does not hold. */
export function withReasons<Plan extends HasBlocked>(plan: Plan, seated: SeatedFleet): Plan {
  const nameOf = (vm: number): string | undefined => seated.problem.vms[vm]?.name;
  const blocked = new Set<string>(plan.blocked.map(({ name }) => name));
  const seatless = seated.failures.filter(
    (failure) => failure.kind === "seatless" && blocked.has(nameOf(failure.vm) ?? ""),
  );
  const conflicts = new Map<string, Conflict>();
  const most = seated.sitters.length > BIG ? FEW_EXPLAINED : MOST_EXPLAINED;
  for (const conflict of seated.explain(seatless.slice(0, most)))
    conflicts.set(nameOf(conflict.vm ?? -1) ?? "", conflict);
  for (const name of seated.ungrown) {
    const conflict = seated.explainGrowth(name);
    if (conflict !== null) conflicts.set(name, conflict);
  }
  const told = plan.blocked.map((each): Blocked => {
    const conflict = conflicts.get(each.name);
    return conflict === undefined ? each : { ...each, conflict: toConflict(seated.problem, conflict) };
  });
  return { ...plan, blocked: [...told, ...ruleBlocked(seated, blocked, most)] };
}

/** Null: all nodes together have as much. */
function conflictOfRoom(seeker: Homeless, all: Amount): PlacementConflict | null {
  const holds = holdingsOf(seeker);
  if (fits(holds, all)) return null;
  const name = holds.memoryMiB > all.memoryMiB ? "memory" : "cpus";
  return { constraints: [{ kind: "room", text: `the ${name} that nodes have` }], othersStay: false };
}
