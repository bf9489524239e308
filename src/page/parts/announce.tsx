/**
 * What is read out without being looked at. Only what somebody would turn their head for, and never more than one sentence in a few
 * seconds: of ten steps that end at once, the last word is said.
 */
import { signal } from "@preact/signals";

const QUIET_MS = 3_000;
const spoken = signal("");
let next: string | null = null;
let timer: ReturnType<typeof setTimeout> | null = null;

export function announce(text: string): void {
  if (timer !== null) {
    next = text;
    return;
  }
  spoken.value = text;
  timer = setTimeout(() => {
    timer = null;
    const waiting = next;
    next = null;
    // What was said is said: nobody who goes through the page later should come upon it.
    spoken.value = "";
    if (waiting !== null) announce(waiting);
  }, QUIET_MS);
}

export const Announcer = () => (
  <div class="unseen" role="status" aria-live="polite">
    {spoken.value}
  </div>
);
