/**
 * A run that somebody began, made ready to be carried on: manifests and world are looked at again, as before a saved plan. A VM that is
 * not as the run left it costs its own steps; the others go on.
 *
 *   run/resume.ts, saved-plan.ts → [take-up-run.ts] → execute-run.ts
 */
import { findStale } from "../../apply/find-stale.ts";
import type { ErrorBody } from "../../model/errors.ts";
import type { NodeName, VmName } from "../../model/names.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { Clock } from "../../platform/clock.ts";
import { expectedVms } from "../../run/resume.ts";
import type { RunClaim } from "../../run/run-store.ts";
import type { RunState } from "../../run/state.ts";
import type { AgentAccess } from "../connect-agents.ts";
import type { PlannedFleet } from "../plan-fleet.ts";
import type { Fleet, FleetLocation } from "../read-fleet.ts";
import { fencedNodes, lookAgain, refuseOverfull } from "../saved-plan.ts";

export interface TakenUp extends PlannedFleet {
  readonly refused: ReadonlyMap<VmName, ErrorBody>;
}

/** Rejects with PLAN_STALE when what is left no longer fits, and with the errors of sources. Nothing has been begun then. */
export async function takeUpRun(
  claim: Pick<RunClaim, "id" | "plan" | "state">,
  request: {
    readonly location: FleetLocation;
    readonly access: AgentAccess;
    readonly clock: Clock;
    /** Left out: the manifests are read again. */
    readonly fleet?: Fleet;
  },
  signal: AbortSignal,
): Promise<TakenUp> {
  const { id, plan } = claim;
  const state = claim.state();
  let refused: ReadonlyMap<VmName, ErrorBody> = new Map();
  const planned = await lookAgain(plan, { ...request, path: `the run ${id}` }, signal, (fleet, observed) => {
    refused = findRefused(plan, state, observed, fencedNodes(fleet.desired));
    refuseOverfull(restOf(plan, state, refused), fleet, observed);
  });
  return { ...planned, refused };
}

/** VMs with steps still open that are not as the run left them, with what is said of it. */
export function findRefused(
  plan: Plan,
  state: RunState,
  observed: ObservedState,
  fenced: ReadonlySet<NodeName>,
): ReadonlyMap<VmName, ErrorBody> {
  const expected = expectedVms(plan, state);
  const vms = Object.fromEntries([...expected].map(([vm, { seen }]) => [vm, seen]));
  const refused = new Map<VmName, ErrorBody>();
  for (const { vm, now, text } of findStale({ ...plan, base: { ...plan.base, vms } }, observed, fenced)) {
    const { seen, orOn = [] } = expected.get(vm) ?? { seen: null };
    // A step that was begun may have been done: asked again, its agent says which.
    const homes = new Set<NodeName>([...(seen === null ? [] : [seen.node]), ...orOn]);
    // One that was being moved may be seen at both its ends.
    const isDoubtful = orOn.length > 0 && now !== null && now.every(({ node }) => homes.has(node));
    if (isDoubtful) continue;
    const hint = "it was changed while nobody executed the run, and nothing is done to it; make a new plan";
    refused.set(vm, { code: "PLAN_STALE", message: text, hint });
  }
  return refused;
}

/** What is still to be done for sure: of VMs with a step in doubt, nobody knows what they hold. */
function restOf(plan: Plan, state: RunState, refused: ReadonlyMap<VmName, ErrorBody>): Plan {
  const expected = expectedVms(plan, state);
  const isOpen = (vm: VmName) => expected.get(vm)?.orOn.length === 0 && !refused.has(vm);
  const steps = plan.steps.filter((step) => isOpen(step.vm) && state.steps.get(step.id)?.kind !== "ended");
  const left = new Set(steps.map((step) => step.id));
  return { ...plan, steps: steps.map((step) => ({ ...step, after: step.after.filter((id) => left.has(id)) })) };
}
