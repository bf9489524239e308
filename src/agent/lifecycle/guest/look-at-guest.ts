import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { refresh } from "./refresh-guest.ts";

/** Looks at a guest, unless something is being done to it: then what is known stands. */
export async function lookAtGuest(parts: Parts, slot: Slot): Promise<void> {
  if (slot.guest === null || slot.guest.receiving || slot.inFlight.size > 0 || slot.rawCalls > 0) return;
  await slot.enqueueLook(() => refresh(parts, slot));
}
