/**
 * Walks the DAG: starts each step as soon as all that it waits for has succeeded and the limits leave room. No waves, no barriers.
 * Knows nothing of agents: what a step does, and who is told, is handed in.
 *
 *   step-graph.ts → [run-steps.ts] ◄──► apply.ts
 *
 * Invariants:
 * - Every step that had not ended before ends exactly once: `ended`, `skipped` or `abandoned`.
 * - A failure takes down exactly the steps that wait for it, directly or not; everything else goes on.
 * - A step whose time is over when it could begin is skipped, with those that wait for it.
 * - After `signal` nothing begins; what is in flight is waited for. After `hardSignal` nothing is waited for either.
 */
import type { ErrorBody } from "../model/errors.ts";
import type { Step } from "../schedule/step.ts";
import type { Limits } from "./ready-queue.ts";
import { closureOf, type StepGraph } from "./step-graph.ts";
import { StepQueue } from "./step-queue.ts";

export type StepResult =
  | { readonly succeeded: true; readonly noop: boolean; readonly warnings?: readonly string[] }
  | { readonly succeeded: false; readonly error: ErrorBody };

export type SkipReason = { readonly failed: Step } | { readonly late: Step } | "interrupted";

/** What the walk asks for and tells. None of these may throw or reject: a failure is a result. */
export interface StepActions {
  perform(step: Step): Promise<StepResult>;
  /** Whether the time in which it may be begun is over. */
  isTooLate(step: Step): boolean;
  ended(step: Step, result: StepResult): void;
  /** Will never be begun. */
  skipped(step: Step, because: SkipReason): void;
  /** Begun, and no longer waited for. */
  abandoned(step: Step): void;
  interrupting(inFlight: number): void;
}

interface RunOptions {
  readonly limits: Limits;
  /** Steps that have ended already, by id: they are told to nobody. */
  readonly before: ReadonlyMap<string, "done" | "failed" | "skipped">;
  readonly signal: AbortSignal;
  readonly hardSignal: AbortSignal;
}

/** Resolves when every step has ended; `interrupted`: because of a signal, not all of them in their own time. */
export function runSteps(
  graph: StepGraph,
  actions: StepActions,
  options: RunOptions,
): Promise<{ readonly interrupted: boolean }> {
  return new Walk(graph, actions, options).run();
}

class Walk {
  readonly #graph: StepGraph;
  readonly #actions: StepActions;
  readonly #options: RunOptions;
  readonly #queue: StepQueue;
  readonly #waitsFor: number[];
  readonly #settled: boolean[];
  readonly #inFlight = new Set<number>();
  readonly #end = Promise.withResolvers<{ readonly interrupted: boolean }>();
  /** A signal came: nothing begins any more. */
  #stopping = false;
  #cutShort = false;
  #finished = false;

  constructor(graph: StepGraph, actions: StepActions, options: RunOptions) {
    this.#graph = graph;
    this.#actions = actions;
    this.#options = options;
    this.#queue = new StepQueue(graph.steps, options.limits);
    this.#waitsFor = [...graph.waitsFor];
    this.#settled = graph.steps.map(() => false);
  }

  run(): Promise<{ readonly interrupted: boolean }> {
    const { signal, hardSignal } = this.#options;
    signal.addEventListener("abort", this.#stop);
    hardSignal.addEventListener("abort", this.#abandon);
    if (signal.aborted || hardSignal.aborted) this.#stop();
    this.#takeUp();
    this.#proceed();
    return this.#end.promise;
  }

  /** What ended before counts as if it had just ended. */
  #takeUp(): void {
    const endings = this.#graph.steps.map((step) => this.#options.before.get(step.id));
    for (const [number, ending] of endings.entries()) if (ending !== undefined) this.#settled[number] = true;
    for (const [number, count] of this.#graph.waitsFor.entries()) if (count === 0) this.#offer(number);
    for (const [number, ending] of endings.entries()) {
      if (ending === "done") this.#release(number);
      // Whoever wrote it down may not have come to what waited for it.
      if (ending === "failed") this.#skipDependants(number, { failed: this.#step(number) });
      if (ending === "skipped") this.#skipDependants(number, { late: this.#step(number) });
    }
  }

  #proceed(): void {
    while (!this.#stopping) {
      const next = this.#queue.take();
      if (next === null) break;
      if (this.#actions.isTooLate(this.#step(next))) {
        this.#queue.release(next);
        this.#skip(next, { late: this.#step(next) });
        this.#skipDependants(next, { late: this.#step(next) });
        continue;
      }
      this.#inFlight.add(next);
      this.#perform(next).catch(this.#end.reject);
    }
    if (this.#inFlight.size === 0) this.#finish();
  }

  async #perform(number: number): Promise<void> {
    const result = await this.#actions.perform(this.#step(number));
    // Abandoned meanwhile: it has been told how it ended.
    if (!this.#inFlight.delete(number)) return;
    this.#settled[number] = true;
    this.#queue.release(number);
    this.#actions.ended(this.#step(number), result);
    if (result.succeeded) this.#release(number);
    else this.#skipDependants(number, { failed: this.#step(number) });
    this.#proceed();
  }

  #offer(number: number): void {
    if (!this.#settled[number]) this.#queue.add(number);
  }

  #skipDependants(number: number, because: SkipReason): void {
    for (const dependant of closureOf(this.#graph, number, this.#settled)) this.#skip(dependant, because);
  }

  #release(number: number): void {
    for (const dependant of this.#graph.dependants[number] ?? []) {
      const left = (this.#waitsFor[dependant] as number) - 1;
      this.#waitsFor[dependant] = left;
      if (left === 0) this.#offer(dependant);
    }
  }

  #skip(number: number, because: SkipReason): void {
    if (this.#settled[number]) return;
    this.#settled[number] = true;
    if (because === "interrupted") this.#cutShort = true;
    this.#actions.skipped(this.#step(number), because);
  }

  readonly #stop = (): void => {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#actions.interrupting(this.#inFlight.size);
  };

  readonly #abandon = (): void => {
    this.#stop();
    for (const number of [...this.#inFlight].sort((a, b) => a - b)) {
      this.#inFlight.delete(number);
      this.#settled[number] = true;
      this.#cutShort = true;
      this.#actions.abandoned(this.#step(number));
    }
    this.#finish();
  };

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const { signal, hardSignal } = this.#options;
    signal.removeEventListener("abort", this.#stop);
    hardSignal.removeEventListener("abort", this.#abandon);
    for (const number of this.#settled.keys()) this.#skip(number, "interrupted");
    this.#end.resolve({ interrupted: this.#cutShort });
  }

  #step(number: number): Step {
    return this.#graph.steps[number] as Step;
  }
}
