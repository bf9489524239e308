import type { Digest } from "../../../model/names.ts";
import { keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** Its source has let go of the guest: nobody will ask again. In the VM's queue. */
export async function forgetTaken(parts: Parts, slot: Slot, ticket: Digest): Promise<void> {
  const vm = slot.stored;
  if (vm?.state !== "present" || vm.move?.role !== "destination" || vm.move.ticket !== ticket) return;
  if (vm.move.stage === "taken") await keep(parts, slot, { ...vm, move: null });
}
