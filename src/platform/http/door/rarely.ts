/** The same trouble a thousand times is one line in the log, and a minute later one more that counts the rest. */
import type { Clock } from "../../clock.ts";

const EVERY_MS = 60_000;

/** Calls `say` at most once a minute. `unsaid`: how many times it would have been called since the last time. */
export function rarely(clock: Clock, everyMs = EVERY_MS): (say: (unsaid: number) => void) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (say) => {
    const now = clock.monotonicMs();
    if (now - saidAt < everyMs) {
      unsaid++;
      return;
    }
    const count = unsaid;
    saidAt = now;
    unsaid = 0;
    say(count);
  };
}
