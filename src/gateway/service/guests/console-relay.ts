/**
 * A guest's console in a browser: the WebSocket of somebody who looks, and the one of the gateway to the agent, frame by frame
 * (`wire/console-protocol.ts`). The agent knows the gateway; who may type is said here.
 *
 *   http/gateway-door.ts → [console-relay.ts] → wire/open-console.ts → the agent's console-hub.ts
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { OdoroboError } from "../../../model/errors.ts";
import { includesRole } from "../../../model/role.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import type { Logger } from "../../../platform/logger.ts";
import { CONSOLE_CLOSE, type ConsoleMessage, parseConsoleRequest } from "../../../wire/console-protocol.ts";
import type { ConsoleConnection, ConsoleEnd } from "../../../wire/open-console.ts";
import type { ServedFleet } from "../http/call.ts";
import { ANOTHER_ROLE } from "../page/sessions.ts";
import { findGuest } from "./find-guest.ts";

/** A file that a person pastes. */
const MAX_INPUT_BYTES = 1024 * 1024;
/** Of what is on its way to somebody who reads slowly, or to a guest that does: then whoever says it waits. */
const MAX_WAITING_BYTES = 256 * 1024;
/** A browser whose machine vanished is noticed after two of these. */
const HEARTBEAT_MS = 30_000;
/** How often it is looked whether a guest reads again. */
const DRAIN_MS = 50;
/** Of unanswered pings and mistakes: who goes on asking and reads none of it is cut off. */
const MAX_UNREAD_REPLIES = 1_000;

const PATH = /^\/v1\/fleets\/([^/?]+)\/vms\/([^/?]+)\/console(?:\?(.*))?$/;

export interface ConsoleRelayOptions {
  readonly fleets: ReadonlyMap<string, ServedFleet>;
  readonly log: Logger;
}

export class ConsoleRelay implements AsyncDisposable {
  readonly #options: ConsoleRelayOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_INPUT_BYTES,
    perMessageDeflate: false,
    autoPong: false,
  });
  readonly #heartbeat: NodeJS.Timeout;
  readonly #stop = new AbortController();
  #alive = new WeakSet<WebSocket>();

  constructor(options: ConsoleRelayOptions) {
    this.#options = options;
    this.#heartbeat = setInterval(() => this.#askAll(), HEARTBEAT_MS).unref();
  }

  static isWanted = ({ url = "" }: IncomingMessage): boolean => PATH.test(url);

  /** Takes over the connection; rejects with what to answer instead: what the agent has against it, too. */
  async accept(request: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller): Promise<void> {
    const { fleets, log } = this.#options;
    const { fleet, vm, follow, isReadonly } = askedIn(request.url ?? "");
    const served = fleets.get(fleet);
    if (served === undefined)
      throw new OdoroboError("NOT_FOUND", `this gateway has no fleet ${JSON.stringify(fleet.slice(0, 80))}`);
    const { name, node, agent } = findGuest(served, fleet, vm);
    const mayType = !isReadonly && includesRole(caller.role, "operate");
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    const onGone = () => gone.abort();
    socket.once("close", onGone);
    const line = await agent.openConsole(name, signal, { follow, readonly: !mayType });
    if (socket.destroyed) {
      await line[Symbol.asyncDispose]();
      throw new OdoroboError("INTERRUPTED", "the client went away");
    }
    const about = { fleet, vm: name, node, by: caller.name, mayType };
    let isTaken = false;
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      isTaken = true;
      log.info(about, "somebody looks at a console");
      ws.on("pong", () => this.#alive.add(ws));
      this.#alive.add(ws);
      const sessionOver = caller.session?.ended;
      relay(ws, line, { mayType, follow, sessionOver }).then(
        (typedBytes) => log.info({ ...about, typedBytes }, "somebody has looked at a console"),
        (error: unknown) => log.error({ ...about, err: error }, "a console could not be relayed"),
      );
    });
    // A handshake that is none was answered.
    if (!isTaken) await line[Symbol.asyncDispose]();
  }

  #askAll(): void {
    const alive = this.#alive;
    this.#alive = new WeakSet();
    for (const ws of this.#server.clients) {
      if (alive.has(ws) || ws.isPaused) ws.ping();
      else ws.terminate();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const ws of this.#server.clients) {
      ws.close(CONSOLE_CLOSE.agentStopping, "the gateway is stopping");
      setTimeout(() => ws.terminate(), 500).unref();
    }
    this.#stop.abort();
    this.#server.close();
  }
}

