/** Waiting that ends: by success, by a deadline, or because somebody else said so. Holds even when the awaited work ignores its signal. */

/** Rejects with what `onTimeout` makes, or with the parent's reason. Listens to the parent no longer than it waits. */
export async function within<Value>(
  milliseconds: number,
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<Value>,
  onTimeout: () => Error,
): Promise<Value> {
  parent.throwIfAborted();
  const own = new AbortController();
  const onParent = () => own.abort(parent.reason);
  parent.addEventListener("abort", onParent, { once: true });
  const timer = setTimeout(() => own.abort(onTimeout()), milliseconds);
  try {
    return await untilAborted(run(own.signal), own.signal);
  } catch (error) {
    // Part of the work may go on behind a race that was lost: a connect that keeps trying would take the next guest's socket.
    own.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
    parent.removeEventListener("abort", onParent);
  }
}

/** The value, or the signal's reason, whichever comes first. What comes later is nobody's business any more. */
export function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    if (signal.aborted) {
      work.catch(() => {});
      reject(signal.reason);
      return;
    }
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
