/**
 * JSON over HTTP to a forge: bounded in time and size, no redirects (they would carry the token elsewhere), the token read from its
 * file for each question and in no message. Every way it can go wrong is one of three errors, and says when to try again.
 */
import { readFile } from "node:fs/promises";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { OdoroboError } from "../../model/errors.ts";
import type { SecretFile } from "../../platform/http/door/secret-file.ts";

export interface ForgeQuestion {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** Below the API's base, with its query. */
  readonly path: string;
  readonly body?: unknown;
}

export interface ForgeAnswer {
  readonly status: number;
  readonly json: unknown;
  /** `x-next-page`, as some say whether there is more. */
  readonly header: (name: string) => string | undefined;
}

export interface ForgeHttpOptions {
  readonly base: URL;
  readonly token: SecretFile<string>;
  readonly caFile?: string | undefined;
  readonly headersFor: (token: string) => Readonly<Record<string, string>>;
  readonly answerMs?: number;
}

const ANSWER_MS = 20_000;
/** A hundred comments of the longest kind. What is longer is not what was asked for. */
const MOST_BYTES = 16 * 1024 * 1024;

/** What the forge asked for, as the cause of an error that says to try later. */
export class RetryAfter extends Error {
  readonly milliseconds: number;
  constructor(milliseconds: number) {
    super(`it asks to be left alone for ${Math.ceil(milliseconds / 1000)} s`);
    this.milliseconds = milliseconds;
  }
}

export class ForgeHttp {
  readonly #options: ForgeHttpOptions;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(options: ForgeHttpOptions) {
    this.#options = options;
    const settings = { keepAlive: true, maxSockets: 2, timeout: 30_000 };
    this.#agent = options.base.protocol === "https:" ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  get name(): string {
    return this.#options.base.host;
  }

  /** The answer, if its status is 2xx or among `also`. Rejects as `Forge` says. */
  async ask(question: ForgeQuestion, signal: AbortSignal, also: readonly number[] = []): Promise<ForgeAnswer> {
    signal.throwIfAborted();
    const { response, text } = await this.#exchange(question, signal);
    const status = response.statusCode ?? 0;
    const header = (name: string) => response.headers[name]?.toString();
    const json = parse(text);
    if ((status < 200 || status > 299) && !also.includes(status)) throw this.#refusal(question, status, json, header);
    if (json === undefined) {
      throw this.#later(`${this.name} answered ${status} with something that is no JSON`, null, {
        hint: "is forge.url the address of the API, and is no login page or proxy before it?",
      });
    }
    return { status, json, header };
  }

  /** All pages of a list, by `page`, until one is not full. */
  async askAll(path: string, perPage: string, count: number, signal: AbortSignal): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    for (let page = 1; page <= MOST_PAGES; page++) {
      const separator = path.includes("?") ? "&" : "?";
      const query = `${path}${separator}${perPage}=${count}&page=${page}`;
      const list = listOf((await this.ask({ method: "GET", path: query }, signal)).json);
      all.push(...list);
      if (list.length < count) break;
    }
    return all;
  }

  async #exchange(
    { method, path, body }: ForgeQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly response: IncomingMessage; readonly text: string }> {
    const { base, token, caFile, headersFor, answerMs = ANSWER_MS } = this.#options;
    const url = new URL(`${base.pathname.replace(/\/$/, "")}${path}`, base);
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const headers = {
      accept: "application/json",
      // Some refuse requests without one.
      "user-agent": "odorobo-gateway",
      ...(bytes === null ? {} : { "content-type": "application/json", "content-length": bytes.length }),
      ...headersFor(await token.read()),
    };
    const ca = caFile === undefined ? {} : { ca: await readCa(caFile) };
    const late = AbortSignal.timeout(answerMs);
    const within = AbortSignal.any([signal, late]);
    try {
      return await new Promise((resolve, reject) => {
        const send = url.protocol === "https:" ? httpsRequest : httpRequest;
        const asked: ClientRequest = send(url, { method, headers, agent: this.#agent, signal: within, ...ca });
        asked.on("error", reject);
        asked.on("response", (response) => {
          readText(response).then((text) => resolve({ response, text }), reject);
        });
        asked.end(bytes);
      });
    } catch (cause) {
      signal.throwIfAborted();
      const what = late.aborted ? `did not answer within ${answerMs / 1000} s` : "could not be asked";
      throw this.#later(`${this.name} ${what}`, cause, { hint: "is it up, and the way to it open?" });
    }
  }

  #later(message: string, cause: unknown, { hint }: { readonly hint: string }): OdoroboError {
    return new OdoroboError("FORGE_UNREACHABLE", message, { cause: cause ?? undefined, hint });
  }

  #refusal(
    { method, path }: ForgeQuestion,
    status: number,
    json: unknown,
    header: (name: string) => string | undefined,
  ): OdoroboError {
    const said = messageOf(json);
    const what = `${this.name} answered ${status} to ${method} ${path.replace(/\?.*/, "")}${said === "" ? "" : `: ${said}`}`;
    const pause = retryAfter(header);
    const isLimit = status === 403 && (pause !== null || /rate limit|abuse/i.test(said));
    if (status === 429 || isLimit) {
      const cause = pause === null ? undefined : new RetryAfter(pause);
      return new OdoroboError("RATE_LIMITED", what, { cause, hint: "it is tried again when the forge allows" });
    }
    if (status >= 500 || status === 408 || status === 409 || status === 425)
      return this.#later(what, pause === null ? null : new RetryAfter(pause), { hint: "it is tried again" });
    return new OdoroboError("FORGE_REFUSED", what, { hint: HINTS[status] ?? HINT });
  }
}

