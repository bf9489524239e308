/**
 * What time it is at the gateway: whatever is shown as "5 minutes ago" was noted by its clock, and the one here may be wrong.
 */
import { computed, type ReadonlySignal, signal } from "@preact/signals";

/** The gateway's is ahead of ours by so much. */
const aheadMs = signal(0);
/** It is known to the millisecond, less what the answer was under way. */
let isExact = false;

/** Of an answer's `date`, which says whole seconds: the middle of that second is the best guess, until something says it exactly. */
export function hearTime(date: string | null): void {
  const heard = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(heard)) return;
  const guess = heard + 500 - Date.now();
  // Each says the same to within half a second; what is further off is a clock that was set.
  if (Math.abs(guess - aheadMs.peek()) <= (isExact ? 5_000 : 1_500)) return;
  aheadMs.value = guess;
  isExact = false;
}

/** Of a document's `now`. */
export function hearNow(now: unknown): void {
  const heard = typeof now === "string" ? Date.parse(now) : Number.NaN;
  if (Number.isNaN(heard)) return;
  aheadMs.value = heard - Date.now();
  isExact = true;
}

export const gatewayNow = (): number => Date.now() + aheadMs.peek();

/** From here on it would be noticed. */
const NOTICED_MS = 30_000;

/** By how many seconds the gateway's clock is ahead of the one here; 0: they do not differ. */
export const clockDifference = computed(() =>
  Math.abs(aheadMs.value) < NOTICED_MS ? 0 : Math.round(aheadMs.value / 1_000),
);

/** The time at the gateway, every so often. Nothing ticks in a page that nobody sees. */
function ticking(everyMs: number): ReadonlySignal<number> {
  const here = signal(Date.now());
  const look = (): void => {
    if (!document.hidden) here.value = Date.now();
  };
  setInterval(look, everyMs);
  document.addEventListener("visibilitychange", look);
  return computed(() => here.value + aheadMs.value);
}

/** For what counts seconds. */
export const everySecond = ticking(1_000);
/** For what says how long ago something was. */
export const everyTenSeconds = ticking(10_000);
