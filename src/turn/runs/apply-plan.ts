/** Carries out a plan that was made or read a moment ago: apply/ with the fleet's limits, the real clock and its own agents. */
import { type ApplyOptions, apply } from "../../apply/apply.ts";
import type { ApplyEvent, ApplyReport } from "../../apply/apply-report.ts";
import type { Limits } from "../../apply/ready-queue.ts";
import type { DesiredState, FleetPolicy } from "../../model/desired-state.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { Clock } from "../../platform/clock.ts";
import { type Sleep, systemSleep } from "../../platform/sleep.ts";
import { makeTicket } from "../../wire/move-guest.ts";
import type { Agents } from "../connect-agents.ts";
import { tellWhereabouts } from "../tell-whereabouts.ts";

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
  readonly sleep?: Sleep;
  /** Of the run that this carries on: what `apply/` is to know of it. */
  readonly run?: Pick<ApplyOptions, "run" | "before" | "begun" | "journal" | "refused" | "limits">;
}

/** A plan with nothing to do gives a report of nothing done; agents that are new hear of the fleet all the same. */
export async function applyPlan(request: ApplyRequest): Promise<ApplyReport> {
  const { plan, desired, agents, clock, signal, hardSignal, onEvent } = request;
  if (!signal.aborted) await tellWhereabouts({ ...request, plan: stillToDo(request) });
  return await apply(plan, (node) => agents.of(node), {
    files: desired.files,
    addressOf: (node) => agents.of(node).address,
    newTicket: makeTicket,
    limits: toLimits(desired.fleet.policy, request.parallelism),
    clock,
    sleep: request.sleep ?? systemSleep,
    signal,
    hardSignal,
    onEvent,
    ...request.run,
  });
}

/** Where a VM was made is no news, and may not be where it is by now. */
function stillToDo({ plan, run }: ApplyRequest): Plan {
  const ended = new Set(run?.before?.map(({ report }) => report.id));
  const steps = plan.steps.filter(({ id, vm }) => !ended.has(id) && run?.refused?.has(vm) !== true);
  return steps.length === plan.steps.length ? plan : { ...plan, steps };
}

/** `total`: at most this many steps at a time, in all; null: as the fleet's policy says. */
export function toLimits({ parallelism, moves }: FleetPolicy, total: number | null): Limits {
  const steps = total === null ? parallelism : { total, perNode: Math.min(parallelism.perNode, total) };
  if (moves === undefined) return steps;
  const ofMoves = { total: moves.total ?? steps.total, perNode: moves.perNode ?? steps.perNode };
  return { ...steps, moves: ofMoves };
}
