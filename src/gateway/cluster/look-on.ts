/**
 * A fleet as a gateway that stands by sees it: what the leader's loop remembers, and the agents' own word, with a plan of what is in force
 * that nobody carries out. So it shows the same as the leader, and has read what it takes to go on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../platform/clock.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import { HeldFleet } from "../../turn/held/held-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import type { LoopWatcher, RevisionSource } from "../loop/parts.ts";
import type { LoopState } from "../revision/loop-state.ts";
import type { Cluster } from "./cluster.ts";

export interface LookOnParts {
  readonly cluster: Cluster;
  readonly entry: string;
  readonly look: () => Promise<LoopState | null>;
  readonly source: RevisionSource;
  readonly access: AgentAccess;
  readonly clock: Clock;
  readonly view: Pick<Required<LoopWatcher>, "changed" | "seen">;
  readonly intervalMs: number;
  /** It could not be seen. Must not throw. */
  readonly onTrouble: (error: unknown) => void;
}

/** What is written faster than that is seen at once. */
const APART_MS = 300;

/** Until the signal. */
export async function lookOn(parts: LookOnParts, signal: AbortSignal): Promise<void> {
  const { cluster, entry, look, clock, access, view, intervalMs, onTrouble } = parts;
  await using held = new HeldFleet(access, clock);
  const read = new Map<string, Fleet>();
  let wake = () => {};
  let planned = Number.NEGATIVE_INFINITY;
  let before: string | null = null;
  using _ = cluster.onLoop(entry, () => wake());
  while (!signal.aborted) {
    const hinted = new Promise<void>((resolve) => {
      wake = resolve;
    });
    try {
      const state = await look();
      if (state !== null) view.changed(state);
      const { inForce = null } = state ?? {};
      const isDue = clock.monotonicMs() - planned >= intervalMs;
      if (state !== null && inForce !== null && (isDue || before !== inForce)) {
        planned = clock.monotonicMs();
        const fleet = read.get(inForce) ?? (await readOne(parts, state, inForce, signal));
        read.clear();
        read.set(inForce, fleet);
        await using plan = await held.plan(
          fleet,
          { selection: null, allowances: { maxClass: null, allowDestroy: null } },
          signal,
        );
        view.seen(plan);
        before = inForce;
      }
    } catch (error) {
      if (!signal.aborted) onTrouble(error);
    }
    const over = new AbortController();
    const rest = sleep(Math.min(intervalMs, 10_000), undefined, { signal: AbortSignal.any([signal, over.signal]) });
    await Promise.race([rest.catch(() => {}), hinted]);
    over.abort();
    await sleep(APART_MS, undefined, { signal }).catch(() => {});
  }
}

async function readOne({ source }: LookOnParts, state: LoopState, id: string, signal: AbortSignal): Promise<Fleet> {
  source.recall?.(state.revisions);
  return (await source.read(id, null, signal)).fleet;
}
