/** Hands out the events of a run. A listener that throws (a closed pipe, a bug) stops the run gently instead of losing track of it. */
import type { ApplyEvent } from "./apply-report.ts";

export class EventSink {
  readonly #listener: (event: ApplyEvent) => void;
  readonly #broken = new AbortController();

  constructor(listener: (event: ApplyEvent) => void = () => {}) {
    this.#listener = listener;
  }

  /** Aborted by the first exception of the listener, with it as the reason. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  emit(event: ApplyEvent): void {
    this.tell(() => this.#listener(event));
  }

  /** Never throws. Once somebody who was told has thrown, nobody is told any more. */
  tell(act: () => void): void {
    if (this.broken.aborted) return;
    try {
      act();
    } catch (error) {
      this.#broken.abort(error);
    }
  }
}
