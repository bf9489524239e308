/** The agent's event stream as a loop over events, kept up across cuts with Last-Event-ID. */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError } from "../model/errors.ts";
import type { AgentEvent } from "./operations.ts";
import { routes } from "./routes.ts";
import type { Transport } from "./transport.ts";

interface Bounds {
  readonly answerMs: number;
  /** How long the agent may be away. */
  readonly awayMs: number;
}

/** What is to be known of a stream beside its events: whether silence means that nothing happens. */
export interface EventLine {
  /** What happens from now on comes. What happened before may not have come. */
  up(): void;
  /** Whatever came: events, heartbeats. */
  heard(): void;
  down(): void;
}

const NOBODY: EventLine = { up() {}, heard() {}, down() {} };

/** Three heartbeats of the agent: one may be late, two are a broken line. */
const SILENCE_MS = 45_000;
const RETRY_MS = 500;

/** An event is a sentence; more without an end is not an event stream. */
const MAX_PENDING_CHARACTERS = 1024 * 1024;

/** Ends only by rejecting: with the signal's reason, or when the agent is away for longer than `awayMs`. */
export async function* followEvents(
  transport: Transport,
  after: number | null,
  { answerMs, awayMs }: Bounds,
  signal: AbortSignal,
  line: EventLine = NOBODY,
): AsyncGenerator<AgentEvent> {
  let last = after;
  let lastHeard = performance.now();
  for (;;) {
    try {
      const headers = { accept: "text/event-stream", ...(last === null ? {} : { "last-event-id": String(last) }) };
      const question = {
        method: "GET",
        path: routes.events(),
        headers,
        headersMs: answerMs,
        silenceMs: SILENCE_MS,
        signal,
        brokenOff: "AGENT_UNREACHABLE",
      } as const;
      const body = await transport.askStream(question, "text/event-stream", "events");
      line.up();
      for await (const event of parseEvents(body, transport)) {
        lastHeard = performance.now();
        line.heard();
        if (event === null) continue;
        last = event.sequence;
        yield event;
      }
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = isOdoroboError(error) && error.retryable;
      if (!mayPass || performance.now() - lastHeard > awayMs) throw error;
    } finally {
      line.down();
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Agents of before go on telling: what they have kept comes in one piece. */
const SETTLED_MS = 500;

/** What an agent has kept of its events. */
export async function pastEvents(
  transport: Transport,
  answerMs: number,
  signal: AbortSignal,
): Promise<readonly AgentEvent[]> {
  const stop = new AbortController();
  const within = AbortSignal.any([signal, stop.signal]);
  const headers = { accept: "text/event-stream", "last-event-id": "0" };
  const path = `${routes.events()}?once=1`;
  const question = { method: "GET", path, headers, headersMs: answerMs, silenceMs: answerMs, signal: within } as const;
  const events: AgentEvent[] = [];
  let settled: NodeJS.Timeout | undefined;
  try {
    for await (const event of parseEvents(
      await transport.askStream(question, "text/event-stream", "events"),
      transport,
    )) {
      settled ??= setTimeout(() => stop.abort(), SETTLED_MS);
      if (event !== null) events.push(event);
    }
  } catch (error) {
    if (signal.aborted || !stop.signal.aborted) throw error;
  } finally {
    clearTimeout(settled);
    stop.abort();
  }
  return events;
}

/** Yields null for each sign of life that is no event. */
async function* parseEvents(body: AsyncIterable<Uint8Array>, transport: Transport): AsyncGenerator<AgentEvent | null> {
  const decoder = new TextDecoder();
  let pending = "";
  for await (const chunk of body) {
    pending += decoder.decode(chunk, { stream: true });
    const blocks = pending.split("\n\n");
    pending = blocks.pop() ?? "";
    if (pending.length > MAX_PENDING_CHARACTERS) throw transport.protocolError("sent an event without an end");
    yield null;
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n");
      if (data !== "") yield toEvent(data, transport);
    }
  }
}

function toEvent(data: string, transport: Transport): AgentEvent {
  try {
    const event = JSON.parse(data) as AgentEvent;
    if (Number.isSafeInteger(event.sequence) && typeof event.kind === "string") return event;
  } catch (error) {
    throw transport.protocolError("sent an event that is not JSON", error);
  }
  throw transport.protocolError("sent an event without a sequence number");
}