const MOST_PAGES = 50;
const HINT = "is forge.url the address of this forge's API, and forge.kind right?";
const HINTS: Readonly<Record<number, string>> = {
  401: "the token in forge.tokenFile is wrong or has run out: put a new one there",
  403: "the token in forge.tokenFile may not do this: it needs the rights that docs/forges.md lists",
  404: "is forge.repository right, does the token see it, and is the commit there? Forges say 404 for what a token may not see",
  422: "the forge does not take it as it is: see what it says",
};

export const statusOf = (error: unknown): number | null => {
  const match = error instanceof OdoroboError ? / answered (\d{3}) to /.exec(error.message) : null;
  return match === null ? null : Number(match[1]);
};

/** Null: it does not say. Of `Retry-After` in seconds or as a date, or of GitHub's own. */
function retryAfter(header: (name: string) => string | undefined): number | null {
  const after = header("retry-after");
  if (after !== undefined && /^\d{1,6}$/.test(after)) return Number(after) * 1000;
  const until = after === undefined ? Number.NaN : Date.parse(after);
  if (!Number.isNaN(until)) return Math.max(0, until - Date.now());
  const reset = header("x-ratelimit-reset");
  if (header("x-ratelimit-remaining") !== "0" || reset === undefined || !/^\d{1,12}$/.test(reset)) return null;
  return Math.max(0, Number(reset) * 1000 - Date.now());
}

/** Enough to know what is wrong; what a forge says is text of a stranger. */
function messageOf(json: unknown): string {
  if (typeof json !== "object" || json === null) return "";
  const { message, error, errors, error_description } = json as Record<string, unknown>;
  const nested = typeof error === "object" && error !== null ? (error as { message?: unknown }).message : error;
  const texts = [message, nested, error_description, errors].filter((each) => each !== undefined && each !== null);
  return texts
    .map((each) => (typeof each === "string" ? each : JSON.stringify(each)))
    .join(" ")
    .replace(/\s+/g, " ")
    .replace(/\p{C}/gu, "")
    .slice(0, 300);
}

function parse(text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const listOf = (json: unknown): readonly unknown[] => (Array.isArray(json) ? json : []);

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES >> 20} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function readCa(path: string): Promise<Buffer> {
  return await readFile(path).catch((cause) => {
    throw new OdoroboError("FORGE_REFUSED", `cannot read ${path}`, { cause, hint: "forge.caFile names it" });
  });
}
