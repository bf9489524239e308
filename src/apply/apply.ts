/**
 * Carries out a plan: the only place where the fleet is changed. It has no judgement: what happens is all in the plan.
 *
 *   Plan → step-graph.ts → [apply.ts] → run-steps.ts (order, limits) → step-runner.ts → retry.ts → perform-step.ts → agents
 *                               └──► ApplyEvent … ApplyReport → report/
 *
 * Checking that the world is still as the plan saw it comes before: `find-stale.ts`. Each step checks its own VM again.
 */
import type { ErrorBody } from "../model/errors.ts";
import type { Digest, NodeName, VmName } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { Clock } from "../platform/clock.ts";
import type { Sleep } from "../platform/sleep.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import type { ApplyEvent, ApplyReport, EndedStep, StepReport } from "./apply-report.ts";
import { EventSink } from "./event-sink.ts";
import type { Limits } from "./ready-queue.ts";
import { refuseUnrunnable } from "./refuse-unrunnable.ts";
import { RETRY_POLICY, type RetryPolicy } from "./retry.ts";
import { runSteps } from "./run-steps.ts";
import { toStepGraph } from "./step-graph.ts";
import { NO_JOURNAL, type StepJournal } from "./step-journal.ts";
import { StepRunner } from "./step-runner.ts";

export interface ApplyOptions {
  /** The texts that specs refer to by digest: `DesiredState.files`. */
  readonly files: ReadonlyMap<Digest, string>;
  /** Of a node's agent, as other nodes reach it. */
  readonly addressOf: (node: NodeName) => string;
  /** A secret for each move of a guest: random, at least 128 bits. */
  readonly newTicket: () => string;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** First Ctrl-C: nothing new begins, what is in flight is finished, retries included. */
  readonly signal: AbortSignal;
  /** Second Ctrl-C: no more waiting. The agents finish what they have begun. */
  readonly hardSignal?: AbortSignal;
  /** Called in order, at once. Should it throw, apply stops as by `signal` and rejects with that error. */
  readonly onEvent?: (event: ApplyEvent) => void;
  readonly retries?: RetryPolicy;
  /** Which run this is: agents keep it with what they do, for others who want the same VM. */
  readonly run?: string;
  /** What an earlier executor of the same run came to. None of it is begun again. */
  readonly before?: readonly EndedStep[];
  /** Ids of the steps that an earlier executor began and did not see the end of: they are asked for again, however late it is. */
  readonly begun?: ReadonlySet<string>;
  /** Told of what must be known to carry the run on. As `onEvent`, should it throw. */
  readonly journal?: StepJournal;
  /** VMs that are not as this plan needs them any more: their steps fail, untried. */
  readonly refused?: ReadonlyMap<VmName, ErrorBody>;
}

/**
 * Resolves with the report however the steps went. Rejects with PLAN_REFUSED, PLAN_BROKEN or PLAN_STALE, before anything
 * was begun, for a plan that must not or cannot be carried out.
 */
export async function apply(
  plan: Plan,
  agents: (node: NodeName) => AgentApi,
  options: ApplyOptions,
): Promise<ApplyReport> {
  const { files, limits, clock, sleep, signal, retries = RETRY_POLICY, before = [] } = options;
  const hardSignal = options.hardSignal ?? new AbortController().signal;
  const graph = toStepGraph(plan.steps);
  refuseUnrunnable(plan, files, new Set(before.map(({ report }) => report.id)));

  const startedAt = clock.now();
  const events = new EventSink(options.onEvent);
  events.emit({ event: "started", at: startedAt, steps: plan.steps.length });
  const { addressOf, newTicket, run, journal = NO_JOURNAL, refused = new Map(), begun = new Set() } = options;
  const runner = new StepRunner(
    {
      plan,
      agents,
      addressOf,
      newTicket,
      files,
      clock,
      sleep,
      retries,
      hardSignal,
      events,
      run,
      journal,
      refused,
      begun,
    },
    before,
  );
  const { interrupted } = await runSteps(graph, runner, {
    limits,
    before: new Map(before.map(({ report }) => [report.id, report.outcome])),
    signal: AbortSignal.any([signal, events.broken]),
    hardSignal,
  });
  const steps = plan.steps.map(({ id }) => runner.reports.get(id) as StepReport);
  const counts = count(steps);
  const report: ApplyReport = {
    kind: "ApplyReport",
    version: 1,
    planId: plan.id,
    startedAt,
    endedAt: clock.now(),
    outcome: interrupted ? "interrupted" : counts.failed > 0 ? "failed" : "done",
    counts,
    steps,
  };
  events.emit({ event: "ended", report });
  events.broken.throwIfAborted();
  return report;
}

function count(steps: readonly StepReport[]): ApplyReport["counts"] {
  const counts = { done: 0, failed: 0, skipped: 0 };
  for (const step of steps) counts[step.outcome]++;
  return counts;
}
