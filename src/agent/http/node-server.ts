/**
 * The handler behind sockets: node:http in, `Request → Response`, node:http out, with the limits that a public door needs.
 *
 *   socket → [node-server.ts] → door.ts → handler.ts
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { formatListenAddress, type ListenAddress } from "../listen-address.ts";
import { isArrival } from "./arrival.ts";
import { type Asked, type AuditTrail, noNotes } from "./audit/audit-trail.ts";
import { bind, urlOf } from "./bind.ts";
import { errorAnswerAt } from "./compat/answers.ts";
import { limitPerAddress } from "./connection-count.ts";
import type { Caller } from "./door/caller.ts";
import { createDoor } from "./door/door.ts";
import type { Gate } from "./door/gate.ts";
import { DEFAULT_LIMITS, type Limits } from "./door/limits.ts";
import { rarely } from "./door/rarely.ts";
import type { Handler } from "./handler.ts";
import { giveUp, headersOf, letGo, sendAnswer, sendRefusal, toRequest } from "./node-messages.ts";
import { runVisit } from "./slips.ts";

export interface TlsSettings {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs client certificates; null: clients show none. */
  readonly clientCa: Buffer | null;
}

/** One for all: whoever is answered closes, too, and an error with its stack for each would be a good part of a small answer. */
const GONE = new DOMException("the caller has gone", "AbortError");

const MAX_HEADER_BYTES = 16 * 1024;
/** A request of ours has ten. */
const MAX_HEADERS = 100;

export interface ServeOptions {
  readonly addresses: readonly ListenAddress[];
  readonly handler: Handler;
  readonly gate: Gate;
  readonly tls: TlsSettings | null;
  readonly log: Logger;
  readonly clock: Clock;
  readonly audit: AuditTrail;
  readonly limits?: Partial<Limits>;
  readonly upgrade: Upgrade;
  /** Takes over the connection of an agent that brings a guest; throws what to answer instead. Left out: nobody is expected. */
  readonly arrive?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Takes over a connection that asks for a WebSocket; rejects with what to answer instead. `onEnd` is told once, with how much was typed. */
export type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  caller: Caller,
  onEnd: (bytesTyped: number) => void,
) => Promise<void>;

export interface HttpServer extends AsyncDisposable {
  /** With the ports that were really given. */
  readonly urls: readonly string[];
  /** For connections from now on; those that are open stay. Asks for client certificates, or not, as from the start. */
  renewTls(settings: TlsSettings): void;
}

export async function serve(options: ServeOptions): Promise<HttpServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const servers: Server[] = [];
  const urls: string[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => closeServer(server, limits.drainMs)));
  };
  try {
    for (const address of options.addresses) {
      const server = makeServer(address, options, limits);
      await bind(server, address);
      server.on("error", (error) => options.log.error({ err: error }, `${formatListenAddress(address)} failed`));
      servers.push(server);
      urls.push(urlOf(server, address, options.tls !== null));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    urls,
    renewTls: (settings) => {
      for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(secureContext(settings));
    },
    [Symbol.asyncDispose]: close,
  };
}

const secureContext = ({ cert, key, clientCa }: TlsSettings) => ({
  cert,
  key,
  minVersion: "TLSv1.2" as const,
  ...(clientCa === null ? {} : { ca: clientCa }),
});

