/**
 * Asks every agent at once what is there.
 *
 *   DesiredState.nodes → [observe.ts] → ObservedState → reconcile/
 *
 * What could not be seen is a value: whatever goes wrong with a node makes it silent, with the reason, and never fails or
 * delays the others. The connections are the caller's: nothing is closed here.
 */
import type { DesiredNode } from "../model/desired-state.ts";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import { byName } from "../model/names.ts";
import type { NodeReport, ObservedNode, ObservedState } from "../model/observed-state.ts";
import type { Clock } from "../platform/clock.ts";
import type { AgentApi } from "../wire/agent-api.ts";
import { createSeats } from "./seats.ts";

export interface ObserveOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For each node, from when it is asked. */
  readonly deadlineMs?: number;
  /** How many are asked at the same moment; a node that is slow to answer gives its place to the next. */
  readonly parallelism?: number;
  readonly onProgress?: (progress: ObserveProgress) => void;
}

export interface ObserveProgress {
  readonly nodes: number;
  readonly answered: number;
  readonly silent: number;
}

/** An agent answers within milliseconds; one that takes seconds is overloaded and would be so for the plan too. */
const DEADLINE_MS = 5_000;
/**
 * What is being read lies in memory until it is whole: of 64 at a time the garbage grew old, and a plan of 500 nodes took half as much memory
 * again and a sixth more time. Who is far away gives his seat away soon (`seats.ts`), so that as many a second are asked.
 */
const PARALLELISM = 16;

/** Rejects only with the signal's reason. */
export async function observe(
  nodes: readonly DesiredNode[],
  connect: (node: DesiredNode) => Pick<AgentApi, "report">,
  options: ObserveOptions,
): Promise<ObservedState> {
  const { signal, deadlineMs = DEADLINE_MS, onProgress } = options;
  signal.throwIfAborted();
  // The beginning, not the end: nothing in here is older than it says.
  const at = options.clock.now();
  const seats = createSeats(options.parallelism ?? PARALLELISM);
  const counts = { answered: 0, silent: 0 };
  const seen = await Promise.all(
    nodes.map(async (node) => {
      const leave = await seats.take();
      try {
        const result = await askNode(node, connect, deadlineMs, signal);
        counts[result.reach]++;
        onProgress?.({ nodes: nodes.length, ...counts });
        return result;
      } finally {
        leave();
      }
    }),
  );
  signal.throwIfAborted();
  return { at, nodes: silenceDoubles(seen).toSorted((a, b) => byName(a.name, b.name)) };
}

async function askNode(
  node: DesiredNode,
  connect: (node: DesiredNode) => Pick<AgentApi, "report">,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ObservedNode> {
  try {
    const report = await withinDeadline(deadlineMs, signal, (within) => connect(node).report(within));
    const answeredAs = report.node.name;
    if (answeredAs !== node.name)
      return silentBecause(node, wrongNode(`${node.address} answered as ${answeredAs}, not ${node.name}`));
    return { name: node.name, reach: "answered", report };
  } catch (error) {
    return silentBecause(node, error);
  }
}

/** Two names for one agent: we cannot know which of the two the VMs belong to, so neither is believed. */
function silenceDoubles(seen: readonly ObservedNode[]): ObservedNode[] {
  const byAgent = Map.groupBy(seen, (node) => (node.reach === "answered" ? node.report.node.id : null));
  return seen.map((node) => {
    if (node.reach === "silent") return node;
    const namesakes = byAgent.get(node.report.node.id) ?? [];
    if (namesakes.length === 1) return node;
    const names = namesakes.map((other) => other.name).sort(byName);
    return silentBecause(
      node,
      wrongNode(`${names.join(" and ")} are one and the same agent, or one data folder was copied`),
    );
  });
}

const wrongNode = (message: string) => new OdoroboError("AGENT_WRONG_NODE", message);

function silentBecause({ name }: { readonly name: ObservedNode["name"] }, error: unknown): ObservedNode {
  if (isOdoroboError(error)) return { name, reach: "silent", error: error.message, code: error.code };
  return { name, reach: "silent", error: error instanceof Error ? error.message : String(error), code: "INTERNAL" };
}

/** Also for an AgentApi that does not heed its signal. */
function withinDeadline(
  milliseconds: number,
  signal: AbortSignal,
  ask: (within: AbortSignal) => Promise<NodeReport>,
): Promise<NodeReport> {
  const late = new AbortController();
  return new Promise<NodeReport>((resolve, reject) => {
    // The text is the same for the same deadline: it is part of what a plan is made of.
    const timer = setTimeout(
      () => giveUp(new OdoroboError("AGENT_TIMEOUT", `no answer within ${milliseconds / 1000} s`)),
      milliseconds,
    );
    const onAbort = () => giveUp(signal.reason);
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const giveUp = (reason: unknown) => {
      end();
      reject(reason);
      late.abort();
    };
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    Promise.resolve()
      .then(() => ask(late.signal))
      .then(resolve, reject)
      .finally(end);
  });
}
