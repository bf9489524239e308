/** A guest's serial line at a distance: the console WebSocket as bytes in and bytes out. The only client-side file that knows `ws`. */
import { type RawData, WebSocket } from "ws";
import { fromErrorBody, isErrorCode, OdoroboError } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import {
  CONSOLE_CLOSE,
  type ConsoleMessage,
  type ConsoleOptions,
  type ConsoleRequest,
  consoleQuery,
  parseConsoleMessage,
} from "./console-protocol.ts";
import { routes } from "./routes.ts";
import type { Transport } from "./transport.ts";
import { toAgentError } from "./transport-errors.ts";

export interface ConsoleConnection extends AsyncDisposable {
  /** First what was said lately, then what is said now, and between the bytes what the agent tells. Ends when the console ends. */
  readonly pieces: AsyncIterable<ConsolePiece>;
  /** The bytes alone. One reads either this or the pieces. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Never rejects. */
  readonly ended: Promise<ConsoleEnd>;
  send(bytes: Uint8Array): void;
  /** Sent, and not taken by the network yet: the agent lets a guest that reads slowly hold us up. */
  unsentBytes(): number;
  /** Only agents that are followed answer; others take it for something that was typed, so nothing is sent to them. */
  request(message: ConsoleRequest): void;
}

export type ConsolePiece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "message"; readonly message: ConsoleMessage };

export interface ConsoleEnd {
  readonly because: "guest-off" | "agent-stopping" | "closed-by-us" | "refused" | "lost";
  /** For people. */
  readonly message: string;
}

/** What is read ahead of a slow reader before the agent has to wait. */
const READ_AHEAD_BYTES = 1024 * 1024;

/** Enough of an error's body to show. */
const MAX_REFUSAL_BYTES = 16 * 1024;

export async function openConsole(
  transport: Transport,
  name: VmName,
  options: ConsoleOptions,
  openMs: number,
  signal: AbortSignal,
): Promise<ConsoleConnection> {
  signal.throwIfAborted();
  const { headers, tls } = await transport.credentials();
  const { address } = transport;
  const path = routes.console(name) + consoleQuery(options);
  const url =
    address.socketPath === null
      ? `${address.origin.replace(/^http/, "ws")}${path}`
      : `ws+unix://${address.socketPath}:${path}`;
  const socket = new WebSocket(url, { headers, ...tls, handshakeTimeout: openMs, perMessageDeflate: false });
  let closedByUs = false;
  const close = () => {
    closedByUs = true;
    socket.close();
    // What is not read holds up the goodbye.
    if (socket.isPaused) socket.resume();
    // The other side may be gone: it gets a moment to say goodbye.
    setTimeout(() => socket.terminate(), 500).unref();
  };
  const ended = new Promise<ConsoleEnd>((resolve) => {
    socket.once("close", (code, reason) => resolve(describeEnd(code, reason.toString(), closedByUs, name)));
  });
  // Before the socket opens: what comes with the handshake's last bytes is not to be lost.
  const pieces = readPieces(socket);
  const onAbort = () => close();
  signal.addEventListener("abort", onAbort);
  void ended.then(() => signal.removeEventListener("abort", onAbort));
  try {
    await opened(socket, address.text);
  } catch (error) {
    socket.terminate();
    signal.throwIfAborted();
    throw error;
  }
  return {
    pieces,
    output: onlyBytes(pieces),
    ended,
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    unsentBytes: () => socket.bufferedAmount,
    request: (message) => {
      if (options.follow && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    async [Symbol.asyncDispose]() {
      close();
      await ended;
    },
  };
}

/** A line that is lost ends the pieces as any other end does; `ended` says which it was. */
function readPieces(socket: WebSocket): AsyncIterable<ConsolePiece> {
  const waiting: ConsolePiece[] = [];
  let bytesWaiting = 0;
  let isOver = false;
  let wake = () => {};
  socket.on("message", (data, isBinary) => {
    const piece = toPiece(data, isBinary);
    if (piece === null) return;
    waiting.push(piece);
    bytesWaiting += piece.kind === "bytes" ? piece.bytes.length : 0;
    if (bytesWaiting > READ_AHEAD_BYTES && socket.readyState === WebSocket.OPEN) socket.pause();
    wake();
  });
  socket.once("close", () => {
    isOver = true;
    wake();
  });
  return (async function* () {
    for (;;) {
      const piece = waiting.shift();
      if (piece !== undefined) {
        bytesWaiting -= piece.kind === "bytes" ? piece.bytes.length : 0;
        if (bytesWaiting <= READ_AHEAD_BYTES && socket.isPaused) socket.resume();
        yield piece;
      } else if (isOver) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  })();
}

function toPiece(data: RawData, isBinary: boolean): ConsolePiece | null {
  const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
  if (isBinary) return { kind: "bytes", bytes };
  const message = parseConsoleMessage(bytes.toString("utf8"));
  return message === null ? null : { kind: "message", message };
}

async function* onlyBytes(pieces: AsyncIterable<ConsolePiece>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) if (piece.kind === "bytes") yield piece.bytes;
}

function opened(socket: WebSocket, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", (error) => reject(toAgentError(address, error, null)));
    socket.once("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk) => {
        if (text.length < MAX_REFUSAL_BYTES) text += chunk;
      });
      response.on("close", () => reject(toRefusal(address, response.statusCode ?? 0, text)));
    });
  });
}

function toRefusal(address: string, status: number, text: string): OdoroboError {
  try {
    const { code, message, hint } = JSON.parse(text);
    if (isErrorCode(code))
      return fromErrorBody({ code, message: String(message), ...(hint && { hint: String(hint) }) });
  } catch {
    // not an agent's refusal
  }
  return new OdoroboError("AGENT_PROTOCOL", `${address} answered ${status} instead of opening a console`, {
    hint: "is this an odorobo agent, and of a version that goes with this odorobo?",
  });
}

function describeEnd(code: number, reason: string, closedByUs: boolean, name: VmName): ConsoleEnd {
  if (closedByUs) return { because: "closed-by-us", message: "console closed" };
  if (code === CONSOLE_CLOSE.guestOff) return { because: "guest-off", message: reason || `${name} is off` };
  if (code === CONSOLE_CLOSE.agentStopping)
    return { because: "agent-stopping", message: "the agent stops; the guest goes on" };
  if (code === CONSOLE_CLOSE.refused) return { because: "refused", message: reason || "the agent ended the console" };
  return { because: "lost", message: "the connection to the agent was lost; the guest goes on" };
}
