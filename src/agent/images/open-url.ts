/**
 * One answer of one place that has an image: by HTTP, or a file of the node. From some byte on, if it can.
 *
 *   read-source.ts → [open-url.ts]
 *
 * Where a redirect leads is refused when it is further in than the source itself (ADR 55): who may say what `https://example.org/` answers must
 * not be able to have an agent ask its own neighbours. What counts is the address that is connected to, not the name.
 */
import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { open } from "node:fs/promises";
import { isIP, type LookupFunction } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { OdoroboError } from "../../model/errors.ts";
import { extentOf, openToLook } from "../storage/image-file.ts";
import { innermost, isWithin, type Scope, scopeOf } from "./address-scope.ts";

export interface OpenedUrl extends AsyncDisposable {
  /** The first byte of `body` is this one. */
  readonly from: number;
  /** Of the whole; null: it does not say. */
  readonly totalBytes: number | null;
  /** Another one: other bytes. Null: it does not say. */
  readonly etag: string | null;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface OpenOptions {
  readonly from: number;
  /** What it was when the bytes before came. */
  readonly etag: string | null;
  /** Redirects may lead anywhere but to plain http. */
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
  readonly method?: "GET" | "HEAD";
}

const MOST_REDIRECTS = 5;
/** A server that builds its answer first may take its time; one that is silent for this long is gone. */
const HEADERS_MS = 30_000;
const SILENCE_MS = 60_000;

/** Rejects with IMAGE_REFUSED where asking again is of no use, with the network's error otherwise. */
export async function openUrl(url: string, options: OpenOptions): Promise<OpenedUrl> {
  return url.startsWith("file:") ? await openFile(url, options) : await openHttp(new URL(url), options);
}

async function openFile(url: string, { from, method }: OpenOptions): Promise<OpenedUrl> {
  const path = fileURLToPath(url);
  const look = await openToLook(path).catch((error: unknown) => {
    throw refused(`${path} cannot be read on this node (${(error as NodeJS.ErrnoException).code})`, "put it there");
  });
  const { bytes } = await extentOf(look, path).finally(() => look.close());
  const file = await open(path, "r");
  const body =
    method === "HEAD"
      ? nothing()
      : file.createReadStream({ start: Math.min(from, bytes), autoClose: false, highWaterMark: 1024 * 1024 });
  return {
    ...{ from, totalBytes: bytes, etag: null, body },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

interface Door extends AsyncDisposable {
  readonly dispatcher: Dispatcher;
  /** Of what was connected to; null where a proxy did that. */
  reached(): Scope | null;
}

async function openHttp(first: URL, options: OpenOptions): Promise<OpenedUrl> {
  let url = first;
  let limit: Scope = "link";
  for (let redirects = 0; ; redirects++) {
    const door = openDoor(url, limit);
    let answer: Dispatcher.ResponseData;
    try {
      answer = await ask(url, options, door.dispatcher);
    } catch (error) {
      await door[Symbol.asyncDispose]();
      throw asRefusal(error, first, url);
    }
    const { statusCode, headers } = answer;
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined)
      return { ...understand(first, answer, options), [Symbol.asyncDispose]: () => close(answer, door) };
    const reached = door.reached();
    await close(answer, door);
    if (redirects === 0 && !options.allowPrivate) limit = reached ?? "public";
    url = whereTo(first, url, String(headers.location), redirects);
  }
}

/** Throws IMAGE_REFUSED. */
function whereTo(first: URL, from: URL, location: string, redirects: number): URL {
  if (redirects >= MOST_REDIRECTS)
    throw refused(`${first.href} leads on and on: more than ${MOST_REDIRECTS} redirects`, "name where it ends");
  if (!URL.canParse(location, from.href)) throw refused(`${first.href} leads to what is no URL`, "name where it is");
  const url = new URL(location, from.href);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw refused(`${first.href} leads to ${url.protocol}`, "name where it is");
  if (from.protocol === "https:" && url.protocol === "http:")
    throw refused(`${first.href} leads from https to http, ${url.host}`, "name a source that stays with https");
  // A name and password in it would be sent, and told.
  [url.username, url.password] = ["", ""];
  return url;
}

function ask(url: URL, { from, etag, signal, method = "GET" }: OpenOptions, dispatcher: Dispatcher) {
  const isStrong = etag !== null && !etag.startsWith("W/");
  return request(url, {
    ...{ method, dispatcher, signal, headersTimeout: HEADERS_MS, bodyTimeout: SILENCE_MS },
    headers: {
      "accept-encoding": "identity",
      "user-agent": "odorobo",
      ...(from === 0 ? {} : { range: `bytes=${from}-`, ...(isStrong ? { "if-range": etag } : {}) }),
    },
  });
}

async function close({ body }: Dispatcher.ResponseData, door: Door): Promise<void> {
  body.on("error", () => {});
  body.destroy();
  await door[Symbol.asyncDispose]();
}

function understand(
  url: URL,
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { from }: OpenOptions,
): Omit<OpenedUrl, typeof Symbol.asyncDispose> {
  const etag = headers.etag === undefined ? null : String(headers.etag);
  const length = headers["content-length"] === undefined ? null : Number(headers["content-length"]);
  if (statusCode === 206 && from > 0) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers["content-range"] ?? ""));
    const start = range === null ? -1 : Number(range[1]);
    const totalBytes = range === null || range[2] === "*" ? null : Number(range[2]);
    return { from: start, totalBytes, etag, body: allThatCame(body) };
  }
  // No such part: it has become shorter than what came before.
  if (statusCode === 416 && from > 0) return { from: -1, totalBytes: null, etag, body };
  if (statusCode !== 200) throw asStatusError(url, statusCode);
  if (/^text\/html\b/i.test(String(headers["content-type"] ?? "")))
    throw refused(`${url.href} answers with a page for people, not with an image`, "name the file itself");
  return { from: 0, totalBytes: length, etag, body: allThatCame(body) };
}

