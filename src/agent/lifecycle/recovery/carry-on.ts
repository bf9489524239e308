/** What an earlier agent had begun and left in the journal goes on under its own id. */
import { prepareRest } from "../acts/prepare-act.ts";
import type { Moves } from "../migration/moves.ts";
import { runOperation } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { toResult } from "../report/results.ts";

export function carryOn(parts: Parts, slot: Slot, moves: Moves): void {
  const { stored: known } = slot;
  if (known === null || known.state === "unreadable" || known.unfinished === null) return;
  const operation = known.unfinished;
  void slot.track(operation, async () => {
    const rest = operation.kind === "migrate" ? moves.restOf(slot, operation) : prepareRest(parts, slot, operation);
    const ended = await runOperation(parts, slot, operation, rest);
    return toResult(slot, { ...ended, noop: false });
  });
}
