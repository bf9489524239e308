/**
 * Somebody wants something of a run that is executed elsewhere, or by nobody: its executor is told, or, when it has none, the journal.
 *
 *   commands/runs, a gateway's API → [command-run.ts] → run/decide.ts → whoever executes it | its journal
 */
import { OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { decide, type RunDecision, type RunOrder } from "../../run/decide.ts";
import type { KnownRun, RunStore } from "../../run/run-store.ts";

/** `id`: the whole one. Resolves with the run as it stands then. Rejects with RUN_OVER, RUN_WAITING or RUN_NOT_WAITING, or what the executor has against it. */
export async function commandRun(store: RunStore, id: string, order: RunOrder, clock: Clock): Promise<KnownRun> {
  // Nobody at it, and yet not to be had: it is just being taken up, or let go.
  while (!(await commandOnce(store, id, order, clock)));
  return await store.find(id);
}

async function commandOnce(store: RunStore, id: string, order: RunOrder, clock: Clock): Promise<boolean> {
  const run = await store.find(id);
  const decision = decide(run.state, { ...order, at: clock.now() }, run.isExecuted ? "other" : "nobody");
  if (decision.next === "tell") return await store.tell(id, order);
  if (toAppend(decision).length === 0) return true;
  if (store.isElsewhere()) return await store.tell(id, order);
  await using claim = await store.claim(id);
  if (claim === null) return false;
  const again = decide(claim.state(), { ...order, at: clock.now() }, "nobody");
  for (const event of toAppend(again)) claim.append(event);
  await claim.settled();
  return true;
}

/** Throws what it refuses. */
export function toAppend(decision: RunDecision) {
  if (decision.next === "refuse") throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
  return decision.next === "note" || decision.next === "stop" ? decision.append : [];
}
