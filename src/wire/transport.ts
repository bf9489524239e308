/** HTTP to one agent: bounded in time and size, and every failure said in our words. The only file that knows undici. */
import { Pool } from "undici";
import { type Conflict, fromErrorBody, isErrorCode, OdoroboError } from "../model/errors.ts";
import { type AgentAddress, parseAgentAddress } from "./agent-address.ts";
import { type CredentialSettings, type Credentials, readCredentials } from "./credentials.ts";
import { formatTerm, TERM_HEADER } from "./order-term.ts";
import { ERROR_CODE_HEADER } from "./routes.ts";
import { type BrokenOff, toAgentError } from "./transport-errors.ts";

export interface Question {
  readonly method: "GET" | "PUT" | "POST" | "DELETE" | "PATCH";
  readonly path: string;
  /** Sent as JSON; bytes are JSON already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Until the answer begins. */
  readonly headersMs: number;
  /** Between two pieces of the answer; 0: it may be silent for ever. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
  /** What half an answer is. Default: AGENT_PROTOCOL. */
  readonly brokenOff?: BrokenOff;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  /** What kind of error it is, where its body has no place for that. */
  readonly errorCode: string | null;
  readonly header: (name: string) => string | null;
  /** Rejects while being read with the errors of `toAgentError`. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface WholeAnswer extends Omit<Answer, "body"> {
  readonly body: Uint8Array;
}

/** A busy node has some hundred VMs of a few KiB each; this is what a wrong or broken server may make us read. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export class Transport {
  readonly address: AgentAddress;
  readonly #settings: CredentialSettings;
  readonly #connectMs: number;
  #opened: Promise<{ pool: Pool; credentials: Credentials }> | null = null;

  constructor(address: string, settings: CredentialSettings, connectMs: number) {
    this.address = parseAgentAddress(address);
    this.#settings = settings;
    this.#connectMs = connectMs;
  }

  async credentials(): Promise<Credentials> {
    return (await this.#open()).credentials;
  }

  /** The answer, whatever its status. */
  async ask(question: Question): Promise<Answer> {
    const { pool, credentials } = await this.#open();
    const { signal } = question;
    signal.throwIfAborted();
    try {
      const hasBody = question.body !== undefined;
      const { statusCode, headers, body } = await pool.request({
        method: question.method,
        path: question.path,
        headers: {
          accept: "application/json",
          ...(hasBody ? { "content-type": "application/json" } : {}),
          ...credentials.headers,
          ...(question.method === "GET" ? {} : this.#termHeader()),
          ...question.headers,
        },
        body: hasBody ? toBody(question.body) : null,
        headersTimeout: question.headersMs,
        bodyTimeout: question.silenceMs,
        signal,
      });
      // Whoever gives up reading ends the connection; what undici then says to nobody is not news.
      body.on("error", () => {});
      return {
        status: statusCode,
        contentType: String(headers["content-type"] ?? ""),
        errorCode: headers[ERROR_CODE_HEADER]?.toString() ?? null,
        header: (name) => headers[name]?.toString() ?? null,
        body: this.#read(body, question),
      };
    } catch (error) {
      signal.throwIfAborted();
      throw toAgentError(this.address.text, error, null);
    }
  }

  #termHeader(): Readonly<Record<string, string>> {
    const term = this.#settings.term?.() ?? null;
    return term === null ? {} : { [TERM_HEADER]: formatTerm(term) };
  }

  /** The answer and all of its body, whatever its status. */
  async askAll(question: Question, what: string): Promise<WholeAnswer> {
    const answer = await this.ask(question);
    return { ...answer, body: await this.#readAll(answer, what) };
  }

  /** The JSON of an answer with a 2xx status; what else comes rejects. `what`: "a report". */
  async askJson(question: Question, what: string): Promise<unknown> {
    return this.readJson(await this.ask(question), what);
  }

  async readJson(answer: Answer, what: string): Promise<unknown> {
    const bytes = await this.#readAll(answer, what);
    if (answer.status < 200 || answer.status > 299) throw this.#refusal(answer, bytes, what);
    return this.#parse(answer, bytes, what);
  }

  /** An answer that is read while it comes; what is not 2xx and of this type rejects. */
  async askStream(question: Question, contentType: string, what: string): Promise<AsyncIterable<Uint8Array>> {
    const answer = await this.ask(question);
    if (answer.status === 200 && answer.contentType.startsWith(contentType)) return answer.body;
    const bytes = await this.#readAll(answer, what);
    if (answer.status === 200) throw this.#notExpected(answer, bytes, what);
    throw this.#refusal(answer, bytes, what);
  }

  /** AGENT_PROTOCOL: it answered, and not what an agent answers. */
  protocolError(message: string, cause?: unknown): OdoroboError {
    return new OdoroboError("AGENT_PROTOCOL", `${this.address.text} ${message}`, {
      cause,
      hint: "is this an odorobo agent, and of a version that goes with this odorobo?",
    });
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => null);
    await opened?.pool.destroy();
  }

