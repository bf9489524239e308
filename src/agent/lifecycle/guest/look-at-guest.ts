import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { lookAtImages } from "./images-below.ts";
import { refresh } from "./refresh-guest.ts";

/** Looks at a guest and at what its disks stand on; at the guest not while something is being done to it: then what is known stands. */
export async function lookAtGuest(parts: Parts, slot: Slot): Promise<void> {
  await lookAtImages(parts, slot);
  if (slot.guest === null || slot.guest.receiving || slot.inFlight.size > 0 || slot.rawCalls > 0) return;
  await slot.enqueueLook(() => refresh(parts, slot));
}
