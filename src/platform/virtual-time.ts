/** Time that somebody moves, in simulations and tests: it stands still while anything can still happen, then jumps to whatever is due next. */
import { type Instant, instant } from "../model/names.ts";
import type { Clock } from "./clock.ts";
import type { Sleep } from "./sleep.ts";

const NOON = instant("2026-01-01T12:00:00.000Z");

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

export class VirtualTime implements Clock {
  readonly #startMs: number;
  #ms = 0;
  #timers: Timer[] = [];

  constructor(start: Instant = NOON) {
    this.#startMs = Date.parse(start);
  }

  now(): Instant {
    return instant(new Date(this.#startMs + this.#ms).toISOString());
  }

  monotonicMs(): number {
    return this.#ms;
  }

  readonly sleep: Sleep = (milliseconds, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.#set(milliseconds, resolve);
    const abort = () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
      reject(new DOMException("the sleep was cut short", "AbortError"));
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    return promise;
  };

  /** Does it when that much time has passed. */
  after(milliseconds: number, act: () => void): void {
    this.#set(milliseconds, act);
  }

  /** Lets time pass until the promise has settled. Fails when it never will, because nothing is due any more. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    for (;;) {
      await untilQuiet();
      if (settled) return promise;
      this.#jump();
    }
  }

  #jump(): void {
    const [next] = this.#timers;
    if (!next) throw new Error("nothing is due any more, and what is waited for has not happened");
    this.#timers.shift();
    this.#ms = next.at;
    next.fire();
  }

  #set(milliseconds: number, fire: () => void): Timer {
    const timer = { at: this.#ms + milliseconds, fire };
    const place = this.#timers.findIndex((each) => each.at > timer.at);
    this.#timers.splice(place === -1 ? this.#timers.length : place, 0, timer);
    return timer;
  }
}

/** All that follows from what has happened has happened: promise callbacks run before the next turn of the event loop. */
export const untilQuiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
