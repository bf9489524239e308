/** Waits for a condition, not for a time. */
import { setTimeout as sleep } from "node:timers/promises";

/** What comes soon is seen at once; looking often at what takes long would only keep it from coming. */
const SOONEST_MS = 5;
const LATEST_MS = 50;
/** Of the time that was waited: so much later may it be seen. */
const LATER = 0.1;

/** The deadline is for what never comes: on a busy machine what comes may take long, and costs nothing when it does not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const begin = performance.now();
  while (!(await holds())) {
    const waited = performance.now() - begin;
    if (waited > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(Math.min(LATEST_MS, Math.max(SOONEST_MS, waited * LATER)));
  }
}
