/** Waiting, handed in like the clock: tests hand in one that they move by hand. */
import { setTimeout } from "node:timers/promises";

/** Resolves after so long; rejects with an AbortError as soon as the signal comes. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;

export const systemSleep: Sleep = (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal });
