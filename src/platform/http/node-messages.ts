/** node:http's messages as web standard ones, and back. What node:http does on its own (destroying, waiting) is kept in hand here. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { OdoroboError, toErrorBody } from "../../model/errors.ts";
import { headersFor } from "./answers.ts";

/** What a URL straightens out: then we would answer for another address than a proxy before us let through. */
const ROUNDABOUT = /^[^?]*(\\|\/(\.|%2e){1,2}(\/|\?|$))/i;

/** `who`: `agent`, for messages. Throws BAD_REQUEST or METHOD_NOT_ALLOWED. */
export function toRequest(request: IncomingMessage, signal: AbortSignal, who: string): Request {
  const path = request.url ?? "";
  const method = request.method ?? "";
  if (!path.startsWith("/")) throw new OdoroboError("BAD_REQUEST", "the address must be a path");
  if (ROUNDABOUT.test(path)) throw new OdoroboError("BAD_REQUEST", "the address must not have . or .. or \\ in it");
  if (["CONNECT", "TRACE", "TRACK"].includes(method)) {
    throw new OdoroboError("METHOD_NOT_ALLOWED", `${method} is not a method of this ${who}`);
  }
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://${who}${path}`, {
    method,
    headers: headersOf(request),
    signal,
    ...(hasBody ? { body: bodyOf(request), duplex: "half" } : {}),
  });
}

export function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return headers;
}

/** Unlike `Readable.toWeb`, giving up the body does not destroy the connection: the answer must still go out on it. */
function bodyOf(request: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        request.on("error", () => {});
        request.resume();
      },
    },
    { highWaterMark: 0 },
  );
}

export async function sendAnswer(
  answered: Response,
  request: IncomingMessage,
  response: ServerResponse,
  stalledMs: number,
): Promise<void> {
  if (response.destroyed) return giveUp(answered);
  response.statusCode = answered.status;
  // Of cookies alone there may be several: they are not one value with commas.
  for (const [name, value] of answered.headers) if (name !== "set-cookie") response.setHeader(name, value);
  const cookies = answered.headers.getSetCookie();
  if (cookies.length > 0) response.setHeader("set-cookie", cookies);
  // 503 is the answer of one that stops: nobody should keep a connection to it.
  if (!request.complete || answered.status === 503) response.setHeader("connection", "close");
  if (answered.headers.has("content-length") || answered.body === null) {
    const body = Buffer.from(await answered.arrayBuffer());
    response.setTimeout(stalledMs, () => response.destroy());
    response.end(request.method === "HEAD" ? undefined : body);
    return;
  }
  response.flushHeaders();
  const body = Readable.fromWeb(answered.body as import("node:stream/web").ReadableStream);
  // A reader that goes away is no failure: then the answer is destroyed before its source is.
  let failure: { readonly error: unknown } | null = null as { readonly error: unknown } | null;
  body.once("error", (error) => {
    if (!response.destroyed) failure = { error };
  });
  await pipeline(body, response).catch(() => {});
  if (failure !== null) throw failure.error;
}

/** Rejects with what went wrong in ending it. */
export async function giveUp(answered: Response): Promise<void> {
  if (!answered.bodyUsed) await answered.body?.cancel();
}

/** A client that was answered before it had sent everything gets a moment to read the answer, not for ever to go on sending. */
export function letGo(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  setTimeout(() => request.socket.destroy(), 1_000).unref();
}

/** Where there is no ServerResponse to answer with. */
export function sendRefusal(socket: Duplex, error: OdoroboError): void {
  if (!socket.writable) return void socket.destroy();
  const body = JSON.stringify(toErrorBody(error));
  const head = [
    `HTTP/1.1 ${error.status} Refused`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    ...Object.entries(headersFor(error)).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
