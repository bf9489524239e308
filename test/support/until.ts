/** Waits for a condition, not for a time. */
import { setTimeout as sleep } from "node:timers/promises";

export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}
