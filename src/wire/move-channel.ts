/**
 * Opens a way for a guest to another agent's own door: an HTTP upgrade, after which the connection is bytes both ways.
 *
 *   lifecycle/migration → [move-channel.ts] → the other agent's node-server.ts
 *
 * Whoever has the ticket is let in, so the ticket is sent to nobody but the agent that showed the expected certificate.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectPlain, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { fromErrorBody, isErrorCode, OdoroboError } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import { parseAgentAddress } from "./agent-address.ts";
import { routes } from "./routes.ts";
import { toAgentError } from "./transport-errors.ts";

export const MOVE_PROTOCOL = "odorobo-move";
export const TICKET_SCHEME = "Ticket";

export interface MoveTarget {
  readonly address: string;
  readonly ticket: string;
  /** SHA-256 of its certificate, in hex. Null: it has none. */
  readonly fingerprint: string | null;
}

/** `channel`: `control`, `memory`, `disk.NAME`. */
export type Dial = (target: MoveTarget, vm: VmName, channel: string, signal: AbortSignal) => Promise<Duplex>;

/** Enough of an error's body to show. */
const MAX_REFUSAL_BYTES = 16 * 1024;
const OPEN_MS = 10_000;

/** Rejects with AGENT_UNREACHABLE, AGENT_PROTOCOL or what the agent answered. */
export const openMoveChannel: Dial = async (target, vm, channel, signal) => {
  const within = AbortSignal.any([signal, AbortSignal.timeout(OPEN_MS)]);
  const { text, origin } = parseAgentAddress(target.address);
  let socket: Socket | null = null;
  try {
    socket = await connect(target, within);
    return await upgrade(socket, origin, target.ticket, routes.arrival(vm, channel), text, within);
  } catch (error) {
    socket?.destroy();
    signal.throwIfAborted();
    throw toAgentError(text, error, null);
  }
};

async function connect({ address, fingerprint }: MoveTarget, signal: AbortSignal): Promise<Socket> {
  const { isTls, socketPath, origin, text } = parseAgentAddress(address);
  if (socketPath !== null) return opened(connectPlain({ path: socketPath, allowHalfOpen: true }), "connect", signal);
  const { hostname, port, protocol } = new URL(origin);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const place = { host, port: Number(port || (protocol === "https:" ? 443 : 80)) };
  if (!isTls) return noDelay(await opened(connectPlain({ ...place, allowHalfOpen: true }), "connect", signal));
  // By its fingerprint, which whoever may apply was told by the agent itself: no name and no authority could say more.
  const socket = connectTls({ ...place, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  await opened(socket, "secureConnect", signal);
  const shown = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(":", "").toLowerCase();
  if (fingerprint !== null && shown === fingerprint) return noDelay(socket);
  socket.destroy();
  throw new OdoroboError("AGENT_PROTOCOL", `${text} shows another certificate than the node that expects the guest`, {
    hint: "does this address lead to that node, from here? Its certificate may also have been renewed a moment ago: try again",
  });
}

function opened<S extends Socket | TLSSocket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      act();
    };
    const onError = (error: Error) => end(() => reject(error));
    const onAbort = () =>
      end(() => {
        socket.on("error", () => {});
        socket.destroy();
        reject(signal.reason);
      });
    socket.once("error", onError);
    socket.once(event, () => end(() => resolve(socket)));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
}

function noDelay(socket: Socket): Socket {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 10_000);
  return socket;
}

function upgrade(
  socket: Socket,
  origin: string,
  ticket: string,
  path: string,
  address: string,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, fail) => {
    // Not the request's own: it would end the connection after it has become a channel.
    const onAbort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    const ended = () => signal.removeEventListener("abort", onAbort);
    const reject = (error: unknown) => {
      ended();
      fail(error);
    };
    const request = httpRequest({
      createConnection: () => socket,
      host: new URL(origin).host,
      path,
      headers: {
        host: new URL(origin).host,
        connection: "upgrade",
        upgrade: MOVE_PROTOCOL,
        authorization: `${TICKET_SCHEME} ${ticket}`,
      },
    });
    request.once("error", reject);
    request.once("upgrade", (_, upgraded: Duplex, head: Buffer) => {
      ended();
      // What was read with the answer's head belongs to the stream.
      if (head.length > 0) upgraded.unshift(head);
      resolve(upgraded);
    });
    request.once("response", (response) => {
      readText(response).then((text) => reject(toRefusal(address, response.statusCode ?? 0, text)), reject);
    });
    request.end();
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) if (text.length < MAX_REFUSAL_BYTES) text += chunk;
  return text;
}

function toRefusal(address: string, status: number, text: string): OdoroboError {
  try {
    const { code, message, hint } = JSON.parse(text);
    if (isErrorCode(code))
      return fromErrorBody({ code, message: String(message), ...(hint && { hint: String(hint) }) });
  } catch {
    // not an agent's refusal
  }
  return new OdoroboError("AGENT_PROTOCOL", `${address} answered ${status} instead of letting a guest in`, {
    hint: "is this an odorobo agent, and of a version that can take guests in?",
  });
}