function makeServer(address: ListenAddress, options: ServeOptions, limits: Limits): Server {
  const transport = address.kind;
  const { tls, gate, log, clock, audit } = options;
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAlive: true,
    keepAliveTimeout: 30_000,
    // curl asks for h2c on the side; it is answered in plain HTTP/1.1.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      headers.upgrade?.toLowerCase() === "websocket" || isArrival(headers),
  };
  const isTls = tls !== null && transport !== "unix";
  const server = isTls
    ? createTlsServer({
        ...settings,
        ...secureContext(tls),
        handshakeTimeout: limits.handshakeMs,
        // Those without one are told why they are not let in: by the gate.
        ...(tls.clientCa === null ? {} : { requestCert: true, rejectUnauthorized: false }),
      })
    : createServer(settings);
  const { enter, countAddress } = createDoor({ transport, gate, rate: limits.requests, clock, log });
  const established = new WeakSet<Duplex>();
  const logFull = rarely(clock);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = limits.maxConnections;
  server.on("drop", () => logFull((unsaid) => log.warn({ unsaid }, "all connections are taken: one was turned away")));
  limitPerAddress(server, limits.maxConnectionsPerAddress, (socket) => {
    const from = socket.remoteAddress;
    logFull((unsaid) => log.warn({ address: from, unsaid }, "one address has all the connections that one may have"));
    if (isTls) socket.destroy();
    else sendRefusal(socket, new OdoroboError("RATE_LIMITED", "your address has too many connections open here"));
  });
  server.on("secureConnection", (socket: TLSSocket) => established.add(socket));
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const fail = (error: unknown) => breakOff(request, response, error);
    response.on("finish", () => letGo(request));
    void runVisit(fail, () => answer(request, response).catch(fail));
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const fail = (error: unknown) => {
      log.error({ err: error, path: pathOf(request) }, "a connection that was taken over failed");
      socket.destroy();
    };
    const open = isArrival(request.headers) ? letIn : openConsole;
    void runVisit(fail, () => open(request, socket, head).catch((error) => refuse(socket, error, log)));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A handshake that failed: there is no one whom an answer could reach.
    if (socket instanceof TLSSocket && !established.has(socket)) socket.destroy();
    else refuse(socket, clientMistake(error), log);
  });
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begun = clock.monotonicMs();
    const asked = askedBy(request);
    const notes = noNotes();
    const gone = new AbortController();
    response.on("close", () => gone.abort(GONE));
    let caller: Caller | null = null;
    let answered: Response;
    try {
      const converted = toRequest(request, gone.signal);
      caller = await enter(request, converted.headers, false);
      answered = await options.handler(converted, caller, notes);
    } catch (error) {
      if (!isOdoroboError(error)) log.error({ err: error, path: pathOf(request) }, "unexpected error");
      const known = isOdoroboError(error) ? error : unexpected();
      notes.code = known.code;
      answered = errorAnswerAt(pathOf(request), known, clock);
    }
    try {
      audit.answered(asked, caller, notes, answered.status, clock.monotonicMs() - begun);
      await sendAnswer(answered, request, response, limits.stalledMs);
    } catch (error) {
      // Nobody reads it any more, so nobody else would end it.
      await giveUp(answered).catch(() => {});
      throw error;
    }
  }

  /** Of an answer that has begun nothing can be taken back: that it breaks off is what tells its reader. */
  function breakOff(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    log.error({ err: error, method: request.method, path: pathOf(request) }, "an answer could not be given");
    if (response.headersSent || response.destroyed) return void response.destroy();
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    const refusal = errorAnswerAt(pathOf(request), unexpected(), clock);
    sendAnswer(refusal, request, response, limits.stalledMs).catch(() => response.destroy());
  }

  /** By its ticket, whatever else is asked of callers: it is another agent, and this one was told to expect it. */
  async function letIn(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const asked = askedBy(request);
    try {
      countAddress(request);
      if (options.arrive === undefined) throw new OdoroboError("NOT_FOUND", "no guests come in here");
      options.arrive(request, socket, head);
      audit.arrival(asked, null);
    } catch (error) {
      audit.arrival(asked, isOdoroboError(error) ? error.code : "INTERNAL");
      throw error;
    }
  }

  async function openConsole(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const asked = askedBy(request);
    let caller: Caller | null = null;
    try {
      caller = await enter(request, headersOf(request), true);
      const session = audit.console(asked, caller);
      await options.upgrade(request, socket, head, caller, session.closed);
      // A handshake that is none has been answered by now, or its sender is gone.
      if (!socket.writableEnded && !socket.destroyed) session.opened();
      else audit.consoleRefused(asked, caller, "BAD_REQUEST");
    } catch (error) {
      audit.consoleRefused(asked, caller, isOdoroboError(error) ? error.code : "INTERNAL");
      throw error;
    }
  }
}

const pathOf = ({ url = "" }: IncomingMessage): string => url.replace(/\?.*/s, "").slice(0, 200);

const unexpected = () =>
  new OdoroboError("INTERNAL", "the agent failed at something it did not expect", { hint: "see the agent's log" });

const askedBy = ({ method = "", url = "", socket }: IncomingMessage): Asked => ({
  method,
  url,
  address: socket.remoteAddress ?? null,
});

function clientMistake(error: NodeJS.ErrnoException): OdoroboError {
  switch (error.code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new OdoroboError("BAD_REQUEST", "the request took too long to arrive");
    case "HPE_HEADER_OVERFLOW":
      return new OdoroboError("BAD_REQUEST", `the headers are larger than ${MAX_HEADER_BYTES / 1024} KiB`);
    default:
      return new OdoroboError("BAD_REQUEST", "this is not HTTP");
  }
}

function refuse(socket: Duplex, error: unknown, log: Logger): void {
  if (!isOdoroboError(error)) log.error({ err: error }, "a connection failed");
  sendRefusal(socket, isOdoroboError(error) ? error : unexpected());
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(patience);
}
