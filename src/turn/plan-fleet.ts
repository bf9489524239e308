/**
 * One turn up to the plan: read → observe → plan → check. What `plan`, `diff`, `apply` and `destroy` begin with.
 *
 *   read-fleet.ts → observe-nodes.ts → [plan-fleet.ts] → report/, apply-plan.ts
 */

import type { Selection } from "../model/changes.ts";
import { digestOf } from "../model/digest.ts";
import { OdoroboError } from "../model/errors.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { type Assumption, assume, showAssumption } from "../plan/assume.ts";
import { assertPlanKeepsPromises } from "../plan/check-plan.ts";
import type { Allowances } from "../plan/guards.ts";
import { makePlan } from "../plan/make-plan.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { PlanMemory } from "../plan/plan-memory.ts";
import type { Clock } from "../platform/clock.ts";
import { type AgentAccess, type Agents, connectAgents, observeAgents } from "./connect-agents.ts";
import { planLookingAhead } from "./look-around.ts";
import { type Fleet, type FleetLocation, loadFleet } from "./read-fleet.ts";
import { requireNodes } from "./require-nodes.ts";
import { warnOfFences } from "./warn-of-fences.ts";

export interface PlanRequest {
  readonly location: FleetLocation;
  readonly access: AgentAccess;
  readonly selection: Selection | null;
  readonly allowances: Allowances;
  readonly clock: Clock;
  /** Nodes that are taken to be down, whether they are or not. */
  readonly assumptions?: readonly Assumption[];
}

/** A plan with what is needed to carry it out. Disposing closes the connections. */
export interface PlannedFleet extends AsyncDisposable {
  readonly plan: Plan;
  readonly fleet: Fleet;
  readonly observed: ObservedState;
  readonly agents: Agents;
  readonly clock: Clock;
}

/** Rejects with MANIFEST_INVALID, SOURCE_EMPTY and the errors of sources. Silent nodes are in the plan, not errors. */
export const planFleet = async (request: PlanRequest, signal: AbortSignal): Promise<PlannedFleet> =>
  await unlessEmptying(await planFor(await loadFleet(request.location, signal), request, signal));

/** The same; of one that `refuseEmptying` has something against the connections are closed. */
export async function unlessEmptying(planned: PlannedFleet): Promise<PlannedFleet> {
  try {
    refuseEmptying(planned);
    return planned;
  } catch (error) {
    await planned[Symbol.asyncDispose]();
    throw error;
  }
}

/** A plan that deletes what this fleet has, as if every manifest of a VM were removed. Protected VMs are blocked in it. */
export async function planDestruction(request: PlanRequest, signal: AbortSignal): Promise<PlannedFleet> {
  const fleet = await loadFleet(request.location, signal);
  const desired = { ...fleet.desired, vms: [], digest: digestOf([fleet.desired.digest, "destroy"]) };
  return await planFor({ ...fleet, desired }, request, signal, "odorobo destroy asks for it");
}

export async function planFor(
  fleet: Fleet,
  request: PlanRequest,
  signal: AbortSignal,
  removedBecause?: string,
): Promise<PlannedFleet> {
  const { access, clock, assumptions = [] } = request;
  requireNodes(fleet.desired, assumptions);
  const nodes = fleet.desired.nodes.filter(({ name }) => !assumptions.some(({ node }) => node === name));
  const agents = await connectAgents(nodes, access, fleet.specs);
  try {
    const observed = await observeAgents(nodes, agents, { access, clock, signal });
    return await planSeen({ fleet, observed, agents }, request, signal, removedBecause);
  } catch (error) {
    await agents[Symbol.asyncDispose]();
    throw error;
  }
}

/** A fleet, and what its agents said. */
export interface SeenFleet {
  readonly fleet: Fleet;
  readonly observed: ObservedState;
  /** The plan's, from now on: disposing of that closes them. */
  readonly agents: Agents;
  /** Asks all of them, where not all were: it is needed before anything is planned to be done. */
  readonly askAll?: () => Promise<ObservedState>;
  readonly memory?: PlanMemory;
}

/** The part of a turn that comes after looking. Where it rejects, the agents are still the caller's. */
export async function planSeen(
  { fleet, observed: answered, agents, askAll, memory }: SeenFleet,
  {
    clock,
    selection,
    allowances,
    assumptions = [],
  }: Pick<PlanRequest, "clock" | "selection" | "allowances" | "assumptions">,
  signal: AbortSignal,
  removedBecause?: string,
): Promise<PlannedFleet> {
  const { source, commit } = fleet;
  const assumed = assumptions.map(showAssumption);
  const { desired, observed: seen } = assume(fleet.desired, answered, assumptions);
  const make = (observed: ObservedState) =>
    makePlan({
      desired,
      observed,
      source,
      commit,
      selection,
      allowances,
      assumed,
      ...(memory !== undefined && { memory }),
      ...(removedBecause !== undefined && { removedBecause }),
    });
  const first = make(seen);
  const mustAsk = askAll !== undefined && first.steps.length > 0;
  const known = mustAsk ? assume(fleet.desired, await askAll(), assumptions).observed : seen;
  const makeOnce = (observed: ObservedState) => (observed === seen ? first : make(observed));
  const { plan, observed } = await planLookingAhead(known, makeOnce, (node) => agents.of(node), signal);
  assertPlanKeepsPromises(plan, desired, observed);
  const warned = warnOfFences(fleet, observed);
  return { plan, fleet: warned, observed, agents, clock, [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
}

/** Manifests that name no VM at all are more often a wrong folder or a bad merge than a wish to delete all that runs. */
function refuseEmptying({ plan, fleet }: Pick<PlannedFleet, "plan" | "fleet">): void {
  const lost = plan.summary.destroy;
  if (fleet.desired.vms.length > 0 || lost === 0) return;
  throw new OdoroboError(
    "SOURCE_EMPTY",
    `${fleet.source} names no VM, and the fleet ${plan.fleet} has ${lost}: nothing is deleted because of that`,
    {
      hint: "is it the right folder, ref and path? To delete them all: odorobo destroy",
    },
  );
}
