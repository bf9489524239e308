/** What may begin now: images are fetched beside everything else, under limits of their own, so that nobody waits for a long download who does not need it. */
import type { Step } from "../schedule/step.ts";
import { type Limits, ReadyQueue } from "./ready-queue.ts";

/** As many as an agent fetches at the same moment; more would only wait there. */
const FETCHES_PER_NODE = 2;

export class StepQueue {
  readonly #steps: readonly Step[];
  readonly #fetches: ReadyQueue;
  readonly #others: ReadyQueue;

  constructor(steps: readonly Step[], limits: Limits) {
    this.#steps = steps;
    this.#fetches = new ReadyQueue(steps, { total: limits.total, perNode: FETCHES_PER_NODE });
    this.#others = new ReadyQueue(steps, limits);
  }

  add(step: number): void {
    this.#queueOf(step).add(step);
  }

  /** The step to start now, counted as in flight from here on; null: none may. */
  take(): number | null {
    return this.#fetches.take() ?? this.#others.take();
  }

  release(step: number): void {
    this.#queueOf(step).release(step);
  }

  #queueOf(step: number): ReadyQueue {
    return this.#steps[step]?.kind === "fetch" ? this.#fetches : this.#others;
  }
}
