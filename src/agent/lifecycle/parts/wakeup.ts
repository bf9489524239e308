/** Sleep that an event can end. An event that comes before the sleep ends it too, so that none falls between two looks. */
export class Wakeup {
  #isWoken = false;
  #resolve: (() => void) | null = null;

  readonly wake = (): void => {
    this.#isWoken = true;
    this.#resolve?.();
  };

  /** Resolves at the latest after that time; rejects with the signal's reason. */
  async within(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          this.#resolve = null;
          resolve();
        };
        const timer = setTimeout(end, milliseconds);
        signal.addEventListener("abort", end);
        this.#resolve = end;
      });
    }
    this.#isWoken = false;
    signal.throwIfAborted();
  }
}
