/**
 * Takes away whatever is left of a guest: it may run, or be off while its process lingers and holds memory and disks.
 *
 * Invariant: when it resolves, nothing of the guest runs any more. It rejects when a process cannot be ended; then the
 * slot keeps the guest, and nothing else is started.
 */

import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { removeHostSide } from "./host-side.ts";

/** How long a hypervisor may take to end itself before its process gets SIGTERM, and then again before SIGKILL. */
const QUIT_DEADLINE_MS = 2000;

export async function clearAway(parts: Parts, slot: Slot): Promise<void> {
  const { guest } = slot;
  if (guest !== null) {
    // It has no guest yet, and may heed nothing but SIGKILL.
    const graceMs = guest.receiving ? 0 : QUIT_DEADLINE_MS;
    // Nobody waits for a guest any more.
    guest.receiving = false;
    // Without a process there is no other way to end it; with one, whatever is left is the supervisor's to end.
    if (guest.connection !== null || guest.process === null)
      await guest
        .ask(QUIT_DEADLINE_MS, parts.stopping, (connection, own) => connection.quit(own))
        .catch(() => parts.stopping.throwIfAborted());
    if (guest.process !== null) await parts.supervisor.stop(guest.process, graceMs);
    await slot.letGo();
  }
  if (slot.stored?.state === "present") await removeHostSide(parts, slot.stored);
}
