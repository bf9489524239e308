/**
 * What the steps of this run left behind, VM by VM: the precondition of a VM's next step in the same plan.
 * By node as well, because generation and serial are one agent's own count.
 */
import type { Step } from "../schedule/step.ts";
import type { Expectation } from "../wire/operations.ts";

export class LeftBehind {
  readonly #left = new Map<string, Expectation>();

  /** Null: no such VM any more. */
  remember(step: Pick<Step, "node" | "vm">, left: Expectation | null): void {
    if (left === null) this.#left.delete(keyOf(step));
    else this.#left.set(keyOf(step), left);
  }

  /** Null: nothing. The VM is new there, or gone. */
  by(step: Step): Expectation | null {
    const node = step.kind === "migrateVm" ? step.fromNode : step.node;
    return this.#left.get(keyOf({ vm: step.vm, node })) ?? null;
  }
}

const keyOf = (step: Pick<Step, "node" | "vm">): string => `${step.node}/${step.vm}`;
