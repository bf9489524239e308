/** Waiting for something that an event tells of, or that can be looked at should the event be lost. */

export interface Waiting {
  readonly signal: AbortSignal;
  /** Null: until the signal. */
  readonly deadlineMs: number | null;
  /** How often it is looked at though nobody told. */
  readonly lookMs: number;
  /** Calls back when it is worth looking; returns the function that ends that. */
  readonly subscribe: (wake: () => void) => () => void;
}

/** True as soon as it holds, false at the deadline. Rejects with what the look rejects with, or with the signal's reason. */
export async function waitUntil(holds: () => Promise<boolean>, waiting: Waiting): Promise<boolean> {
  const { signal, deadlineMs, lookMs, subscribe } = waiting;
  let woken = false;
  let wake = () => {};
  let late = false;
  const unsubscribe = subscribe(() => {
    woken = true;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });
  const deadline =
    deadlineMs === null
      ? undefined
      : setTimeout(() => {
          late = true;
          wake();
        }, deadlineMs);
  try {
    for (;;) {
      signal.throwIfAborted();
      woken = false;
      if (await holds()) return true;
      signal.throwIfAborted();
      if (late) return false;
      if (woken) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, lookMs);
      await promise;
      clearTimeout(timer);
      wake = () => {};
    }
  } finally {
    unsubscribe();
    clearTimeout(deadline);
    signal.removeEventListener("abort", onAbort);
  }
}

/** The promise, or the signal's reason, whichever is first. */
export function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      // It may fail later, when nobody waits for it any more: that is no failure of the agent.
      promise.catch(() => {});
      return reject(signal.reason);
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
