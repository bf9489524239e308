/** No more bytes in a second than that, of all that an agent fetches. */
import { setTimeout as sleep } from "node:timers/promises";

/** Saved up while nothing comes: a second's worth. */
const BURST_SECONDS = 1;

export class Pace {
  readonly #bytesPerMs: number;
  #left: number;
  #atMs = performance.now();

  /** Null: as much as there is. */
  constructor(bytesPerSecond: number | null) {
    this.#bytesPerMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1000;
    this.#left = this.#bytesPerMs * 1000 * BURST_SECONDS;
  }

  /** Resolves when those bytes may have come. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return;
    const nowMs = performance.now();
    const most = this.#bytesPerMs * 1000 * BURST_SECONDS;
    this.#left = Math.min(most, this.#left + (nowMs - this.#atMs) * this.#bytesPerMs) - bytes;
    this.#atMs = nowMs;
    if (this.#left < 0) await sleep(-this.#left / this.#bytesPerMs, undefined, { signal });
  }
}