/** Chunks that wait for their reader before the sender is asked to wait. */
const MOST_WAITING = 16;

/**
 * A stream that breaks forgets what it had not handed out yet: where each connection breaks early, nothing would ever come. So chunks are taken as
 * they come, and the break is told behind them.
 */
function allThatCame(body: Readable): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = [];
  let ended: { readonly error: unknown } | null = null;
  let wake = () => {};
  body.on("data", (chunk: Uint8Array) => {
    waiting.push(chunk);
    if (waiting.length >= MOST_WAITING) body.pause();
    wake();
  });
  const end = (error: unknown) => {
    ended ??= { error };
    wake();
  };
  body.on("error", end);
  body.on("end", () => end(null));
  body.on("close", () => end(new Error("other side closed")));
  // Listened to at once, and not only when somebody reads: it may break before.
  const read = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk !== undefined) yield chunk;
      else if (ended !== null) {
        const { error } = ended as { readonly error: unknown };
        if (error === null) return;
        throw error;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        body.resume();
        await promise;
      }
    }
  };
  return read();
}

/** What a server may say of itself for a while is worth another try. */
function asStatusError(url: URL, status: number): Error {
  const said = `${url.href} answers ${status}`;
  if (status >= 500 || status === 408 || status === 429) return new Error(said);
  return refused(
    said,
    status === 404 || status === 410 ? "is it still offered there? look at its site" : "may everybody have it?",
  );
}

function openDoor(url: URL, limit: Scope): Door {
  let seen: Scope | null = null;
  const note = (scopes: readonly Scope[]) => {
    seen = innermost(scopes);
  };
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) {
    const scope = scopeOf(host);
    if (!isWithin(scope, limit)) throw tooFarIn(url, [scope]);
    note([scope]);
  }
  const lookup: LookupFunction = (hostname, asked, callback) =>
    dnsLookup(hostname, { ...asked, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, "");
      const scopes = addresses.map(({ address }) => scopeOf(address));
      const fit = addresses.filter((_, index) => isWithin(scopes[index] as Scope, limit));
      const [first] = fit;
      if (first === undefined) return callback(tooFarIn(url, scopes), "");
      note(fit.map(({ address }) => scopeOf(address)));
      if (asked.all) callback(null, fit);
      else callback(null, first.address, first.family);
    });
  const dispatcher = hasProxy() ? new EnvHttpProxyAgent({ connect: { lookup } }) : new Agent({ connect: { lookup } });
  return {
    dispatcher,
    reached: () => seen,
    // What is still open is of no use to anybody.
    [Symbol.asyncDispose]: () => dispatcher.destroy().catch(() => {}),
  };
}

const hasProxy = (): boolean =>
  ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].some((name) => (process.env[name] ?? "") !== "");

const tooFarIn = (url: URL, scopes: readonly Scope[]): OdoroboError =>
  refused(
    `a redirect leads to ${url.host}, which is ${innermost(scopes) === "private" ? "in a private network" : "this node itself or its neighbour"}`,
    "name that place as the source, if it is meant; or start the agent with --image-private-redirects",
  );

/** What was refused at connecting comes back wrapped. */
function asRefusal(error: unknown, first: URL, url: URL): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof OdoroboError)) continue;
    return new OdoroboError(cause.code, `${first.href}: ${cause.message}`, { hint: cause.hint });
  }
  return new Error(`${url.host} cannot be reached (${(error as NodeJS.ErrnoException).code ?? String(error)})`, {
    cause: error,
  });
}

export const refused = (message: string, hint: string): OdoroboError =>
  new OdoroboError("IMAGE_REFUSED", message, { hint });
