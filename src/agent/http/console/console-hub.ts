/**
 * The console WebSockets: `/v1/vms/{name}/console`, and `/vms/{id}/console` as the Rust agent had it. Viewers come and go;
 * the guest's line is kept by `agent/console`.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { OdoroboError } from "../../../model/errors.ts";
import { isDnsLabel, type VmName, vmName } from "../../../model/names.ts";
import { includesRole } from "../../../model/role.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import type { Logger } from "../../../platform/logger.ts";
import { CONSOLE_CLOSE } from "../../../wire/console-protocol.ts";
import type { Consoles } from "../../console/consoles.ts";
import type { Lifecycle } from "../../lifecycle/lifecycle.ts";
import { toVmName } from "../compat/vm-id.ts";
import { type Dialect, runSession, type SessionEnd } from "./session.ts";

/** A file that a person pastes. */
const MAX_INPUT_BYTES = 1024 * 1024;
/** How long a guest that should be there may take to have a line. */
const LINE_MS = 1_500;
/** A viewer whose machine vanished is noticed after two of these; short enough for NAT tables to keep the others. */
const HEARTBEAT_MS = 30_000;

export interface ConsoleHubOptions {
  readonly lifecycle: Lifecycle;
  readonly consoles: Consoles;
  readonly log: Logger;
  readonly heartbeatMs?: number;
  /** Told of each session when it has ended. */
  readonly onEnd?: (session: SessionEnd) => void;
}

export class ConsoleHub implements AsyncDisposable {
  readonly #options: ConsoleHubOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_INPUT_BYTES,
    perMessageDeflate: false,
    // `boundReplies` does it.
    autoPong: false,
  });
  readonly #heartbeat: NodeJS.Timeout;
  /** Those who have said something since the last heartbeat. */
  #alive = new WeakSet<WebSocket>();
  #isStopping = false;

  constructor(options: ConsoleHubOptions) {
    this.#options = options;
    this.#heartbeat = setInterval(() => this.#askAll(), options.heartbeatMs ?? HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  /** Takes over the connection; rejects with what to answer instead. `onEnd`: for this session, instead of everybody's. */
  async accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    caller: Caller,
    onEnd: (session: SessionEnd) => void = this.#options.onEnd ?? (() => {}),
  ): Promise<void> {
    if (this.#isStopping) throw new OdoroboError("AGENT_STOPPING", "the agent is stopping");
    const { lifecycle, consoles } = this.#options;
    const asked = consoleOf(request.url ?? "");
    const { name } = asked;
    const serial = await lifecycle.serial(name);
    if (serial.absence !== null) throw serial.absence;
    // Its end would never be told again.
    if (socket.destroyed) throw gone();
    const { console, leave } = consoles.visit(name);
    socket.once("close", leave);
    const isThere = asked.dialect === "following" ? console.hasGuest : await console.isConnectedWithin(LINE_MS);
    if (!isThere && serial.log !== null) await console.recallFrom(serial.log).catch(() => {});
    if (socket.destroyed) throw gone();
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => ws.terminate());
      ws.on("pong", () => this.#alive.add(ws));
      this.#alive.add(ws);
      runSession(ws, {
        name,
        id: asked.id,
        console,
        isOff: !isThere,
        dialect: asked.dialect,
        isReadonly: asked.isReadonly || !includesRole(caller.role, "operate"),
        caller,
        onEnd,
        log: this.#options.log,
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#heartbeat);
    for (const ws of this.#server.clients) {
      ws.close(CONSOLE_CLOSE.agentStopping, "the agent is stopping");
      // A viewer that does not read cannot hold up the end.
      setTimeout(() => ws.terminate(), 500).unref();
    }
    this.#server.close();
  }

  /** A viewer that did not answer the last time is gone, unless it is us who do not listen to it. */
  #askAll(): void {
    const alive = this.#alive;
    this.#alive = new WeakSet();
    for (const ws of this.#server.clients) {
      if (alive.has(ws) || ws.isPaused) ws.ping();
      else ws.terminate();
    }
  }
}

const gone = () => new OdoroboError("INTERRUPTED", "the client went away");

interface Asked {
  readonly name: VmName;
  /** As the caller wrote it. */
  readonly id: string;
  readonly dialect: Dialect;
  readonly isReadonly: boolean;
}

const PATH = /^\/(v1\/)?vms\/([^/?]+)\/console(?:\?(.*))?$/;

function consoleOf(url: string): Asked {
  const [path, isOurs, segment = "", query = ""] = PATH.exec(url) ?? [];
  if (path === undefined) throw new OdoroboError("NOT_FOUND", `there is no WebSocket at ${url.slice(0, 200)}`);
  const id = decode(segment);
  const name = isOurs ? (isDnsLabel(id) ? vmName(id) : null) : toVmName(id);
  if (name === null)
    throw new OdoroboError("BAD_REQUEST", `${JSON.stringify(id.slice(0, 80))} is not the name of a VM`);
  const asks = new URLSearchParams(query);
  const follows = isAsked(asks, "follow");
  const dialect = isOurs ? (follows ? "following" : "plain") : follows ? "following" : "compat";
  return { name, id, dialect, isReadonly: isAsked(asks, "readonly") };
}

const isAsked = (query: URLSearchParams, name: string): boolean =>
  query.get(name) === "1" || query.get(name) === "true";

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new OdoroboError("BAD_REQUEST", "the address has a % that is followed by no byte", { cause: error });
  }
}
