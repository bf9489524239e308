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

export function openCallSignal(request: Request, stopping: AbortSignal): CallSignal {
  const controller = new AbortController();
  // Names the request itself, not its signal: `stopping` holds this listener, and with it the request.
  const onAbort = () => controller.abort(request.signal.aborted ? request.signal.reason : stopping.reason);
  const release = () => {
    stopping.removeEventListener("abort", onAbort);
    request.signal.removeEventListener("abort", onAbort);
  };
  request.signal.addEventListener("abort", onAbort);
  stopping.addEventListener("abort", onAbort);
  if (request.signal.aborted || stopping.aborted) onAbort();
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
