/**
 * Asks the nodes of a plan for the files and bridges that its VMs need, and plans again where one has them not: what could not be done is found
 * here, before anything is begun. A VM that stays as it is needs no question, and a fleet without changes none at all.
 *
 *   make-plan.ts → [look-around.ts] → make-plan.ts
 *
 * An agent that does not answer, or does not know the question, leaves it unknown: the plan goes on as if it had not been asked.
 */
import { type LookQuestion, type Looks, type Need, questionKey } from "../model/boot/boot-needs.ts";
import type { Change } from "../model/changes.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { Plan } from "../plan/plan-document.ts";
import { mapWithLimit } from "../platform/limit.ts";
import { looksByNode, needsFor, whyLacking } from "../reconcile/look-ahead.ts";
import type { AgentApi } from "../wire/agent-api.ts";

export interface Planned {
  readonly plan: Plan;
  readonly observed: ObservedState;
}

type Asked = Map<NodeName, Map<string, LookQuestion>>;

/** Nodes that are asked at the same moment. */
const PARALLELISM = 64;

/** `plan` makes a plan of an observation. Ends because each round asks what was not asked before. Rejects only with the signal's reason. */
export async function planLookingAhead(
  observed: ObservedState,
  plan: (observed: ObservedState) => Plan,
  agentOf: (node: NodeName) => Pick<AgentApi, "lookFor">,
  signal: AbortSignal,
): Promise<Planned> {
  const asked: Asked = new Map();
  let seen = observed;
  for (;;) {
    const made = plan(seen);
    const questions = questionsOf(made, seen, asked);
    if (questions.size === 0) return { plan: made, observed: seen };
    const answers = await ask(questions, agentOf, signal);
    remember(asked, questions);
    seen = withLooks(seen, answers);
    const homeless = refutedNeeds(made, seen);
    if (homeless === null) {
      // What is to be fetched, and how much that is, is part of the plan.
      if (!asksForImages(questions)) return { plan: made, observed: seen };
      continue;
    }
    // Whoever may have to go elsewhere is asked for everywhere at once, not node by node.
    const everywhere = new Map<NodeName, Map<string, LookQuestion>>();
    for (const node of seen.nodes) if (node.reach === "answered") note(everywhere, asked, node.name, homeless);
    remember(asked, everywhere);
    seen = withLooks(seen, await ask(everywhere, agentOf, signal));
  }
}

const asksForImages = (questions: Asked): boolean =>
  [...questions.values()].some((asked) => [...asked.values()].some(({ kind }) => kind === "fetch"));

/** What the plan relies on and nobody was asked. */
function questionsOf(plan: Plan, observed: ObservedState, asked: Asked): Asked {
  const questions: Asked = new Map();
  for (const { node, needs } of needsOf(plan, observed)) note(questions, asked, node, needs);
  return questions;
}

function note(questions: Asked, asked: Asked, node: NodeName, needs: readonly Need[]): void {
  for (const { question } of needs) {
    const key = questionKey(question);
    if (asked.get(node)?.has(key)) continue;
    const known = questions.get(node) ?? new Map<string, LookQuestion>();
    questions.set(node, known.set(key, question));
  }
}

function remember(asked: Asked, questions: Asked): void {
  for (const [node, more] of questions) asked.set(node, new Map([...(asked.get(node) ?? []), ...more]));
}

interface NeedsAt {
  readonly change: Change;
  readonly node: NodeName;
  readonly spec: VmSpec;
  readonly needs: readonly Need[];
}

function* needsOf(plan: Plan, observed: ObservedState): Iterable<NeedsAt> {
  const applied = appliedSpecs(plan, observed);
  for (const change of plan.changes) {
    const known = applied.get(change.name);
    const spec = plan.specs[change.name] ?? known?.spec;
    if (spec === undefined) continue;
    const made = change.action === "create" || change.action === "replace" ? [] : (known?.made ?? []);
    const needs = needsFor(change, spec, made);
    if (needs.length > 0) yield { change, node: change.node, spec, needs };
  }
}

/** Of the plan's VMs alone. */
function appliedSpecs(
  plan: Plan,
  observed: ObservedState,
): ReadonlyMap<VmName, { readonly spec: VmSpec; readonly made: readonly string[] }> {
  const names = new Set(plan.changes.map(({ name }) => name));
  const found = new Map<VmName, { readonly spec: VmSpec; readonly made: readonly string[] }>();
  if (names.size === 0) return found;
  for (const node of observed.nodes) {
    if (node.reach === "silent") continue;
    for (const { name, spec, disks } of node.report.vms)
      if (names.has(name)) found.set(name, { spec, made: disks ?? spec.disks.map((disk) => disk.name) });
  }
  return found;
}

/** Null: the plan stands. Else what the VMs need that would have been made on a node that lacks it. */
function refutedNeeds(plan: Plan, observed: ObservedState): readonly Need[] | null {
  const looks = looksByNode(observed);
  let isRefuted = false;
  const homeless: Need[] = [];
  for (const { change, node, spec, needs } of needsOf(plan, observed)) {
    if (whyLacking(spec, needs, looks.get(node)) === null) continue;
    isRefuted = true;
    if (change.action === "create" || change.action === "replace") homeless.push(...needs);
  }
  return isRefuted ? homeless : null;
}

async function ask(
  questions: Asked,
  agentOf: (node: NodeName) => Pick<AgentApi, "lookFor">,
  signal: AbortSignal,
): Promise<ReadonlyMap<NodeName, Looks>> {
  const answers = new Map<NodeName, Looks>();
  await mapWithLimit([...questions], PARALLELISM, async ([node, asked]) => {
    const list = [...asked.values()];
    const answered = await agentOf(node)
      .lookFor?.(list, signal)
      .catch(() => null);
    signal.throwIfAborted();
    const known = list.flatMap((question, index) => {
      const answer = answered?.[index] ?? null;
      return answer === null ? [] : [[questionKey(question), answer] as const];
    });
    answers.set(node, Object.fromEntries(known));
  });
  return answers;
}

const withLooks = (observed: ObservedState, answers: ReadonlyMap<NodeName, Looks>): ObservedState => ({
  ...observed,
  nodes: observed.nodes.map((node) =>
    node.reach === "answered" && answers.has(node.name)
      ? { ...node, looks: { ...node.looks, ...answers.get(node.name) } }
      : node,
  ),
});
