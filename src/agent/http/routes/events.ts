/**
 * GET /v1/events: what happens on the node, as server-sent events. `id:` is the event's sequence number; a client that
 * comes back with Last-Event-ID gets what it missed, or a `reset` when that is no longer kept: then it reads the report again.
 * `?once=1`: what is kept, and the end.
 */
import { OdoroboError } from "../../../model/errors.ts";
import { instant } from "../../../model/names.ts";
import { stream } from "../../../platform/http/answers.ts";
import type { AgentEvent } from "../../../wire/operations.ts";
import type { EventLog } from "../../lifecycle/lifecycle.ts";
import type { Call } from "../calls/call.ts";

const DEFAULT_HEARTBEAT_MS = 15_000;

/** A reader this many events behind is let go: it comes back with Last-Event-ID. Bounds what one reader can make us hold. */
const MAX_BACKLOG = 1_000;

export async function streamEvents({ request, parts, query, signal }: Call): Promise<Response> {
  if (query.get("once") === "1") return keptEvents(parts.lifecycle.events);

  const missed = eventsMissed(parts.lifecycle.events, request.headers.get("last-event-id"));
  const encoder = new TextEncoder();
  let letGo = () => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true;
        const send = (text: string) => {
          if (!isOpen) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) <= 0) end();
        };
        const end = () => {
          letGo();
          controller.close();
        };
        const unsubscribe = parts.lifecycle.events.subscribe((event) => send(formatEvent(event)));
        const heartbeat = setInterval(() => send(": heartbeat\n\n"), parts.heartbeatMs ?? DEFAULT_HEARTBEAT_MS);
        letGo = () => {
          isOpen = false;
          unsubscribe();
          clearInterval(heartbeat);
          signal.removeEventListener("abort", end);
        };
        if (signal.aborted) return end();
        signal.addEventListener("abort", end);
        // One chunk, however many: only what comes later can fall behind.
        send(`: odorobo events of ${parts.nodeName}\n\n${missed.map(formatEvent).join("")}`);
      },
      // A stream that is cancelled is closed already.
      cancel: () => letGo(),
    },
    { highWaterMark: MAX_BACKLOG },
  );
  return stream("text/event-stream; charset=utf-8", body);
}

function keptEvents(log: EventLog): Response {
  const body = Buffer.from(log.since(0).events.map(formatEvent).join(""));
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
}

function eventsMissed(log: EventLog, lastEventId: string | null): readonly AgentEvent[] {
  if (lastEventId === null || lastEventId === "") return [];
  if (!/^\d{1,15}$/.test(lastEventId)) {
    throw new OdoroboError("BAD_REQUEST", "Last-Event-ID must be the id of an event of this agent");
  }
  const last = Number(lastEventId);
  const newest = log.since(0).events.at(-1);
  const { events, complete } = log.since(last);
  // An id that we have not given yet is another agent's, or our own from before its data was lost.
  const isOurs = last === 0 || (newest !== undefined && last <= newest.sequence);
  if (complete && isOurs) return events;
  return [
    {
      sequence: newest?.sequence ?? 0,
      at: newest?.at ?? instant(new Date(0).toISOString()),
      kind: "reset",
      vm: null,
      message: "what happened in between is no longer kept; read the report again",
    },
  ];
}

const formatEvent = (event: AgentEvent): string =>
  `id: ${event.sequence}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;
