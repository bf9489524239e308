/**
 * The start of a guest that is due: the agent's own idea, and an operation like any other. It is journaled, and what is
 * asked for meanwhile waits for it.
 *
 *   restarts.ts (it is due) → [start-again.ts] → restart-guest.ts
 */
import type { OperationResult } from "../../../wire/operations.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { agentStopping, keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { toResult } from "../report/results.ts";
import { restartGuest } from "./restart-guest.ts";
import { restartOf } from "./restarts.ts";

export function startAgain(parts: Parts, slot: Slot): Promise<OperationResult> {
  const serial = slot.stored?.state === "present" ? slot.stored.serial : 0;
  const operation = { id: `restart-of-${slot.name}-${serial}`, kind: "boot", graceSeconds: null } as const;
  return slot.track(operation, async () => {
    if (parts.stopping.aborted) throw agentStopping(slot.name);
    const restart = restartOf(slot);
    const vm = slot.stored as VmRecord;
    if (restart === null) {
      if (slot.stored?.state === "present" && vm.restart) await keep(parts, slot, { ...vm, restart: null });
      return toResult(slot, { ...operation, error: null, noop: true });
    }
    const which = restart.attempts === 1 ? "" : `, start ${restart.attempts} in a row`;
    parts.events.emit({ kind: "phase", vm: slot.name, message: `${slot.name} is started again${which}` });
    const ended = await restartGuest(parts, slot, vm, operation, restart).catch((error) => {
      parts.tally.guestRestarted(false);
      throw error;
    });
    parts.tally.guestRestarted(ended.error === null);
    return toResult(slot, { ...ended, noop: false });
  });
}
