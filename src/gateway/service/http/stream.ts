/** Server-sent events to one reader, who cannot make us hold more than so much. */
import { stream } from "../../../platform/http/answers.ts";

/** 15 s is below the idle timeout of every common proxy. */
const HEARTBEAT_MS = 15_000;

/** A reader this many events behind is let go: it comes back with Last-Event-ID. */
const MAX_BACKLOG = 1_000;

export interface SentEvent {
  readonly id?: string;
  readonly event: string;
  /** The same value is always told in the same way. */
  readonly data: object;
}

/**
 * `first`: what it is given at once, in one piece. `follow` begins telling and returns what ends that; it is called with `send`, and with
 * `end` for when nothing more will come.
 */
export function sendEvents(
  first: readonly SentEvent[],
  follow: (send: (event: SentEvent) => void, end: () => void) => () => void,
  signal: AbortSignal,
): Response {
  let letGo = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true;
        let unfollow = () => {};
        const send = (bytes: Uint8Array) => {
          if (!isOpen) return;
          controller.enqueue(bytes);
          if ((controller.desiredSize ?? 0) <= 0) end();
        };
        const end = () => {
          if (!isOpen) return;
          letGo();
          controller.close();
        };
        const heartbeat = setInterval(() => send(HEARTBEAT), HEARTBEAT_MS);
        letGo = () => {
          isOpen = false;
          unfollow();
          clearInterval(heartbeat);
          signal.removeEventListener("abort", end);
        };
        if (signal.aborted) return end();
        signal.addEventListener("abort", end);
        send(Buffer.concat([GREETING, ...first.map(format)]));
        unfollow = follow((event) => send(format(event)), end);
        if (!isOpen) unfollow();
      },
      cancel: () => letGo(),
    },
    { highWaterMark: MAX_BACKLOG },
  );
  return stream("text/event-stream; charset=utf-8", body);
}

const encode = (text: string): Uint8Array => Buffer.from(text);
const HEARTBEAT = encode(": heartbeat\n\n");
const GREETING = encode(": odorobo gateway\n\n");

/** By what is told: as many as listen are sent the same bytes. */
const formatted = new WeakMap<object, Uint8Array>();

function format({ id, event, data }: SentEvent): Uint8Array {
  const known = formatted.get(data);
  if (known !== undefined) return known;
  const bytes = encode(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  formatted.set(data, bytes);
  return bytes;
}
