/**
 * Bytes of the event monitor → events. Pure.
 *
 * Cloud Hypervisor writes pretty-printed JSON objects with empty lines between them, and takes no notice of what its write
 * calls return: an object may end anywhere, with the next one right behind it. Braces say where one ends; a new
 * `{ "timestamp"` inside of one says that it was cut. What is no event is skipped and counted as a gap.
 */

export interface MonitorEvent {
  /** Since the start of the process. */
  readonly seconds: number;
  /** `vmm`, `vm`, `guest`, `virtio-device`, … */
  readonly source: string;
  readonly event: string;
  readonly properties: Readonly<Record<string, string>>;
}

export interface Parsed {
  readonly events: readonly MonitorEvent[];
  /** Something between these events was lost. */
  readonly gap: boolean;
}

/** The longest known has 200 bytes. */
const MAX_EVENT_BYTES = 64 * 1024;

/** Every event begins like this and nothing within one does. */
const BEGINNING = /\{\s*"timestamp"/g;

export class EventParser {
  /** One character a byte (latin1), so that positions in it are positions in the file. */
  #rest = "";

  /** Bytes that were pushed and belong to an event that is not complete. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  push(chunk: Buffer): Parsed {
    this.#rest += chunk.toString("latin1");
    const events: MonitorEvent[] = [];
    let gap = false;
    for (;;) {
      const start = this.#rest.indexOf("{");
      if (/\S/.test(start < 0 ? this.#rest : this.#rest.slice(0, start))) gap = true;
      if (start < 0) {
        this.#rest = "";
        return { events, gap };
      }
      const end = endOfObject(this.#rest, start);
      const next = nextBeginning(this.#rest, start + 1);
      if (next !== null && (end === null || next < end)) {
        gap = true;
        this.#rest = this.#rest.slice(next);
        continue;
      }
      if (end === null) {
        const tooLong = this.#rest.length - start > MAX_EVENT_BYTES;
        this.#rest = tooLong ? "" : this.#rest.slice(start);
        return { events, gap: gap || tooLong };
      }
      const event = toEvent(Buffer.from(this.#rest.slice(start, end), "latin1").toString("utf8"));
      if (event === null) gap = true;
      else events.push(event);
      this.#rest = this.#rest.slice(end);
    }
  }
}

/** Behind the brace that closes the one at `start`; null: it is not there yet. */
function endOfObject(text: string, start: number): number | null {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === "\\") at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{") depth++;
    else if (character === "}" && --depth === 0) return at + 1;
  }
  return null;
}

function nextBeginning(text: string, from: number): number | null {
  BEGINNING.lastIndex = from;
  return BEGINNING.exec(text)?.index ?? null;
}

function toEvent(text: string): MonitorEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { timestamp, source, event, properties } = value as Record<string, unknown>;
  if (typeof source !== "string" || typeof event !== "string") return null;
  const { secs, nanos } = (timestamp ?? {}) as { secs?: unknown; nanos?: unknown };
  return {
    seconds: (Number(secs) || 0) + (Number(nanos) || 0) / 1e9,
    source,
    event,
    properties: toTexts(properties),
  };
}

function toTexts(properties: unknown): Readonly<Record<string, string>> {
  if (typeof properties !== "object" || properties === null) return {};
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, String(value)]));
}
