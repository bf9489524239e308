/** A clock that stands at noon and goes on a millisecond at each look, unless a test moves it. */
import { instant } from "../../src/model/names.ts";
import type { Clock } from "../../src/platform/clock.ts";

export interface TestClock extends Clock {
  advance(milliseconds: number): void;
  /** Somebody sets the clock, and no time passes. */
  jump(milliseconds: number): void;
  /** How often it was asked for the time that never jumps. */
  readonly looks: number;
}

export function aClock(from = "2026-01-01T12:00:00.000Z"): TestClock {
  let now = Date.parse(from);
  let jumped = 0;
  let looks = 0;
  return {
    now: () => instant(new Date(jumped + now++).toISOString()),
    monotonicMs: () => {
      looks++;
      return now;
    },
    get looks() {
      return looks;
    },
    advance(milliseconds) {
      now += milliseconds;
    },
    jump(milliseconds) {
      jumped += milliseconds;
    },
  };
}
