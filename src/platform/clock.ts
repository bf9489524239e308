/** Time comes in through the door: whoever needs it is handed a Clock. */
import { type Instant, instant } from "../model/names.ts";

export interface Clock {
  now(): Instant;
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => instant(new Date().toISOString()),
  monotonicMs: () => performance.now(),
};
