/** Waits for a condition, not for a time. */
import { setTimeout as sleep } from "node:timers/promises";

/** The deadline is for what never comes: on a busy machine what comes may take long, and costs nothing when it does not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}
