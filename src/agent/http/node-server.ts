/**
 * The handler behind sockets: node:http in, `Request → Response`, node:http out, with the limits that a public door needs.
 *
 *   socket → [node-server.ts] → gate → handler.ts
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import { formatListenAddress, type ListenAddress } from "../listen-address.ts";
import { errorAnswer } from "./answers.ts";
import { bind, urlOf } from "./bind.ts";
import type { Caller } from "./caller.ts";
import type { Gate } from "./gate.ts";
import type { Handler } from "./handler.ts";
import { headersOf, letGo, sendAnswer, sendRefusal, toRequest } from "./node-messages.ts";

export interface TlsSettings {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs client certificates; null: clients show none. */
  readonly clientCa: Buffer | null;
}

/** What one client can make us wait for or hold. */
export interface Limits {
  readonly headersMs: number;
  /** For the whole request to arrive, body included; says nothing of how long the answer takes. */
  readonly requestMs: number;
  /** How long a client may stop reading an answer. */
  readonly stalledMs: number;
  /** How long open answers may take to end when the agent stops. */
  readonly drainMs: number;
}

export const DEFAULT_LIMITS: Limits = { headersMs: 10_000, requestMs: 30_000, stalledMs: 60_000, drainMs: 3_000 };
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 2_048;

export interface ServeOptions {
  readonly addresses: readonly ListenAddress[];
  readonly handler: Handler;
  readonly gate: Gate;
  readonly tls: TlsSettings | null;
  readonly log: Logger;
  readonly limits?: Partial<Limits>;
  /** Takes over a connection that asks for a WebSocket; rejects with what to answer instead. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller) => Promise<void>;
}

export interface HttpServer extends AsyncDisposable {
  /** With the ports that were really given. */
  readonly urls: readonly string[];
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
  return { urls, [Symbol.asyncDispose]: close };
}

function makeServer(address: ListenAddress, options: ServeOptions, limits: Limits): Server {
  const transport = address.kind;
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAlive: true,
    keepAliveTimeout: 30_000,
    // curl asks for h2c on the side; it is answered in plain HTTP/1.1.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket",
  };
  const { tls, gate, log } = options;
  const server =
    tls === null || transport === "unix"
      ? createServer(settings)
      : createTlsServer({
          ...settings,
          cert: tls.cert,
          key: tls.key,
          minVersion: "TLSv1.2",
          ...(tls.clientCa === null ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false }),
        });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    response.on("finish", () => letGo(request));
    answer(request, response).catch((error) => {
      log.warn({ err: error }, "an answer could not be sent");
      response.destroy();
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    knock(request, headersOf(request), true)
      .then((caller) => options.upgrade(request, socket, head, caller))
      .catch((error) => refuse(socket, error, log));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => refuse(socket, clientMistake(error), log));
  return server;

  function knock(request: IncomingMessage, headers: Headers, isUpgrade: boolean): Promise<Caller> {
    return gate({ method: request.method ?? "", headers, transport, isCertified: isCertified(request), isUpgrade });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    let answered: Response;
    try {
      const asked = toRequest(request, gone.signal);
      const caller = await knock(request, asked.headers, false);
      answered = await options.handler(asked, caller);
    } catch (error) {
      if (!isOdoroboError(error)) throw error;
      answered = errorAnswer(toTold(error, log));
    }
    await sendAnswer(answered, request, response, limits.stalledMs);
  }
}

/** Only ever true where a client CA was given: without one no certificate is asked for. */
const isCertified = (request: IncomingMessage): boolean =>
  request.socket instanceof TLSSocket && request.socket.authorized;

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
  const unexpected = () => new OdoroboError("INTERNAL", "the agent failed at something it did not expect");
  sendRefusal(socket, isOdoroboError(error) ? toTold(error, log) : unexpected());
}

/** A token file that became untrustworthy is for the agent's owner to know, not for who knocks. */
function toTold(error: OdoroboError, log: Logger): OdoroboError {
  if (error.code !== "AGENT_INSECURE") return error;
  log.error({ err: error }, "nobody is let in");
  return new OdoroboError("INTERNAL", "the agent cannot check tokens now");
}

async function closeServer(server: Server, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(patience);
}