interface RelayOptions {
  readonly mayType: boolean;
  readonly follow: boolean;
  readonly sessionOver: AbortSignal | undefined;
}

/** Resolves when both are closed, with how much was typed. */
async function relay(ws: WebSocket, line: ConsoleConnection, options: RelayOptions): Promise<number> {
  const { mayType, follow, sessionOver } = options;
  let typedBytes = 0;
  let isTold = false;
  let unread = 0;
  const reply = () => {
    if (++unread > MAX_UNREAD_REPLIES) ws.terminate();
    return () => void unread--;
  };
  const tell = (message: ConsoleMessage) => {
    if (follow && ws.readyState === ws.OPEN) ws.send(JSON.stringify(message), reply());
  };
  const refuseTyping = () => {
    // Said once: a person who goes on typing has understood.
    if (isTold) return;
    isTold = true;
    if (follow) tell({ type: "error", message: "this console is read-only: nothing that is typed reaches the guest" });
    else ws.close(CONSOLE_CLOSE.refused, "this console is read-only");
  };
  const type = (bytes: Buffer) => {
    if (!mayType) return refuseTyping();
    typedBytes += bytes.length;
    line.send(bytes);
    if (line.unsentBytes() > MAX_WAITING_BYTES) waitForGuest(ws, line);
  };
  ws.on("error", () => ws.terminate());
  ws.on("ping", (data) => ws.pong(data, false, reply()));
  ws.on("message", (data: RawData, isBinary: boolean) => {
    const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
    // Who gets no text frames sends none: its text is what is typed.
    if (isBinary || !follow) return type(bytes);
    const request = parseConsoleRequest(bytes.toString());
    if (request.type === "invalid") tell({ type: "error", message: request.why });
    else if (request.type === "reset_session" && !mayType) refuseTyping();
    else line.request(request);
  });
  const closed = new Promise<void>((resolve) => ws.once("close", () => resolve()));
  const onOver = () => ws.close(CONSOLE_CLOSE.refused, whyOver(sessionOver));
  sessionOver?.addEventListener("abort", onOver, { once: true });
  if (sessionOver?.aborted) onOver();
  try {
    void closed.then(() => line[Symbol.asyncDispose]());
    for await (const piece of line.pieces) {
      if (ws.readyState !== ws.OPEN) break;
      if (piece.kind === "message") tell(piece.message);
      else await written(ws, piece.bytes);
    }
    const end = await line.ended;
    if (ws.readyState === ws.OPEN) ws.close(closeCode(end), end.message.slice(0, 100));
    await closed;
    return typedBytes;
  } finally {
    sessionOver?.removeEventListener("abort", onOver);
    ws.terminate();
    await line[Symbol.asyncDispose]();
  }
}

/** Waits only while much is on its way: what the guest says next is read when there is room for it. */
async function written(ws: WebSocket, bytes: Uint8Array): Promise<void> {
  if (ws.bufferedAmount <= MAX_WAITING_BYTES) return ws.send(bytes);
  await new Promise<void>((resolve) => {
    ws.once("close", resolve);
    ws.send(bytes, () => {
      ws.off("close", resolve);
      resolve();
    });
  });
}

function waitForGuest(ws: WebSocket, line: ConsoleConnection): void {
  if (ws.isPaused) return;
  ws.pause();
  const timer = setInterval(() => {
    if (ws.readyState === ws.OPEN && line.unsentBytes() > MAX_WAITING_BYTES) return;
    clearInterval(timer);
    ws.resume();
  }, DRAIN_MS);
  void line.ended.then(() => {
    clearInterval(timer);
    ws.resume();
  });
}

function closeCode({ because }: ConsoleEnd): number {
  if (because === "guest-off") return CONSOLE_CLOSE.guestOff;
  if (because === "refused") return CONSOLE_CLOSE.refused;
  return CONSOLE_CLOSE.agentStopping;
}

const whyOver = (over: AbortSignal | undefined): string =>
  over?.reason === ANOTHER_ROLE ? `${ANOTHER_ROLE.message}: open it again` : "the session is over: sign in again";

function askedIn(url: string) {
  const [, fleet = "", vm = "", query = ""] = PATH.exec(url) ?? [];
  const asks = new URLSearchParams(query);
  const isAsked = (name: string) => asks.get(name) === "1" || asks.get(name) === "true";
  return { fleet: decode(fleet), vm: decode(vm), follow: isAsked("follow"), isReadonly: isAsked("readonly") };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new OdoroboError("BAD_REQUEST", "the address has a % that is followed by no byte", { cause });
  }
}
