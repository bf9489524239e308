/** What happens to the fleets, as it happens: one stream for all of the page. A page that nobody sees lets go of it after a while. */
import { computed, signal } from "@preact/signals";
import type { GatewayEvent } from "../../report/gateway/gateway-event.ts";
import { lastAnswers } from "./http.ts";
import { type Connection, stayConnected } from "./stay-connected.ts";

/** `null`: something may have been missed, read again whatever is shown. */
type Listener = (event: GatewayEvent | null) => void;

const listeners = new Set<Listener>();
const stream = signal<Connection>({ kind: "connecting" });

/** Whether what is shown is what is. Where events are held back, asking has to be answered. */
export const connection = computed<Connection>(() => {
  const { answeredAt, unanswered } = lastAnswers.value;
  if (stream.value.kind !== "asking" || unanswered === null) return stream.value;
  return { kind: "lost", since: answeredAt, because: unanswered };
});

/** Returns what ends it. */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (event: GatewayEvent | null): void => {
  for (const listener of [...listeners]) listener(event);
};

/** Browsers keep six connections to a server, and there may be more pages than that. */
const UNSEEN_AT_MOST_MS = 30_000;

let running: AbortController | null = null;

/** Of somebody who is signed in. */
export function goLive(): void {
  stopLive();
  const session = new AbortController();
  running = session;
  let current: AbortController | null = null;
  const begin = (): void => {
    if (current !== null) return;
    current = new AbortController();
    void stayConnected("/v1/events", AbortSignal.any([session.signal, current.signal]), {
      event: ({ event, data }) => tell(event === "reset" ? null : parse(data)),
      state: (state) => {
        stream.value = state;
      },
      again: () => tell(null),
    });
  };
  let unseen: ReturnType<typeof setTimeout> | undefined;
  const look = (): void => {
    clearTimeout(unseen);
    if (!document.hidden) {
      const wasAway = current === null;
      begin();
      if (wasAway) tell(null);
      return;
    }
    unseen = setTimeout(() => {
      current?.abort();
      current = null;
    }, UNSEEN_AT_MOST_MS);
  };
  begin();
  document.addEventListener("visibilitychange", look, { signal: session.signal });
}

export function stopLive(): void {
  running?.abort();
  running = null;
}

/** Null: a newer gateway says something that is no document. */
function parse(data: string): GatewayEvent | null {
  try {
    return JSON.parse(data) as GatewayEvent;
  } catch {
    return null;
  }
}
