/**
 * The DAG of a plan's steps, ready to be walked.
 *
 *   Plan → [step-graph.ts] → run-steps.ts
 *
 * Steps are numbered by their place in the plan. A step only ever waits for earlier ones, so a walk that starts
 * them by number meets no cycle; a plan that says otherwise was not made by `orderSteps` and is refused before anything begins.
 */
import { OdoroboError } from "../model/errors.ts";
import type { Step } from "../schedule/step.ts";

export interface StepGraph {
  readonly steps: readonly Step[];
  /** For each step, the numbers of those that wait for it, in plan order. */
  readonly dependants: readonly (readonly number[])[];
  /** For each step, how many it waits for. */
  readonly waitsFor: readonly number[];
}

export function toStepGraph(steps: readonly Step[]): StepGraph {
  const numbers = new Map<string, number>();
  const dependants: number[][] = steps.map(() => []);
  const waitsFor: number[] = [];
  for (const [number, step] of steps.entries()) {
    if (numbers.has(step.id)) throw broken(`two steps have the id ${step.id}`);
    const after = new Set(step.after);
    for (const id of after) {
      const earlier = numbers.get(id);
      if (earlier === undefined) throw broken(`${step.id} waits for ${id}, which is not an earlier step`);
      dependants[earlier]?.push(number);
    }
    waitsFor.push(after.size);
    numbers.set(step.id, number);
  }
  return { steps, dependants, waitsFor };
}

const broken = (what: string): OdoroboError =>
  new OdoroboError("PLAN_BROKEN", `the plan's steps do not fit together: ${what}`, {
    hint: "nothing was begun; make a new plan, and report this as a bug if it happens again",
  });

/**
 * Everything that cannot happen once this step has failed, in plan order. `settled`: steps whose end is known already; what
 * waits for a skipped one was skipped with it, so no step is visited twice however many failures lead to it.
 */
export function closureOf(graph: StepGraph, number: number, settled: readonly boolean[]): readonly number[] {
  const found = new Set<number>();
  const open = [number];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const dependant of graph.dependants[next] ?? []) {
      if (found.has(dependant) || settled[dependant]) continue;
      found.add(dependant);
      open.push(dependant);
    }
  }
  return [...found].sort((a, b) => a - b);
}
