/** What must hold of the runs of all loops on one fleet, whoever was killed when. */
import { isWorse } from "../../src/model/change-class.ts";
import type { RunStore } from "../../src/run/run-store.ts";

interface Acted {
  readonly store: number;
  readonly run: string;
  readonly step: string;
  readonly from: number;
  readonly to: number;
}

/** Empty: all is well. Every loop has ended. */
export async function findViolations(stores: readonly RunStore[]): Promise<readonly string[]> {
  const violations: string[] = [];
  const acted: Acted[] = [];
  const left = new Map<string, string>();
  for (const [store, runs] of stores.entries()) {
    const { runs: all, unreadable } = await runs.list();
    for (const { id, problem } of unreadable) violations.push(`${id} cannot be read: ${problem}`);
    for (const { id, state } of all) {
      const plan = await runs.plan(id);
      const node = new Map(plan.steps.map((step) => [step.id, step]));
      const isBegun = state.steps.size > 0;
      const mustAsk = plan.changes.some((change) => isWorse(change.class, "live"));
      if (isBegun && mustAsk && state.approvedBy === null) violations.push(`${id} was begun without an approval`);
      if (state.approvedBy !== null && state.outcome === null) violations.push(`${id} was approved, and is left`);
      if (isBegun && (state.outcome === "refused" || state.outcome === "replaced"))
        violations.push(`${id} was begun, and is ${state.outcome}`);
      const started = new Map<string, number>();
      for await (const event of runs.follow(id, new AbortController().signal)) {
        if (event.event === "step-started") started.set(event.step, Date.parse(event.at));
        if (event.event !== "step-succeeded" && event.event !== "step-failed") continue;
        const from = started.get(event.step);
        if (from !== undefined) acted.push({ store, run: id, step: event.step, from, to: Date.parse(event.at) });
        if (event.event !== "step-succeeded" || event.noop || event.left === null) continue;
        const step = node.get(event.step);
        const key = `${step?.vm} on ${step?.node}, serial ${event.left.serial}, generation ${event.left.generation}`;
        const other = left.get(key);
        if (other !== undefined) violations.push(`${other} and ${id} ${event.step} both left ${key}`);
        left.set(key, `${id} ${event.step}`);
      }
    }
  }
  for (const one of acted)
    for (const other of acted)
      if (one.store < other.store && one.from < other.to && other.from < one.to)
        violations.push(`two loops acted at once: ${one.run} ${one.step} and ${other.run} ${other.step}`);
  return violations;
}
