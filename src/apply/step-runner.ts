/**
 * One step from its start to its report: performs it with retries, remembers what it left behind, tells everyone.
 *
 *   run-steps.ts (when) ◄──► [step-runner.ts] → retry.ts → perform-step.ts (what)
 *                                  └──► ApplyEvent, StepReport
 */
import type { ErrorBody, OdoroboError } from "../model/errors.ts";
import { toErrorBody } from "../model/errors.ts";
import type { ImageFetch } from "../model/image-fetch.ts";
import type { Digest, NodeName, VmName } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { Clock } from "../platform/clock.ts";
import type { Sleep } from "../platform/sleep.ts";
import { describeStep, isOfVm, type Step } from "../schedule/step.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import type { Expectation } from "../wire/operations.ts";
import type { EndedStep, StepReport } from "./apply-report.ts";
import type { EventSink } from "./event-sink.ts";
import { explainFailure, notBegun, notWaitedFor } from "./explain-failure.ts";
import { LeftBehind } from "./left-behind.ts";
import { performStep } from "./perform-step.ts";
import { NodePatience, type RetryPolicy, withRetries } from "./retry.ts";
import type { SkipReason, StepActions, StepResult } from "./run-steps.ts";
import type { StepJournal } from "./step-journal.ts";

interface StepRunnerParts {
  readonly plan: Plan;
  readonly agents: (node: NodeName) => AgentApi;
  readonly addressOf: (node: NodeName) => string;
  readonly newTicket: () => string;
  readonly files: ReadonlyMap<Digest, string>;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly retries: RetryPolicy;
  readonly hardSignal: AbortSignal;
  readonly events: EventSink;
  readonly run: string | undefined;
  readonly journal: StepJournal;
  readonly refused: ReadonlyMap<VmName, ErrorBody>;
  /** Ids of steps that were begun before. */
  readonly begun: ReadonlySet<string>;
}

const expectationOf = ({ generation, serial }: Expectation): Expectation => ({ generation, serial });

type Ending =
  | { readonly outcome: "done"; readonly noop: boolean; readonly warnings?: readonly string[] }
  | { readonly outcome: "failed"; readonly error: ErrorBody }
  | { readonly outcome: "skipped"; readonly skippedBecause: string };

function sayWhySkipped(step: Step, because: SkipReason): string {
  if (because === "interrupted") return because;
  if ("failed" in because) return `${describeStep(because.failed)} failed`;
  const { late } = because;
  if (late.id !== step.id) return `${describeStep(late)} was too late`;
  return `its window closed at ${late.until} before it could begin; plan again: it waits for the next one`;
}

export class StepRunner implements StepActions {
  /** Of every step that has ended, by id. */
  readonly reports = new Map<string, StepReport>();
  readonly #parts: StepRunnerParts;
  readonly #patience: NodePatience;
  readonly #left = new LeftBehind();
  readonly #leftByTries = new Map<string, Expectation>();
  /** Steps in flight: when they began, and how often they were tried. */
  readonly #begun = new Map<string, { readonly atMs: number; attempts: number }>();

  constructor(parts: StepRunnerParts, before: readonly EndedStep[]) {
    this.#parts = parts;
    this.#patience = new NodePatience(parts.retries);
    for (const { report, left } of before) {
      this.reports.set(report.id, report);
      if (report.outcome === "done") this.#left.remember(report, left);
      parts.events.emit({ event: "step-ended", at: parts.clock.now(), report });
    }
  }

