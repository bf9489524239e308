/** How operations ended, in the words of the wire. */
import type { OperationResult } from "../../../wire/operations.ts";
import type { Ended, Slot } from "../parts/slot.ts";
import { reportOf } from "./node-report.ts";
import { toTombstone } from "./to-report.ts";

/** `after` is the VM as it is now, also for an operation that ended a while ago. */
export const toResult = (slot: Slot, ended: Ended): OperationResult => ({
  id: ended.id,
  vm: slot.name,
  kind: ended.kind,
  outcome: ended.error === null ? "done" : "failed",
  noop: ended.noop,
  error: ended.error,
  after: reportOf(slot),
  ...(slot.stored?.state === "tombstone" ? { tombstone: toTombstone(slot.stored) } : {}),
  ...(ended.detail === undefined ? {} : { detail: ended.detail }),
});

/** Null: this VM was never asked that, or it is forgotten. */
export function resultOf(slot: Slot, id: string): OperationResult | null {
  const running = slot.inFlight.get(id);
  if (running)
    return {
      id,
      vm: slot.name,
      kind: running.kind,
      outcome: "running",
      noop: false,
      error: null,
      after: reportOf(slot),
      ...(running.kind === "migrate" && slot.progress !== null ? { progress: slot.progress } : {}),
    };
  const recent = slot.remembered(id);
  if (recent) return toResult(slot, recent);
  if (slot.stored === null || slot.stored.state === "unreadable") return null;
  const recorded = slot.stored.completed.find((each) => each.id === id);
  return recorded ? toResult(slot, { ...recorded, noop: false }) : null;
}
