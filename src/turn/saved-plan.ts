/**
 * A plan that was saved and reviewed, made ready to be carried out: the world is looked at again, and when a VM that
 * the plan touches has moved on, nothing is begun.
 */
import { findStale, refuseStale } from "../apply/find-stale.ts";
import { readPlanFile } from "../apply/plan-file.ts";
import { refuseAssumed } from "../apply/refuse-unrunnable.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { checkPlan } from "../plan/check-plan.ts";
import type { Plan } from "../plan/plan-document.ts";
import { type AgentAccess, connectAgents, observeAgents } from "./connect-agents.ts";
import type { PlannedFleet, PlanRequest } from "./plan-fleet.ts";
import { type Fleet, loadFleet } from "./read-fleet.ts";

export interface SavedPlanRequest extends Pick<PlanRequest, "location" | "access" | "clock"> {
  readonly path: string;
}

/** Rejects with PLAN_FILE_INVALID, PLAN_VERSION or PLAN_STALE. The manifests give the agents' addresses and secret texts; what is done is the plan's alone. */
export async function openSavedPlan(request: SavedPlanRequest, signal: AbortSignal): Promise<PlannedFleet> {
  const plan = await readPlanFile(request.path);
  refuseAssumed(plan);
  return await lookAgain(plan, request, signal, (fleet, observed) => {
    refuseStale(plan, findStale(plan, observed, fencedNodes(fleet.desired)));
    refuseOverfull(plan, fleet, observed);
  });
}

export const fencedNodes = ({ nodes }: DesiredState): ReadonlySet<NodeName> =>
  new Set(nodes.filter((node) => node.fenced).map((node) => node.name));

/** A plan of before beside the manifests, as given or as they are now, and the world of now. `path`: what it is called. What `check` throws, this rejects with. */
export async function lookAgain(
  plan: Plan,
  { path, location, access, clock, fleet: given }: SavedPlanRequest & { readonly fleet?: Fleet },
  signal: AbortSignal,
  check: (fleet: Fleet, observed: ObservedState) => void,
): Promise<PlannedFleet> {
  const fleet = given ?? (await loadFleet(location, signal));
  const { desired } = fleet;
  if (desired.fleet.name !== plan.fleet) {
    throw new OdoroboError(
      "PLAN_STALE",
      `${path} is a plan for the fleet ${plan.fleet}, and ${fleet.source} is the fleet ${desired.fleet.name}`,
      {
        hint: "give the fleet that the plan was made from: --fleet FOLDER, or --repo and --ref",
      },
    );
  }
  const agents = await connectAgents(desired.nodes, access, fleet.specs);
  try {
    const observed = await observeAgents(desired.nodes, agents, { access, clock, signal });
    check(fleet, observed);
    return { plan, fleet, observed, agents, clock, [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
  } catch (error) {
    await agents[Symbol.asyncDispose]();
    throw error;
  }
}

/** A plan that waited for an approval, beside the world of now. Rejects with PLAN_STALE; nothing was begun then. */
export async function seenAgain(
  planned: PlannedFleet,
  access: AgentAccess,
  signal: AbortSignal,
): Promise<PlannedFleet> {
  const { plan, fleet, agents, clock } = planned;
  const { desired } = fleet;
  const observed = await observeAgents(desired.nodes, agents, { access, clock, signal });
  refuseStale(plan, findStale(plan, observed, fencedNodes(desired)));
  refuseOverfull(plan, fleet, observed);
  return { ...planned, observed };
}

/** The VMs of the plan have not moved, but others may have taken the room it counted on. */
export function refuseOverfull(plan: Plan, fleet: Fleet, observed: ObservedState): void {
  const violations = checkPlan(plan, fleet.desired, observed).filter(
    (each) => each.promise === "capacity" || each.promise === "one-home",
  );
  if (violations.length === 0) return;
  throw new OdoroboError(
    "PLAN_STALE",
    `plan ${plan.id} no longer fits: ${violations.map((each) => each.message).join("; ")}`,
    {
      hint: "nothing was begun; make a new plan",
    },
  );
}
