/**
 * The signal of one call: aborts when its client goes away or the server stops.
 *
 * A Request hears of its caller through weak references: collected as garbage, it hears nothing any more, and a stream
 * that outlived it would never end. So the request is held here for as long as its answer is being given.
 */
export interface CallSignal {
  readonly signal: AbortSignal;
  /** The answer is given: nothing is held any more. */
  release(): void;
}

/** `ends`: whatever else ends it: that the server stops, that the caller is signed out. */
export function openCallSignal(request: Request, ...ends: readonly AbortSignal[]): CallSignal {
  const controller = new AbortController();
  // Names the request itself, not its signal: whoever ends it holds this listener, and with it the request.
  const all = () => [request.signal, ...ends];
  const onAbort = () => controller.abort(all().find(({ aborted }) => aborted)?.reason);
  const release = () => {
    for (const each of all()) each.removeEventListener("abort", onAbort);
  };
  for (const each of all()) each.addEventListener("abort", onAbort);
  if (all().some(({ aborted }) => aborted)) onAbort();
  return { signal: controller.signal, release };
}

/** The same answer, which says when it has been given: at once where its length is known, else when its stream ends. */
export function whenGiven(answer: Response, given: () => void): Response {
  if (answer.body === null || answer.headers.has("content-length")) {
    given();
    return answer;
  }
  const reader = answer.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await reader.read();
          if (!done) return controller.enqueue(value);
          given();
          controller.close();
        } catch (error) {
          given();
          throw error;
        }
      },
      cancel(reason) {
        given();
        return reader.cancel(reason);
      },
    },
    // Nothing is kept here: how far a reader is behind is the inner stream's to know.
    { highWaterMark: 0 },
  );
  return new Response(body, answer);
}
