/** What can be known before the first step: a plan that is forbidden, or that lacks something a step will need, begins nothing. */
import { OdoroboError } from "../model/errors.ts";
import type { Digest } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import { toPutRequest } from "./perform-step.ts";

/**
 * Throws PLAN_REFUSED, PLAN_BROKEN (no spec) or PLAN_STALE (the manifests at hand lack a text that a spec refers to). `ended`: ids of
 * steps that are behind us and need nothing any more.
 */
export function refuseUnrunnable(
  plan: Plan,
  files: ReadonlyMap<Digest, string>,
  ended: ReadonlySet<string> = new Set(),
): void {
  refuseAssumed(plan);
  const [refusal] = plan.refusals;
  if (refusal) {
    const others = plan.refusals.length === 1 ? "" : ` (and ${plan.refusals.length - 1} more)`;
    throw new OdoroboError("PLAN_REFUSED", `this plan must not be applied: ${refusal.message}${others}`, {
      hint: refusal.hint,
    });
  }
  for (const step of plan.steps) {
    if (ended.has(step.id)) continue;
    if (step.kind === "createVm" || step.kind === "updateVm") toPutRequest(step, { plan, files, expect: step.expect });
  }
}

/** Throws PLAN_REFUSED for a plan that answers "what if". */
export function refuseAssumed({ base: { assumed = [] } }: Plan): void {
  if (assumed.length === 0) return;
  throw new OdoroboError("PLAN_REFUSED", `this plan is for a world that was assumed, not seen: ${assumed.join(", ")}`, {
    hint: "plan without --assume: what is so is seen then",
  });
}
