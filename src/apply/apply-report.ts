/** What happened when a plan was carried out: the stream of events while it runs, and the report at its end (`schemas/apply-report.schema.json`). */
import type { ErrorBody } from "../model/errors.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import type { StepKind } from "../schedule/step.ts";
import type { Expectation } from "../wire/operations.ts";

export interface ApplyReport {
  readonly kind: "ApplyReport";
  readonly version: 1;
  readonly planId: string;
  /** The run that this is the report of: `odorobo runs show`. Left out where none was kept. */
  readonly run?: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  /** `interrupted`: a signal came; what was in flight was finished, nothing new was begun. */
  readonly outcome: "done" | "failed" | "interrupted";
  readonly counts: { readonly done: number; readonly failed: number; readonly skipped: number };
  /** In the plan's order. */
  readonly steps: readonly StepReport[];
}

export interface StepReport {
  readonly id: string;
  readonly kind: StepKind;
  readonly vm: VmName;
  readonly node: NodeName;
  /** describeStep(step) */
  readonly title: string;
  readonly outcome: "done" | "failed" | "skipped";
  /** The agent found it so already. */
  readonly noop: boolean;
  readonly attempts: number;
  readonly milliseconds: number;
  readonly error: ErrorBody | null;
  /** Why it was not tried: "create web-1 on n1 failed", "interrupted". */
  readonly skippedBecause: string | null;
  /** What was left undone, or went wrong beside it, of a step that is done. For people. */
  readonly warnings?: readonly string[];
}

/** How a step ended for good, with what the VM's next step in the same plan counts on. */
export interface EndedStep {
  readonly report: StepReport;
  /** Of a step that is done: generation and serial it left on its node; null: no such VM, or the step is not done. */
  readonly left: Expectation | null;
}

export type ApplyEvent =
  | { readonly event: "started"; readonly at: Instant; readonly steps: number }
  | { readonly event: "step-started"; readonly at: Instant; readonly id: string; readonly title: string }
  | {
      readonly event: "step-retried";
      readonly at: Instant;
      readonly id: string;
      readonly title: string;
      readonly error: ErrorBody;
      readonly inMilliseconds: number;
    }
  /** Of an image that is being fetched. `totalBytes` null: its source does not say. */
  | {
      readonly event: "step-progress";
      readonly at: Instant;
      readonly id: string;
      readonly bytes: number;
      readonly totalBytes: number | null;
      readonly bytesPerSecond: number | null;
    }
  | { readonly event: "step-ended"; readonly at: Instant; readonly report: StepReport }
  | { readonly event: "interrupting"; readonly at: Instant; readonly inFlight: number }
  | { readonly event: "ended"; readonly report: ApplyReport };
