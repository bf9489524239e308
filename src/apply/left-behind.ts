/**
 * What the steps of this run left behind, VM by VM: the precondition of a VM's next step in the same plan.
 * By node as well, because generation and serial are one agent's own count.
 */
import type { Step } from "../schedule/step.ts";
import type { Expectation, OperationResult } from "../wire/operations.ts";

export class LeftBehind {
  readonly #left = new Map<string, Expectation>();

  remember(step: Step, { after }: OperationResult): void {
    if (after === null) this.#left.delete(keyOf(step));
    else this.#left.set(keyOf(step), { generation: after.generation, serial: after.serial });
  }

  /** Null: nothing. The VM is new there, or gone. */
  by(step: Step): Expectation | null {
    return this.#left.get(keyOf(step)) ?? null;
  }
}

const keyOf = (step: Step): string => `${step.node}/${step.vm}`;
