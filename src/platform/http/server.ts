/**
 * A handler behind sockets: node:http in, `Request → Response`, node:http out, with the limits that a public door needs. Of agents and
 * gateways alike.
 *
 *   socket → [server.ts] → door/door.ts → a handler
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type ErrorCode, isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { bind, urlOf } from "./bind.ts";
import { limitPerAddress } from "./connection-count.ts";
import type { Caller } from "./door/caller.ts";
import { createDoor, type Door } from "./door/door.ts";
import type { Gate } from "./door/gate.ts";
import { DEFAULT_LIMITS, type Limits } from "./door/limits.ts";
import { rarely } from "./door/rarely.ts";
import { formatListenAddress, type ListenAddress } from "./listen-address.ts";
import { giveUp, letGo, sendAnswer, sendRefusal, toRequest } from "./node-messages.ts";
import { runVisit } from "./slips.ts";
import { secureContext, type TlsSettings } from "./tls-files.ts";

/** One for all: whoever is answered closes, too, and an error with its stack for each would be a good part of a small answer. */
const GONE = new DOMException("the caller has gone", "AbortError");

const MAX_HEADER_BYTES = 16 * 1024;
/** A request of ours has ten. */
const MAX_HEADERS = 100;

/** What is known before anybody looks at who it is. */
export interface Asked {
  readonly method: string;
  /** As it came, with its query. */
  readonly url: string;
  /** Null on a Unix socket. */
  readonly address: string | null;
}

export interface ServeOptions<Notes extends { code: ErrorCode | null }> {
  /** `agent`, `gateway`: for messages. */
  readonly who: string;
  readonly addresses: readonly ListenAddress[];
  readonly handler: (request: Request, caller: Caller, notes: Notes) => Promise<Response>;
  /** What is found out about a request on its way. */
  readonly openNotes: () => Notes;
  readonly gate: Gate;
  readonly tls: TlsSettings | null;
  readonly log: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<Limits>;
  /** In the shapes that those who use this address know. */
  readonly errorAnswer: (pathname: string, error: OdoroboError) => Response;
  readonly onAnswered?: (asked: Asked, caller: Caller | null, notes: Notes, status: number, durationMs: number) => void;
  /** Takes over connections that ask for that; rejects with what to answer instead. Left out: none are. */
  readonly upgrades?: {
    readonly isWanted: (request: IncomingMessage) => boolean;
    readonly open: (request: IncomingMessage, socket: Duplex, head: Buffer, door: Door) => Promise<void>;
  };
  /** For those who show a signature and no credentials: they are not asked who they are, only counted by their addresses. */
  readonly unguarded?: {
    readonly isWanted: (request: IncomingMessage) => boolean;
    readonly answer: (request: IncomingMessage, response: ServerResponse, door: Door) => Promise<void>;
  };
  /** With every answer. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpServer extends AsyncDisposable {
  /** With the ports that were really given. */
  readonly urls: readonly string[];
  /** For connections from now on; those that are open stay. Asks for client certificates, or not, as from the start. */
  renewTls(settings: TlsSettings): void;
}

/** Rejects with ADDRESS_IN_USE or AGENT_CONFIG. */
export async function serve<Notes extends { code: ErrorCode | null }>(
  options: ServeOptions<Notes>,
): Promise<HttpServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const servers: Server[] = [];
  const urls: string[] = [];
  const close = async () => {
    await Promise.all(servers.map((server) => closeServer(server, limits.drainMs)));
  };
  try {
    for (const address of options.addresses) {
      const server = makeServer(address, options, limits);
      await bind(server, address, options.who);
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

function makeServer<Notes extends { code: ErrorCode | null }>(
  address: ListenAddress,
  options: ServeOptions<Notes>,
  limits: Limits,
): Server {
  const transport = address.kind;
  const { tls, gate, log, clock, who, errorAnswer, upgrades, unguarded } = options;
  const unexpected = () => unexpectedOf(who);
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAlive: true,
    keepAliveTimeout: 30_000,
    // curl asks for h2c on the side; it is answered in plain HTTP/1.1.
    shouldUpgradeCallback: (request: IncomingMessage) => upgrades?.isWanted(request) ?? false,
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
  const door = createDoor({ who, transport, gate, rate: limits.requests, clock, log });
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
    const open = async () => {
      if (upgrades === undefined) throw new OdoroboError("BAD_REQUEST", `this ${who} takes no upgrades`);
      await upgrades.open(request, socket, head, door);
    };
    void runVisit(fail, () => open().catch((error) => refuse(socket, error, log, who)));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    // A handshake that failed: there is no one whom an answer could reach.
    if (socket instanceof TLSSocket && !established.has(socket)) socket.destroy();
    else refuse(socket, clientMistake(error), log, who);
  });
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const begun = clock.monotonicMs();
    for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
    const asked = askedBy(request);
    const notes = options.openNotes();
    const gone = new AbortController();
    response.on("close", () => gone.abort(GONE));
    let caller: Caller | null = null;
    let answered: Response;
    try {
      if (unguarded?.isWanted(request)) {
        door.countAddress(request);
        return await unguarded.answer(request, response, door);
      }
      const converted = toRequest(request, gone.signal, who);
      caller = await door.enter(request, converted.headers, false);
      answered = await options.handler(converted, caller, notes);
    } catch (error) {
      if (!isOdoroboError(error)) log.error({ err: error, path: pathOf(request) }, "unexpected error");
      const known = isOdoroboError(error) ? error : unexpected();
      notes.code = known.code;
      answered = errorAnswer(pathOf(request), known);
    }
    try {
      options.onAnswered?.(asked, caller, notes, answered.status, clock.monotonicMs() - begun);
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
    for (const name of response.getHeaderNames())
      if (options.headers?.[name] === undefined) response.removeHeader(name);
    const refusal = errorAnswer(pathOf(request), unexpected());
    sendAnswer(refusal, request, response, limits.stalledMs).catch(() => response.destroy());
  }
}

const pathOf = ({ url = "" }: IncomingMessage): string => url.replace(/\?.*/s, "").slice(0, 200);

const unexpectedOf = (who: string) =>
  new OdoroboError("INTERNAL", `the ${who} failed at something it did not expect`, { hint: `see the ${who}'s log` });

export const askedBy = ({ method = "", url = "", socket }: IncomingMessage): Asked => ({
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

function refuse(socket: Duplex, error: unknown, log: Logger, who: string): void {
  if (!isOdoroboError(error)) log.error({ err: error }, "a connection failed");
  sendRefusal(socket, isOdoroboError(error) ? error : unexpectedOf(who));
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(patience);
}
