/**
 * Ends a guest: power button, grace, then its process. Used by shutdown, reboot and delete.
 *
 * Invariant: when it resolves, nothing of the guest runs any more.
 */
import type { VmRecord } from "../../store/vm-record.ts";
import { within } from "../parts/deadline.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { Wakeup } from "../parts/wakeup.ts";
import { clearAway } from "./clear-away.ts";

/** The change is heard of, not polled for; this is for the hint that got lost. */
const POLL_MS = 500;
const ASK_DEADLINE_MS = 2000;
/**
 * A press goes unheard while the guest still boots: its kernel has not taken over the button yet. So it is pressed again
 * after a second, then after two more, four more and so on; guests that are shutting down ignore it.
 */
const FIRST_REPEAT_MS = 1000;

/** Says how it ended, for people. */
export async function stopGuest(parts: Parts, slot: Slot, graceSeconds: number, signal: AbortSignal): Promise<string> {
  const { guest } = slot;
  if (guest === null) return "it did not run";
  if (guest.receiving) {
    await clearAway(parts, slot);
    return "it no longer waits for a guest";
  }
  const poweredOff = graceSeconds > 0 ? await powerOff(parts, slot, guest, graceSeconds, signal) : false;
  await clearAway(parts, slot);
  if (poweredOff === true) return "it powered off when asked";
  if (graceSeconds === 0) return "cut off without asking";
  return `cut off: ${poweredOff}`;
}

/** True, or why not. */
async function powerOff(
  parts: Parts,
  slot: Slot,
  guest: Guest,
  graceSeconds: number,
  signal: AbortSignal,
): Promise<true | string> {
  const hurry = slot.graces.signal();
  const wasPaused = (slot.stored as VmRecord).phase === "paused";
  const press = (): Promise<void> =>
    guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection.powerButton(own));
  try {
    // A guest that stands still cannot react to its power button.
    if (wasPaused) await guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection.resume(own));
    await press();
  } catch {
    signal.throwIfAborted();
    return "its power button could not be pressed";
  }
  const change = new Wakeup();
  const forget = guest.onChange(change.wake);
  hurry.addEventListener("abort", change.wake);
  const wait = async (own: AbortSignal): Promise<true | string> => {
    let pressedAt = parts.clock.monotonicMs();
    for (let repeatMs = FIRST_REPEAT_MS; ; ) {
      if (await isOff(parts, guest, own)) return true;
      if (hurry.aborted) return "a later request could not wait";
      if (parts.clock.monotonicMs() - pressedAt >= repeatMs) {
        await press().catch(() => own.throwIfAborted());
        pressedAt = parts.clock.monotonicMs();
        repeatMs *= 2;
      }
      await change.within(POLL_MS, own);
    }
  };
  try {
    return await within(graceSeconds * 1000, signal, wait, () => new OutOfGrace());
  } catch (error) {
    if (error instanceof OutOfGrace) return `it did not power off within ${graceSeconds} s`;
    throw error;
  } finally {
    forget();
    hurry.removeEventListener("abort", change.wake);
  }
}

class OutOfGrace extends Error {}

async function isOff(parts: Parts, guest: Guest, signal: AbortSignal): Promise<boolean> {
  if (guest.exit !== null || (guest.process !== null && !parts.supervisor.isRunning(guest.process))) return true;
  try {
    return (await guest.status(ASK_DEADLINE_MS, signal)).phase === "off";
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
