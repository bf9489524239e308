/** A gateway over HTTP: its documents, what people say to its runs, and its streams of events. */
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import type { CredentialSettings } from "./credentials.ts";
import { Transport } from "./transport.ts";

export interface StreamedEvent {
  readonly event: string;
  readonly data: unknown;
}

const CONNECT_MS = 3_000;
const ANSWER_MS = 30_000;
/** Three heartbeats: one may be late, two are a broken line. */
const SILENCE_MS = 45_000;
/** A revision with all its diagnostics; more without an end is no stream of events. */
const MAX_PENDING_CHARACTERS = 4 * 1024 * 1024;

export class GatewayClient implements AsyncDisposable {
  readonly #transport: Transport;

  /** Opens nothing yet. Throws USAGE for an address that is none. */
  constructor(address: string, credentials: CredentialSettings) {
    this.#transport = new Transport(address, credentials, CONNECT_MS);
  }

  get address(): string {
    return this.#transport.address.text;
  }

  /** Rejects with what the gateway has against it, or with AGENT_UNREACHABLE and the like. */
  async get<Document>(path: string, signal: AbortSignal): Promise<Document> {
    return await this.#ask<Document>({ method: "GET", path }, signal);
  }

  async post<Document>(path: string, body: object, signal: AbortSignal): Promise<Document> {
    return await this.#ask<Document>({ method: "POST", path, body }, signal);
  }

  /** Until the gateway ends it. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<StreamedEvent> {
    const headers = { accept: "text/event-stream" };
    const question = { method: "GET", path, headers, headersMs: ANSWER_MS, silenceMs: SILENCE_MS, signal } as const;
    const body = await this.#transport.askStream(question, "text/event-stream", "events").catch(rethrow);
    const decoder = new TextDecoder();
    let pending = "";
    for await (const chunk of body) {
      pending += decoder.decode(chunk, { stream: true });
      const blocks = pending.split("\n\n");
      pending = blocks.pop() ?? "";
      if (pending.length > MAX_PENDING_CHARACTERS) throw this.#transport.protocolError("sent an event without an end");
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1];
        const data = field("data");
        if (data !== undefined) yield { event: field("event") ?? "message", data: this.#parse(data) };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport.close();
  }

  async #ask<Document>(
    question: { readonly method: "GET" | "POST"; readonly path: string; readonly body?: object },
    signal: AbortSignal,
  ): Promise<Document> {
    const asked = { ...question, headersMs: ANSWER_MS, silenceMs: ANSWER_MS, signal };
    return (await this.#transport.askJson(asked, "a document").catch(rethrow)) as Document;
  }

  #parse(data: string): unknown {
    try {
      return JSON.parse(data);
    } catch (error) {
      throw this.#transport.protocolError("sent an event that is not JSON", error);
    }
  }
}

/** The same trouble as with agents, and something else to look at. */
function rethrow(error: unknown): never {
  if (!isOdoroboError(error, "AGENT_UNREACHABLE")) throw error;
  throw new OdoroboError(error.code, error.message, {
    cause: error.cause,
    hint: "is the gateway running there? systemctl status odorobo-gateway, or: odorobo gateway",
  });
}
