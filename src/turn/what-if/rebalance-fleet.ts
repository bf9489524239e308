/** Moves for a fleet as it is seen now, checked like any plan. */
import { assertPlanKeepsPromises } from "../../plan/check-plan.ts";
import { type Rebalance, type RebalanceInput, rebalance } from "../../what-if/rebalance.ts";
import { type SeeRequest, seeFleet } from "./see-fleet.ts";

export type RebalanceRequest = SeeRequest & Pick<RebalanceInput, "allowances" | "minGain" | "holdSeconds">;

/** Rejects as `seeFleet` does, and with PLAN_BROKEN. */
export async function rebalanceFleet(request: RebalanceRequest, signal: AbortSignal): Promise<Rebalance> {
  const seen = await seeFleet(request, signal);
  const { allowances, minGain, holdSeconds } = request;
  const balanced = rebalance({ ...seen, allowances, minGain, holdSeconds });
  assertPlanKeepsPromises(balanced.plan, seen.desired, seen.observed);
  return balanced;
}
