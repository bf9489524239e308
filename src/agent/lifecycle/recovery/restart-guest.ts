/** One start that is the agent's own idea. However it fails, the record says when the next one is due, or that there is none. */
import { isOdoroboError } from "../../../model/errors.ts";
import { orStorageError } from "../../storage-error.ts";
import type { CompletedOperation, RestartRecord, VmRecord } from "../../store/vm-record.ts";
import { notBooted, prepareBoot } from "../acts/perform-boot.ts";
import { noteEvent } from "../guest/note-event.ts";
import { nextRestart, restartStory } from "../guest/restart-policy.ts";
import { keep, runOperation } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";

/** `restart`: with this start counted. Rejects when nothing was begun. */
export async function restartGuest(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  operation: Operation,
  restart: RestartRecord,
): Promise<CompletedOperation> {
  try {
    const act = await prepareBoot(parts, slot, vm, { operation, restart });
    const ended = await runOperation(parts, slot, operation, act);
    const now = slot.stored;
    if (now?.state === "present" && ended.error?.code === "INSUFFICIENT_STORAGE")
      await waitForRoom(parts, slot, { ...now, reason: vm.reason, restart: vm.restart ?? null });
    else if (now?.state === "present" && now.restart?.givenUp) tellGivenUp(parts, slot, now.restart);
    return ended;
  } catch (thrown) {
    const error = orStorageError(`${slot.name} could not be started`, thrown);
    if (parts.stopping.aborted || slot.stored !== vm) throw error;
    if (isOdoroboError(error, "INSUFFICIENT_STORAGE")) {
      await waitForRoom(parts, slot, vm);
      throw error;
    }
    // A hook's no, a broken disk: no reason to forget the guest.
    const reason = isOdoroboError(error)
      ? error.message
      : "it could not be started for a reason that odorobo did not foresee";
    const tried = notBooted(parts, { ...vm, restart }, reason);
    await noteEvent(parts, slot, vm, tried, { kind: "phase", message: `${slot.name} could not be started: ${reason}` });
    if (tried.restart?.givenUp) tellGivenUp(parts, slot, tried.restart);
    throw error;
  }
}

const WAITS = "; it waits for room on the disk to be started again";

/** No attempt that counts: the guest has done nothing, and room may come late. Why it ended is still why it is off. */
async function waitForRoom(parts: Parts, slot: Slot, vm: VmRecord): Promise<void> {
  const attempts = vm.restart?.attempts ?? 0;
  const next = nextRestart(attempts, { now: parts.clock.now(), hostBootId: parts.node.bootId });
  const isNews = !vm.reason?.endsWith(WAITS);
  const reason = isNews ? `${vm.reason ?? "it is off"}${WAITS}` : vm.reason;
  const waiting = { ...vm, reason, restart: { ...next, attempts } };
  if (!isNews) await keep(parts, slot, waiting);
  else await noteEvent(parts, slot, vm, waiting, { kind: "phase", message: `${slot.name} is off: ${reason}` });
}

function tellGivenUp(parts: Parts, slot: Slot, restart: RestartRecord): void {
  const message = `${slot.name} stays off${restartStory(restart)}`;
  parts.events.emit({ kind: "phase", vm: slot.name, message });
  parts.logger.warn({ vm: slot.name }, message);
}