  async perform(step: Step): Promise<StepResult> {
    const { clock, events, hardSignal, journal, refused } = this.#parts;
    const tries = { atMs: clock.monotonicMs(), attempts: 0 };
    this.#begun.set(step.id, tries);
    events.tell(() => journal.started(step));
    // That it began could not be written down: whoever carries on would not know of it, so it does not.
    if (events.broken.aborted) return { succeeded: false, error: notBegun(step) };
    events.emit({ event: "step-started", at: clock.now(), id: step.id, title: describeStep(step) });
    // What is fetched for one is fetched for others, too.
    const refusal = isOfVm(step) ? refused.get(step.vm) : undefined;
    if (refusal !== undefined) return { succeeded: false, error: refusal };
    const expect = step.expect ?? this.#left.by(step);
    try {
      const { agents, addressOf, newTicket, plan, files, sleep, retries, run } = this.#parts;
      const moving = { agentOf: agents, addressOf, newTicket, sleep, leftByTries: this.#leftByTries };
      const attempt = async (number: number) => {
        hardSignal.throwIfAborted();
        await this.#settled();
        tries.attempts = number;
        const agent = agents(step.node);
        const onProgress = (progress: ImageFetch) => this.#tellProgress(step, progress);
        return performStep(step, { plan, files, agent, moving, expect, run, signal: hardSignal, onProgress });
      };
      const result = await withRetries(attempt, {
        node: step.node,
        patience: this.#patience,
        policy: retries,
        sleep,
        signal: hardSignal,
        onRetry: (error, inMilliseconds) => this.#tellRetry(step, error, inMilliseconds),
      });
      this.#left.remember(step, result.after && expectationOf(result.after));
      const warnings = result.detail?.warnings ?? [];
      return { succeeded: true, noop: result.noop, ...(warnings.length === 0 ? {} : { warnings }) };
    } catch (error) {
      return { succeeded: false, error: explainFailure(step, expect, error) };
    }
  }

  /** Should it reject, nothing more begins of the whole run. */
  async #settled(): Promise<void> {
    const { journal, events } = this.#parts;
    try {
      await journal.settled();
    } catch (error) {
      events.tell(() => {
        throw error;
      });
      throw error;
    }
  }

  isTooLate({ id, until }: Step): boolean {
    const { begun, clock } = this.#parts;
    return until !== undefined && !begun.has(id) && Date.parse(clock.now()) >= Date.parse(until);
  }

  ended(step: Step, result: StepResult): void {
    const ending: Ending = result.succeeded
      ? { outcome: "done", noop: result.noop, ...(result.warnings ? { warnings: result.warnings } : {}) }
      : { outcome: "failed", error: result.error };
    this.#end(step, ending, { isForGood: true });
  }

  skipped(step: Step, because: SkipReason): void {
    const skippedBecause = sayWhySkipped(step, because);
    this.#end(step, { outcome: "skipped", skippedBecause }, { isForGood: because !== "interrupted" });
  }

  abandoned(step: Step): void {
    this.#end(step, { outcome: "failed", error: notWaitedFor(step) }, { isForGood: false });
  }

  interrupting(inFlight: number): void {
    const { clock, events } = this.#parts;
    events.emit({ event: "interrupting", at: clock.now(), inFlight });
  }

  #tellProgress({ id }: Step, { bytes, totalBytes, bytesPerSecond }: ImageFetch): void {
    const { clock, events, hardSignal } = this.#parts;
    if (hardSignal.aborted) return;
    events.emit({ event: "step-progress", at: clock.now(), id, bytes, totalBytes, bytesPerSecond });
  }

  #tellRetry(step: Step, error: OdoroboError, inMilliseconds: number): void {
    const { clock, events, hardSignal } = this.#parts;
    if (hardSignal.aborted) return; // The step has been reported already.
    const { id } = step;
    const title = describeStep(step);
    events.emit({ event: "step-retried", at: clock.now(), id, title, error: toErrorBody(error), inMilliseconds });
  }

  /** What does not end for good is open still, should the run be carried on. */
  #end(step: Step, ending: Ending, { isForGood }: { readonly isForGood: boolean }): void {
    const { clock, events, journal } = this.#parts;
    const begun = this.#begun.get(step.id);
    this.#begun.delete(step.id);
    const report: StepReport = {
      id: step.id,
      kind: step.kind,
      vm: step.vm,
      node: step.node,
      title: describeStep(step),
      noop: false,
      attempts: begun?.attempts ?? 0,
      milliseconds: begun === undefined ? 0 : Math.round(clock.monotonicMs() - begun.atMs),
      error: null,
      skippedBecause: null,
      ...ending,
    };
    this.reports.set(step.id, report);
    const left = report.outcome === "done" ? this.#left.by(step) : null;
    if (isForGood) events.tell(() => journal.ended(step, { report, left }));
    events.emit({ event: "step-ended", at: clock.now(), report });
  }
}
