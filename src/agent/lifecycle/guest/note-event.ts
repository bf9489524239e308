/** Writes down what happened to a VM without anybody asking: a crash, a power-off, drift, somebody else's pause. */
import type { AgentEvent } from "../../../wire/operations.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** Raises the serial: a plan that was made before this no longer holds. */
export async function noteEvent(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  change: Partial<VmRecord>,
  event: Pick<AgentEvent, "kind" | "message">,
): Promise<void> {
  parts.events.emit({ ...event, vm: slot.name });
  parts.logger.info({ vm: slot.name }, event.message);
  await keep(parts, slot, { ...vm, ...change, serial: vm.serial + 1 });
}
