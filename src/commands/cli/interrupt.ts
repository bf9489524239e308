/** Ctrl-C in two steps: the first ends what has not begun, the second ends the waiting. */

export interface Interrupts extends Disposable {
  readonly first: AbortSignal;
  readonly second: AbortSignal;
}

/** SIGTERM counts as a Ctrl-C: a CI job that is cancelled sends it. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export function listenForInterrupts(): Interrupts {
  const first = new AbortController();
  const second = new AbortController();
  const onSignal = () => (first.signal.aborted ? second : first).abort();
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    first: first.signal,
    second: second.signal,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