  #open(): Promise<{ pool: Pool; credentials: Credentials }> {
    this.#opened ??= readCredentials(this.#settings).then((credentials) => {
      const { origin, socketPath } = this.address;
      const connect = { timeout: this.#connectMs, ...credentials.tls, ...(socketPath === null ? {} : { socketPath }) };
      return { pool: new Pool(origin, { connect }), credentials };
    });
    return this.#opened;
  }

  async *#read(body: AsyncIterable<Uint8Array>, { signal, brokenOff }: Question): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      signal.throwIfAborted();
      throw toAgentError(this.address.text, error, brokenOff ?? "AGENT_PROTOCOL");
    }
  }

  async #readAll({ body }: Answer, what: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES)
        throw this.protocolError(`answered with more than ${MAX_ANSWER_BYTES >> 20} MiB instead of ${what}`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  #parse(answer: Answer, bytes: Buffer, what: string): unknown {
    if (!answer.contentType.startsWith("application/json")) throw this.#notExpected(answer, bytes, what);
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch (error) {
      throw this.protocolError(`answered with broken JSON instead of ${what}`, error);
    }
  }

  #notExpected({ status, contentType }: Answer, bytes: Buffer, what: string): OdoroboError {
    return this.protocolError(
      `answered ${status} ${contentType || "without a type"} instead of ${what}: ${beginning(bytes)}`,
    );
  }

  /** What the agent says in its own words, or what the status alone says. */
  #refusal(answer: Answer, bytes: Buffer, what: string): OdoroboError {
    const said = answer.contentType.startsWith("application/json") ? parseErrorBody(bytes) : null;
    if (said !== null && isErrorCode(said.code)) return fromErrorBody({ ...said, code: said.code });
    if (answer.status === 401 || answer.status === 403) {
      return new OdoroboError("UNAUTHORIZED", `${this.address.text} answered ${answer.status}`, {
        hint: "the token must be the one in the file that the agent was given with --token-file",
      });
    }
    // A newer agent may know more kinds of error than we do.
    if (said !== null) return this.protocolError(`answered ${answer.status} ${said.code}: ${said.message}`);
    return this.#notExpected(answer, bytes, what);
  }
}

const toBody = (body: unknown): string | Uint8Array => (body instanceof Uint8Array ? body : JSON.stringify(body));

interface SaidError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly conflict?: Conflict;
}

function parseErrorBody(bytes: Buffer): SaidError | null {
  try {
    const { code, message, hint, conflict } = JSON.parse(bytes.toString("utf8"));
    if (typeof code !== "string" || typeof message !== "string") return null;
    const holder = toConflict(conflict);
    return {
      code: printable(code, 60),
      message: printable(message, 1_000),
      ...(typeof hint === "string" ? { hint: printable(hint, 1_000) } : {}),
      ...(holder === null ? {} : { conflict: holder }),
    };
  } catch {
    return null;
  }
}

function toConflict(value: unknown): Conflict | null {
  if (typeof value !== "object" || value === null) return null;
  const { run, step, since } = value as Record<string, unknown>;
  if (typeof run !== "string" || typeof step !== "string" || typeof since !== "string") return null;
  return { run: printable(run, 200), step: printable(step, 200), since: printable(since, 40) };
}

/** Enough to recognise a proxy's page by; not enough to print somebody's secrets. */
const beginning = (bytes: Buffer): string => JSON.stringify(printable(bytes.subarray(0, 400).toString("utf8"), 80));

const printable = (text: string, length: number): string =>
  text.replace(/\s+/g, " ").replace(/\p{C}/gu, "").slice(0, length);
