/** Server-sent events to one reader, who cannot make us hold more than so much. */
import { stream } from "../../../platform/http/answers.ts";

/** 15 s is below the idle timeout of every common proxy. */
const HEARTBEAT_MS = 15_000;

/** A reader this many events behind is let go: it comes back with Last-Event-ID. */
const MAX_BACKLOG = 1_000;

export interface SentEvent {
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
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
  const encoder = new TextEncoder();
  let letGo = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true;
        let unfollow = () => {};
        const send = (text: string) => {
          if (!isOpen) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) <= 0) end();
        };
        const end = () => {
          if (!isOpen) return;
          letGo();
          controller.close();
        };
        const heartbeat = setInterval(() => send(": heartbeat\n\n"), HEARTBEAT_MS);
        letGo = () => {
          isOpen = false;
          unfollow();
          clearInterval(heartbeat);
          signal.removeEventListener("abort", end);
        };
        if (signal.aborted) return end();
        signal.addEventListener("abort", end);
        send(`: odorobo gateway\n\n${first.map(format).join("")}`);
        unfollow = follow((event) => send(format(event)), end);
        if (!isOpen) unfollow();
      },
      cancel: () => letGo(),
    },
    { highWaterMark: MAX_BACKLOG },
  );
  return stream("text/event-stream; charset=utf-8", body);
}

const format = ({ id, event, data }: SentEvent): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
