/** A guest's serial line at a distance: the console WebSocket as bytes in and bytes out. The only client-side file that knows `ws`. */
import { createWebSocketStream, WebSocket } from "ws";
import { fromErrorBody, isErrorCode, OdoroboError } from "../model/errors.ts";
import type { VmName } from "../model/names.ts";
import { CONSOLE_CLOSE } from "./console-protocol.ts";
import { routes } from "./routes.ts";
import type { Transport } from "./transport.ts";
import { toAgentError } from "./transport-errors.ts";

export interface ConsoleConnection extends AsyncDisposable {
  /** First what was said lately, then what is said now. Ends when the console ends. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Never rejects. */
  readonly ended: Promise<ConsoleEnd>;
  send(bytes: Uint8Array): void;
}

export interface ConsoleEnd {
  readonly because: "guest-off" | "agent-stopping" | "closed-by-us" | "lost";
  /** For people. */
  readonly message: string;
}

/** Enough of an error's body to show. */
const MAX_REFUSAL_BYTES = 16 * 1024;

export async function openConsole(
  transport: Transport,
  name: VmName,
  openMs: number,
  signal: AbortSignal,
): Promise<ConsoleConnection> {
  signal.throwIfAborted();
  const { headers, tls } = await transport.credentials();
  const { address } = transport;
  const path = routes.console(name);
  const url =
    address.socketPath === null
      ? `${address.origin.replace(/^http/, "ws")}${path}`
      : `ws+unix://${address.socketPath}:${path}`;
  const socket = new WebSocket(url, { headers, ...tls, handshakeTimeout: openMs, perMessageDeflate: false });
  let closedByUs = false;
  const close = () => {
    closedByUs = true;
    socket.close();
    // The other side may be gone: it gets a moment to say goodbye.
    setTimeout(() => socket.terminate(), 500).unref();
  };
  const ended = new Promise<ConsoleEnd>((resolve) => {
    socket.once("close", (code, reason) => resolve(describeEnd(code, reason.toString(), closedByUs, name)));
  });
  // Before the socket opens: what comes with the handshake's last bytes is not to be lost.
  const output = createWebSocketStream(socket);
  output.on("error", () => {});
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
    output: readUntilEnd(output),
    ended,
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    async [Symbol.asyncDispose]() {
      close();
      await ended;
      output.destroy();
    },
  };
}

/** A line that is lost ends the output as any other end does; `ended` says which it was. */
async function* readUntilEnd(output: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch {
    // told by `ended`
  }
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
  return { because: "lost", message: "the connection to the agent was lost; the guest goes on" };
}
