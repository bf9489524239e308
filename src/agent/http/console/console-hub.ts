/** WebSocket /v1/vms/{name}/console: viewers come and go, each guest's serial line is opened once. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { OdoroboError } from "../../../model/errors.ts";
import { isDnsLabel, type VmName, vmName } from "../../../model/names.ts";
import { CONSOLE_CLOSE } from "../../../wire/console-protocol.ts";
import type { Lifecycle } from "../../lifecycle/lifecycle.ts";
import { readTailBytes } from "../log-file.ts";
import { SerialLine, type Viewer } from "./serial-line.ts";

/** What a person or a paste sends at once. */
const MAX_INPUT_BYTES = 64 * 1024;
const LAST_WORDS_BYTES = 64 * 1024;

export class ConsoleHub implements AsyncDisposable {
  readonly #lifecycle: Lifecycle;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_INPUT_BYTES, perMessageDeflate: false });
  /** By VM name; the promise, so that two who come at once open one line. */
  readonly #lines = new Map<VmName, Promise<SerialLine>>();
  #isStopping = false;

  constructor(lifecycle: Lifecycle) {
    this.#lifecycle = lifecycle;
  }

  /** Takes over the connection; rejects with what to answer instead. */
  async accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (this.#isStopping) throw new OdoroboError("AGENT_STOPPING", "the agent is stopping");
    const name = consoleOf(request.url ?? "");
    const serial = await this.#lifecycle.serial(name);
    if (serial.absence !== null) throw serial.absence;
    const line = serial.socket === null ? null : await this.#line(name, serial.socket, serial.log);
    const lastWords = line === null && serial.log !== null ? await readTailBytes(serial.log, LAST_WORDS_BYTES) : null;
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => ws.terminate());
      if (line?.isOpen) return this.#attach(ws, name, line);
      if (lastWords !== null && lastWords.length > 0) ws.send(lastWords);
      ws.close(CONSOLE_CLOSE.guestOff, `${name} is off`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    const lines = await Promise.allSettled(this.#lines.values());
    for (const line of lines) if (line.status === "fulfilled") line.value.close();
    for (const ws of this.#server.clients) {
      ws.close(CONSOLE_CLOSE.agentStopping, "the agent is stopping");
      // A viewer that does not read cannot hold up the end.
      setTimeout(() => ws.terminate(), 500).unref();
    }
    this.#server.close();
  }

  /** Null: the guest went off while we looked. */
  async #line(name: VmName, path: string, log: string | null): Promise<SerialLine | null> {
    const known = await this.#lines.get(name)?.catch(() => null);
    if (known?.isOpen) return known;
    // Its end is known, but not yet told: the guest was rebooted just now.
    if (known) this.#lines.delete(name);
    let opening = this.#lines.get(name);
    if (opening === undefined) {
      opening = SerialLine.open(path, log);
      this.#lines.set(name, opening);
      const forget = () => {
        if (this.#lines.get(name) === opening) this.#lines.delete(name);
      };
      opening.then((line) => line.onEnd(() => [forget(), line.close()]), forget);
    }
    return await opening.catch(() => null);
  }

  #attach(ws: WebSocket, name: VmName, line: SerialLine): void {
    const viewer: Viewer = {
      send: (bytes) => ws.send(bytes),
      backlog: () => ws.bufferedAmount,
      drop: () => ws.terminate(),
      end: () => {
        if (this.#isStopping) ws.close(CONSOLE_CLOSE.agentStopping, "the agent is stopping");
        else ws.close(CONSOLE_CLOSE.guestOff, `${name} is off`);
      },
    };
    ws.on("message", (data) => {
      const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
      if (line.write(bytes)) return;
      ws.pause();
      line.onDrain(() => ws.resume());
    });
    ws.on("close", () => line.remove(viewer));
    line.add(viewer);
  }
}

function consoleOf(url: string): VmName {
  const name = /^\/v1\/vms\/([^/?]+)\/console(\?.*)?$/.exec(url)?.[1];
  if (name !== undefined && isDnsLabel(name)) return vmName(name);
  throw new OdoroboError("NOT_FOUND", `there is no WebSocket at ${url.slice(0, 200)}`);
}
