/** Time for what waits between things that really happen: who sleeps is woken by the test, which sees for how long it would have slept. */
import { once } from "node:events";
import { EventEmitter } from "node:stream";
import { type Instant, instant } from "../../src/model/names.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { Sleep } from "../../src/platform/sleep.ts";

interface Sleeper {
  readonly milliseconds: number;
  readonly wake: () => void;
}

export class TimeByHand implements Clock {
  #ms = Date.parse("2026-11-28T12:00:00.000Z");
  #sleeper: Sleeper | null = null;
  readonly #events = new EventEmitter();

  now(): Instant {
    return instant(new Date(this.#ms).toISOString());
  }

  monotonicMs(): number {
    return this.#ms;
  }

  pass(milliseconds: number): void {
    this.#ms += milliseconds;
  }

  readonly sleep: Sleep = (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const leave = (end: () => void) => () => {
        if (this.#sleeper === sleeper) this.#sleeper = null;
        signal.removeEventListener("abort", cut);
        end();
      };
      const cut = leave(() => reject(new DOMException("the sleep was cut short", "AbortError")));
      const sleeper = { milliseconds, wake: leave(resolve) };
      if (signal.aborted) return cut();
      signal.addEventListener("abort", cut);
      this.#sleeper = sleeper;
      this.#events.emit("asleep");
    });

  /** For how long the one who sleeps does, as soon as somebody does. */
  async asleep(): Promise<number> {
    if (this.#sleeper === null) await once(this.#events, "asleep");
    return this.#sleeper?.milliseconds ?? 0;
  }

  /** Lets the one who sleeps have slept. Returns for how long. */
  async wake(): Promise<number> {
    const milliseconds = await this.asleep();
    this.pass(milliseconds);
    this.#sleeper?.wake();
    return milliseconds;
  }
}
