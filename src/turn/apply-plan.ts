/** Carries out a plan that was made or read a moment ago: apply/ with the fleet's limits, the real clock and its own agents. */
import { apply } from "../apply/apply.ts";
import type { ApplyEvent, ApplyReport } from "../apply/apply-report.ts";
import type { DesiredState, FleetPolicy } from "../model/desired-state.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { Clock } from "../platform/clock.ts";
import { systemSleep } from "../platform/sleep.ts";
import type { Agents } from "./connect-agents.ts";
import { tellWhereabouts } from "./tell-whereabouts.ts";

export interface ApplyRequest {
  readonly plan: Plan;
  readonly desired: DesiredState;
  /** What the plan was made from, or checked against a moment ago. */
  readonly observed: ObservedState;
  readonly agents: Agents;
  readonly clock: Clock;
  /** At most this many steps at a time, in all; null: as the fleet's policy says. */
  readonly parallelism: number | null;
  /** First Ctrl-C. */
  readonly signal: AbortSignal;
  /** Second Ctrl-C. */
  readonly hardSignal: AbortSignal;
  readonly onEvent: (event: ApplyEvent) => void;
}

/** A plan with nothing to do gives a report of nothing done; agents that are new hear of the fleet all the same. */
export async function applyPlan(request: ApplyRequest): Promise<ApplyReport> {
  const { plan, desired, agents, clock, signal, hardSignal, onEvent } = request;
  if (!signal.aborted) await tellWhereabouts(request);
  const limits = toLimits(desired.fleet.policy.parallelism, request.parallelism);
  return await apply(plan, (node) => agents.of(node), {
    files: desired.files,
    limits,
    clock,
    sleep: systemSleep,
    signal,
    hardSignal,
    onEvent,
  });
}

function toLimits(policy: FleetPolicy["parallelism"], total: number | null): FleetPolicy["parallelism"] {
  return total === null ? policy : { total, perNode: Math.min(policy.perNode, total) };
}
