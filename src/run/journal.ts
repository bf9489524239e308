/**
 * A run's journal: what happened to one apply, in order, only ever added to. The same wherever a run is executed and kept.
 * Described by `schemas/run-event.schema.json`, one event a line. No secrets: texts stay where the manifests are.
 *
 *   [journal.ts] → state.ts (what it comes to) → decide.ts (what next)
 */
import type { StepReport } from "../apply/apply-report.ts";
import type { Limits } from "../apply/ready-queue.ts";
import type { Instant } from "../model/names.ts";
import type { Expectation } from "../wire/operations.ts";

/**
 * Raised when an older reader would misread a journal. A reader refuses every version that is not here. `2`: of a run that waits for
 * an approval before anything of it begins, which a reader of `1` would carry on as one that was left.
 */
export const RUN_VERSIONS = [1, 2] as const;

/** What an executor needs beside the plan, to read the manifests again. Paths and addresses, no secrets. */
export interface RunOrigin {
  readonly location:
    | { readonly kind: "folder"; readonly path: string }
    | { readonly kind: "git"; readonly url: string; readonly ref: string | null; readonly path: string | null };
  readonly tokenFile?: string | undefined;
  readonly tls?: {
    readonly caFile?: string | undefined;
    readonly certFile?: string | undefined;
    readonly keyFile?: string | undefined;
  };
}

export interface RunBegun {
  readonly event: "begun";
  readonly at: Instant;
  readonly version: (typeof RUN_VERSIONS)[number];
  readonly run: string;
  /** The plan's id. The plan itself is kept beside the journal. */
  readonly plan: string;
  readonly fleet: string;
  readonly source: string;
  readonly commit: string | null;
  readonly steps: number;
  readonly limits: Limits;
  readonly origin: RunOrigin;
  /** Who executes it: `me@laptop, process 4711`. For people. */
  readonly by: string;
  /** Nothing of it begins before somebody approves it. Left out, of version 1: it begins at once. */
  readonly asks?: { readonly revision: string };
}

export type RunEvent =
  | RunBegun
  /** Somebody else executes it from here on. */
  | { readonly event: "taken-up"; readonly at: Instant; readonly by: string }
  | { readonly event: "step-started"; readonly at: Instant; readonly step: string }
  | ({ readonly event: "step-succeeded"; readonly left: Expectation | null } & StepEnd<
      "noop" | "attempts" | "milliseconds" | "warnings"
    >)
  | ({ readonly event: "step-failed" } & StepEnd<"error" | "attempts" | "milliseconds">)
  /** Will never be begun, because of one that failed. */
  | ({ readonly event: "step-skipped" } & StepEnd<"skippedBecause">)
  /** Nothing new begins; what is in flight ends. */
  | { readonly event: "paused"; readonly at: Instant; readonly by: string }
  | { readonly event: "resumed"; readonly at: Instant; readonly by: string }
  /** What has not begun never begins. */
  | { readonly event: "aborted"; readonly at: Instant; readonly by: string }
  /** Of one that waited: what it would do may be done. */
  | { readonly event: "approved"; readonly at: Instant; readonly by: string }
  | {
      readonly event: "ended";
      readonly at: Instant;
      readonly outcome: RunOutcome;
      /** Who ended it, where that is not who executed it. */
      readonly by?: string;
      /** For people. */
      readonly reason?: string;
    };

/** `refused`: somebody turned down what it would have done. `replaced`: it was asked for no longer. Nothing of such a run was begun. */
export type RunOutcome = "done" | "failed" | "aborted" | "refused" | "replaced";

type StepEnd<Fields extends keyof StepReport> = {
  readonly at: Instant;
  readonly step: string;
} & Pick<StepReport, Fields>;
