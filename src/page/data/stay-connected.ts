/**
 * A stream of events that is taken up again whenever it breaks: with what came last, after longer and longer pauses. One that is silent for
 * longer than two heartbeats is broken, whatever the socket says. One that is answered and of which no byte comes is held back by something
 * in between: then what it would tell is asked for again and again, and that is said.
 */
import { gatewayNow } from "./clock.ts";
import { Refused, refusedBy } from "./http.ts";
import { readStream, type StreamEvent, type StreamOptions } from "./read-stream.ts";

export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected" }
  /** Events are held back; what is shown is at most so old. */
  | { readonly kind: "asking"; readonly everyMs: number }
  /** `since`: by the gateway's clock. */
  | { readonly kind: "lost"; readonly since: number; readonly because: Refused };

export interface Told {
  readonly event: (event: StreamEvent) => void;
  readonly state: (connection: Connection) => void;
  /** Something may have been missed: read everything again. */
  readonly again: () => void;
}

/** A gateway's heartbeats come every 15 s. */
const SILENT_TOO_LONG_MS = 35_000;
/** The first bytes come with the answer. */
const NO_BYTE_MS = 6_000;
const ASK_EVERY_MS = 5_000;
const PAUSES_MS = [250, 1_000, 2_000, 5_000];

/** Until the signal aborts. */
export async function stayConnected(path: string, signal: AbortSignal, told: Told): Promise<void> {
  let lastId: string | null = null;
  let failures = 0;
  let hadOne = false;
  let lastAlive = gatewayNow();
  told.state({ kind: "connecting" });
  while (!signal.aborted) {
    const attempt = new Attempt(signal, told);
    let because = new Refused("the connection ended");
    try {
      const options: StreamOptions = {
        lastId,
        signal: attempt.signal,
        opened: () => {
          attempt.opened();
          if (hadOne) told.again();
          [failures, hadOne] = [0, true];
        },
        alive: () => {
          lastAlive = gatewayNow();
          attempt.alive();
        },
      };
      for await (const event of readStream(path, options)) {
        lastId = event.id ?? lastId;
        told.event(event);
      }
    } catch (error) {
      because = refusedBy(error);
    } finally {
      attempt.end();
    }
    if (signal.aborted) return;
    if (attempt.wasHeldBack) continue;
    told.state({ kind: "lost", since: lastAlive, because });
    await pause(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)] ?? 0, signal);
  }
}

/** One stream, with what watches over it. */
class Attempt {
  readonly #told: Told;
  readonly #stop = new AbortController();
  readonly signal: AbortSignal;
  #watch: ReturnType<typeof setTimeout>;
  #asking: ReturnType<typeof setInterval> | undefined;
  wasHeldBack = false;

  constructor(signal: AbortSignal, told: Told) {
    this.#told = told;
    this.signal = AbortSignal.any([signal, this.#stop.signal]);
    this.#watch = setTimeout(() => this.#holdBack(), NO_BYTE_MS);
  }

  opened(): void {
    clearInterval(this.#asking);
    this.#told.state({ kind: "connected" });
  }

  alive(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#stop.abort(), SILENT_TOO_LONG_MS);
  }

  end(): void {
    clearTimeout(this.#watch);
    clearInterval(this.#asking);
  }

  /** Not taken down at once: what holds bytes back may let them go in one piece later. */
  #holdBack(): void {
    this.wasHeldBack = true;
    this.#told.state({ kind: "asking", everyMs: ASK_EVERY_MS });
    this.#told.again();
    this.#asking = setInterval(() => this.#told.again(), ASK_EVERY_MS);
    this.#watch = setTimeout(() => this.#stop.abort(), SILENT_TOO_LONG_MS);
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
    addEventListener("online", () => resolve(), { once: true, signal });
  });
