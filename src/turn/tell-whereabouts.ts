/**
 * Before the first step of an apply: some agents are told where the fleet's VMs are and will be. Should a node leave the
 * manifests later, they know that its VMs are not simply gone (see `reconcile/locate-vms.ts`).
 */
import type { DesiredState } from "../model/desired-state.ts";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import { sameValue } from "../model/fields.ts";
import type { NodeName } from "../model/names.ts";
import type { NodeReport, ObservedState, Whereabouts } from "../model/observed-state.ts";
import type { Plan } from "../plan/plan-document.ts";
import { whereaboutsFor } from "../plan/whereabouts.ts";
import { mapWithLimit } from "../platform/limit.ts";
import type { Agents } from "./connect-agents.ts";

/** Enough that losing some nodes loses no memory, few enough that a fleet of 500 is not told 500 times. */
const WITNESSES = 7;

export interface WhereaboutsRequest {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly agents: Agents;
  readonly signal: AbortSignal;
}

/** Rejects, with AGENT_UNREACHABLE or what an agent answered, when none of them could be told and VMs are to be created: nothing has been done then. */
export async function tellWhereabouts({ plan, desired, observed, agents, signal }: WhereaboutsRequest): Promise<void> {
  const told = whereaboutsFor(plan, desired, observed);
  const reports = observed.nodes.flatMap((node) => (node.reach === "answered" ? [node.report] : []));
  const witnesses = reports.slice(0, WITNESSES);
  // One that takes itself for the only node starts VMs by itself: it must hear of the others, witness or not.
  const misled = reports.slice(WITNESSES).filter((report) => noteOf(report, told)?.nodes?.length === 1);
  const untold = [...witnesses, ...misled].filter((report) => !knows(report, told));
  if (untold.length === 0) return;
  const results = await mapWithLimit(untold, WITNESSES, ({ node }) => tell(agents, node.name, told, signal));
  // Interrupted: apply begins nothing and says so.
  if (signal.aborted) return;
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  const creates = plan.steps.some((step) => step.kind === "createVm");
  if (!creates || failures.length < witnesses.length) return;
  // What an agent answered says more than that another did not answer.
  const cause = failures.find((each) => isOdoroboError(each) && !each.retryable) ?? failures[0];
  const code = isOdoroboError(cause) ? cause.code : "AGENT_UNREACHABLE";
  throw new OdoroboError(code, "no agent could note where the fleet's VMs are, so none is created", {
    cause,
    hint: "nothing was done; are the agents up, and is there room on their disks?",
  });
}

const noteOf = (report: NodeReport, { fleet }: Whereabouts): Whereabouts | undefined =>
  report.whereabouts?.find((each) => each.fleet === fleet);

function knows(report: NodeReport, told: Whereabouts): boolean {
  const { homes = {}, nodes = [], ids = {}, missingSince = {} } = noteOf(report, told) ?? {};
  return (
    sameValue(homes, told.homes) &&
    sameValue(nodes, told.nodes ?? []) &&
    sameValue(ids, told.ids ?? {}) &&
    sameValue(missingSince, told.missingSince ?? {})
  );
}

/** An older agent takes no field that it does not know: it is told what it does. */
async function tell(agents: Agents, node: NodeName, told: Whereabouts, signal: AbortSignal): Promise<void> {
  const { serial: _serial, ids: _ids, missingSince: _missing, ...asBefore } = told;
  try {
    await agents.of(node).tellWhereabouts(told, signal);
  } catch (error) {
    if (!isOdoroboError(error, "BAD_REQUEST")) throw error;
    await agents.of(node).tellWhereabouts(asBefore, signal);
  }
}
