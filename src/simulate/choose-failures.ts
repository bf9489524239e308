/** Which failures befall a simulated run: by chance, and the same for the same seed. */
import type { NodeName } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { InjectedFailure } from "../report/what-if/simulation-document.ts";
import { describeStep } from "../schedule/step.ts";

/** `horizonSeconds`: how long the run takes when nothing fails. Fewer than `count` only where the plan has no steps. */
export function chooseFailures(plan: Plan, count: number, seed: number, horizonSeconds: number): InjectedFailure[] {
  if (plan.steps.length === 0) return [];
  const next = chance(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)] as Item;
  const seconds = (most: number): number => Math.round(next() * most * 10) / 10;
  const nodes = nodesOf(plan);
  const failures = Array.from({ length: count }, (): InjectedFailure => {
    const atSeconds = seconds(horizonSeconds);
    // Long enough that all tries are over for some, and short enough that they help others.
    const forSeconds = 0.5 + seconds(20);
    const kind = pick(["agent-dies", "link-cut", "step-refused"] as const);
    if (kind === "agent-dies")
      return { kind, atSeconds, node: pick(nodes), forSeconds: next() < 0.5 ? null : forSeconds };
    if (kind === "link-cut") {
      const node = pick(nodes);
      const others = nodes.filter((each) => each !== node);
      const to = next() < 0.5 || others.length === 0 ? null : pick(others);
      return { kind, atSeconds, forSeconds, node, to };
    }
    const step = pick(plan.steps);
    return { kind, atSeconds: 0, step: step.id, title: describeStep(step) };
  });
  return failures.sort((a, b) => a.atSeconds - b.atSeconds);
}

/** In the order in which the plan comes to them. */
function nodesOf({ steps }: Plan): readonly NodeName[] {
  const nodes = new Set<NodeName>();
  for (const step of steps) {
    nodes.add(step.node);
    if (step.kind === "migrateVm") nodes.add(step.fromNode);
  }
  return [...nodes];
}

/** mulberry32: 0 to 1, the same row for the same seed on every machine. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
