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

  /** Never throws. A listener that threw is not called again. */
  emit(event: ApplyEvent): void {
    if (this.broken.aborted) return;
    try {
      this.#listener(event);
    } catch (error) {
      this.#broken.abort(error);
    }
  }
}
