/**
 * The API's HTTP/1.1 over a Unix socket, by hand, because its oddities are what clients must live with: one thread, so one
 * request at a time over all connections; at most 10 connections; no `Connection: close`; two shapes of error.
 */
import type { Server, Socket } from "node:net";

export interface HttpRequest {
  readonly method: "GET" | "PUT" | "PATCH";
  readonly path: string;
  /** Null: none, or Content-Length 0. */
  readonly body: string | null;
}

export interface HttpResponse {
  readonly status: number;
  /** Null with 204 and where the real one sends nothing. */
  readonly body: string | null;
}

const MAX_CONNECTIONS = 10;
/** Of the request line and of each header line. */
const MAX_LINE = 1024;
const CRLF = "\r\n";

/** Answers requests of all connections, in the order of their arrival, one after another. */
export function serveHttp(
  server: Server,
  bodyLimit: number,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
): void {
  let open = 0;
  let queue: Promise<void> = Promise.resolve();
  server.on("connection", (socket) => {
    socket.on("error", () => socket.destroy());
    if (open >= MAX_CONNECTIONS) {
      const text = '{ "error": "Too many open connections" }';
      const head = ["HTTP/1.1 503", "Server: Firecracker API", "Connection: close", `Content-Length: ${text.length}`];
      socket.end(`${head.join(CRLF)}${CRLF}${CRLF}${text}`);
      return;
    }
    open++;
    socket.on("close", () => open--);
    readRequests(socket, bodyLimit, (request) => {
      queue = queue.then(async () => send(socket, "Cloud Hypervisor API", await handle(request)));
    });
    // Who half-closes does not wait for an answer, it is thought.
    socket.on("end", () => socket.destroy());
  });
}

type Parsed =
  | { readonly kind: "more" }
  | { readonly kind: "continue" }
  | { readonly kind: "bad"; readonly why: string }
  | { readonly kind: "request"; readonly request: HttpRequest; readonly length: number };

function readRequests(socket: Socket, bodyLimit: number, take: (request: HttpRequest) => void): void {
  let pending = Buffer.alloc(0);
  let saidContinue = false;
  socket.on("data", (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const parsed = parse(pending, bodyLimit, saidContinue);
      if (parsed.kind === "more") return;
      if (parsed.kind === "continue") {
        saidContinue = true;
        socket.write(["HTTP/1.1 100 ", "Server: Firecracker API", "Connection: keep-alive", "", ""].join(CRLF));
        return;
      }
      if (parsed.kind === "bad") {
        pending = Buffer.alloc(0);
        const text = `{ "error": "${parsed.why}\nAll previous unanswered requests will be dropped." }`;
        send(socket, "Firecracker API", { status: 400, body: text });
        return;
      }
      saidContinue = false;
      pending = pending.subarray(parsed.length);
      take(parsed.request);
    }
  });
}

const bad = (why: string): Parsed => ({ kind: "bad", why });

function parse(bytes: Buffer, bodyLimit: number, saidContinue: boolean): Parsed {
  const headEnd = bytes.indexOf(CRLF + CRLF);
  const head = bytes.toString("latin1", 0, headEnd < 0 ? bytes.length : headEnd);
  const [requestLine = "", ...headers] = head.split(CRLF);
  if (requestLine.length > MAX_LINE) return bad("Invalid request.");
  if (headEnd < 0)
    return bytes.includes(CRLF) && requestLine.split(" ").length !== 3 ? bad("Invalid request.") : { kind: "more" };
  const [method = "", target = "", version = ""] = requestLine.split(" ");
  if (requestLine.split(" ").length !== 3) return bad("Invalid request.");
  if (method !== "GET" && method !== "PUT" && method !== "PATCH")
    return bad("Invalid HTTP Method: Unsupported HTTP method.");
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return bad("Invalid HTTP Version: Unsupported HTTP version.");
  let length = 0;
  let expects = false;
  for (const header of headers) {
    const colon = header.indexOf(":");
    if (colon < 0) return bad(`Invalid header. Reason: Header is incorrectly formatted. Key: ${header}`);
    const name = header.slice(0, colon).trim().toLowerCase();
    const value = header.slice(colon + 1).trim();
    if (header.length > MAX_LINE)
      return bad(`Invalid header. Reason: Invalid content length. Header: ${header.slice(0, MAX_LINE)}`);
    if (name === "transfer-encoding") return bad("Invalid request.");
    if (name === "expect") expects = value === "100-continue";
    if (name !== "content-length") continue;
    if (!/^\d+$/.test(value)) return bad(`Invalid header. Reason: Invalid value. Key:Content-Length; Value: ${value}`);
    length = Number(value);
  }
  if (length > bodyLimit) {
    return bad(`Request payload with size ${length} is larger than the limit of ${bodyLimit} allowed by server.`);
  }
  const bodyStart = headEnd + 2 * CRLF.length;
  if (bytes.length < bodyStart + length) {
    return expects && !saidContinue && bytes.length === bodyStart ? { kind: "continue" } : { kind: "more" };
  }
  const body = length === 0 ? null : bytes.toString("utf8", bodyStart, bodyStart + length);
  return { kind: "request", request: { method, path: absolutePath(target), body }, length: bodyStart + length };
}

/** The path of an absolute target, too. A query belongs to the path, and no route has one. */
const absolutePath = (target: string): string => target.replace(/^http:\/\/[^/]*/, "");

function send(socket: Socket, server: string, { status, body }: HttpResponse): void {
  if (socket.destroyed) return;
  const lines = [`HTTP/1.1 ${status} `, `Server: ${server}`, "Connection: keep-alive"];
  if (status !== 204) lines.push("Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body ?? "")}`);
  socket.write(`${lines.join(CRLF)}${CRLF}${CRLF}${body ?? ""}`);
}
