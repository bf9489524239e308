/** Writes down that a guest ended without odorobo having asked, and what the agent is going to do about it. */
import type { VmRecord } from "../../store/vm-record.ts";
import { runAfterHooks } from "../operations/hook-points.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { type End, endedRecord } from "./ended-record.ts";
import { guestEvent } from "./guest-event.ts";
import { noteEvent } from "./note-event.ts";

/** `vm` is the record while the guest stands in it; nothing of the guest runs any more. */
export async function noteEnd(parts: Parts, slot: Slot, vm: VmRecord, end: End, lastedMs: number): Promise<void> {
  const event = await guestEvent(parts, vm, end.kind, end.reason);
  const moment = { now: parts.clock.now(), hostBootId: parts.node.bootId, lastedMs };
  const { change, story } = endedRecord(vm, end, event, moment);
  if (change.endedBy !== "operator") parts.tally.guestEnded(end.kind);
  await noteEvent(parts, slot, vm, change, { kind: "phase", message: `${vm.name} ${story}` });
  // In the VM's queue, so before it is started again; nobody waits for them to hear how the VM is.
  slot.enqueue(() => runAfterHooks(parts, slot, "stop", null)).catch(() => {});
}
