/** A plan and the world that it is for: a saved one or a new one, of the fleet as it is or of a snapshot. Nothing is carried out with it. */
import { findStale, refuseStale } from "../../apply/find-stale.ts";
import { readPlanFile } from "../../apply/plan-file.ts";
import type { DesiredState } from "../../model/desired-state.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { fromSnapshot } from "../../plan/snapshot.ts";
import { type PlanRequest, planFleet } from "../plan-fleet.ts";
import { fencedNodes } from "../saved-plan.ts";
import { seeFleet } from "./see-fleet.ts";
import { planFromSnapshot, readSnapshot } from "./snapshots.ts";

export interface PlanInWorld {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly observed: ObservedState;
}

export interface PlanToSimulateRequest extends PlanRequest {
  /** Null: it is made now. */
  readonly path: string | null;
  /** A snapshot; null: the agents are asked. */
  readonly from: string | null;
}

/** Rejects with PLAN_STALE for a saved plan of another world, PLAN_FILE_INVALID and SNAPSHOT_INVALID. */
export async function planToSimulate(request: PlanToSimulateRequest, signal: AbortSignal): Promise<PlanInWorld> {
  const { path, from } = request;
  if (path !== null) {
    const plan = await readPlanFile(path);
    const { desired, observed } = await seeFleet(request, signal);
    refuseStale(plan, findStale(plan, observed, fencedNodes(desired)));
    return { plan, desired, observed };
  }
  if (from !== null) {
    const snapshot = await readSnapshot(from);
    return { ...fromSnapshot(snapshot), plan: planFromSnapshot(snapshot, { ...request, assumptions: [] }) };
  }
  await using planned = await planFleet(request, signal);
  return { plan: planned.plan, desired: planned.fleet.desired, observed: planned.observed };
}
