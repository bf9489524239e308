/** Cuts short what an operation only waits for, when somebody behind it in the queue should not have to wait. */
export class Hurry {
  #waiting = 0;
  #controller = new AbortController();

  /** Somebody is in a hurry. Returns the function that says its turn has come. */
  begin(): () => void {
    this.#waiting++;
    this.#controller.abort(new Error("cut short by a later request"));
    return () => {
      this.#waiting--;
    };
  }

  /** For one wait: aborted as soon as somebody is in a hurry. */
  signal(): AbortSignal {
    if (this.#waiting === 0 && this.#controller.signal.aborted) this.#controller = new AbortController();
    return this.#controller.signal;
  }
}
