/** What `runs list` and `runs show` print of runs (`schemas/run-list.schema.json`, `schemas/run.schema.json`). */
import type { ApplyReport } from "../apply/apply-report.ts";
import type { Instant } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import { reportOf } from "../run/resume.ts";
import type { KnownRun, KnownRuns, UnreadableRun } from "../run/run-store.ts";
import { type RunStatus, statusOf } from "../run/state.ts";

export interface RunSummary {
  readonly id: string;
  readonly status: RunStatus;
  readonly fleet: string;
  readonly planId: string;
  readonly source: string;
  readonly commit: string | null;
  readonly counts: {
    readonly steps: number;
    readonly done: number;
    readonly failed: number;
    readonly skipped: number;
    readonly inFlight: number;
  };
  readonly begunAt: Instant;
  /** Of the last thing that happened to it. */
  readonly at: Instant;
  /** Who began it, or, of one that is paused or aborted, who asked for that. */
  readonly by: string;
  /** Of one that waits or waited for an approval: which revision wants it. */
  readonly revision?: string;
  readonly approvedBy?: string;
  /** Why it ended so, where somebody said. */
  readonly reason?: string;
}

export interface RunList {
  readonly kind: "RunList";
  readonly version: 1;
  readonly runs: readonly RunSummary[];
  readonly unreadable: readonly UnreadableRun[];
}

export interface RunDocument extends RunSummary {
  readonly kind: "Run";
  readonly version: 1;
  /** What it has come to so far. */
  readonly report: ApplyReport;
}

export const toRunList = ({ runs, unreadable }: KnownRuns): RunList => ({
  kind: "RunList",
  version: 1,
  runs: runs.map(toRunSummary),
  unreadable,
});

export const toRunDocument = (run: KnownRun, plan: Plan): RunDocument => ({
  kind: "Run",
  version: 1,
  ...toRunSummary(run),
  report: reportOf(plan, run.state),
});

function toRunSummary({ id, state, isExecuted }: KnownRun): RunSummary {
  const { begun, at, by, approvedBy, reason } = state;
  const counts = { steps: begun.steps, done: 0, failed: 0, skipped: 0, inFlight: 0 };
  for (const progress of state.steps.values()) {
    if (progress.kind === "in-flight") counts.inFlight++;
    else if (progress.event.event === "step-succeeded") counts.done++;
    else if (progress.event.event === "step-failed") counts.failed++;
    else counts.skipped++;
  }
  return {
    id,
    status: statusOf(state, isExecuted),
    fleet: begun.fleet,
    planId: begun.plan,
    source: begun.source,
    commit: begun.commit,
    counts,
    begunAt: begun.at,
    at,
    by,
    ...(begun.asks === undefined ? {} : { revision: begun.asks.revision }),
    ...(approvedBy === null ? {} : { approvedBy }),
    ...(reason === null ? {} : { reason }),
  };
}
