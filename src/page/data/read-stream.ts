/**
 * Server-sent events by `fetch`: an EventSource says neither that it was answered 401 nor that a heartbeat came, and both matter here.
 */
import { Refused, send } from "./http.ts";

export interface StreamEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

export interface StreamOptions {
  /** What came last, where something did. */
  readonly lastId: string | null;
  readonly signal: AbortSignal;
  /** It answers: bytes come through. Once. */
  readonly opened: () => void;
  /** Anything came, if only a heartbeat. */
  readonly alive: () => void;
}

/** Ends when the other side ends it. Rejects with Refused, or as the signal says. */
export async function* readStream(path: string, options: StreamOptions): AsyncGenerator<StreamEvent> {
  const { lastId, signal, opened, alive } = options;
  const headers = { accept: "text/event-stream", ...(lastId === null ? {} : { "last-event-id": lastId }) };
  const response = await send(path, { headers, signal, cache: "no-store" });
  if (response.body === null) throw new Refused("the gateway sends no events");
  const parser = new EventParser();
  let isOpen = false;
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    if (!isOpen) opened();
    isOpen = true;
    alive();
    yield* parser.push(text);
  }
}

/** The format of HTML's "server-sent events", of which a gateway uses line feeds, `id`, `event`, `data` and comments. */
export class EventParser {
  #rest = "";
  #id: string | null = null;
  #event = "message";
  #data: string[] = [];

  *push(text: string): Generator<StreamEvent> {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") yield* this.#end();
      else this.#take(line);
    }
  }

  *#end(): Generator<StreamEvent> {
    if (this.#data.length > 0) yield { id: this.#id, event: this.#event, data: this.#data.join("\n") };
    this.#event = "message";
    this.#data = [];
  }

  #take(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    if (field === "event") this.#event = value;
    if (field === "id") this.#id = value;
  }
}
