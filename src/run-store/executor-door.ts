/**
 * Whether a run is being executed, and how its executor is reached: a listening socket that the kernel takes away with the process,
 * however that ends. On Linux its name is no file, so there is nothing stale to judge; two who want it at once get it once.
 *
 * The name comes from a key that is kept in the run's folder: who cannot read the folder cannot take the name, nor give orders.
 */
import { once } from "node:events";
import { unlink } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOfText } from "../model/digest.ts";
import { fromErrorBody, isErrno, isOdoroboError, OdoroboError, toErrorBody } from "../model/errors.ts";
import type { RunOrder } from "../run/decide.ts";

const doorOf = (key: string): string => {
  const name = `odorobo-run-${digestOfText(key).slice(0, 32)}`;
  return process.platform === "linux" ? `\0${name}` : join(tmpdir(), `${name}.sock`);
};

export interface OpenDoor extends AsyncDisposable {
  /** Hears what was ordered so far and is from here on. Until then, whoever orders waits. */
  listen(listener: (order: RunOrder) => void): void;
  /** Rings at all who look on: there is something new in the journal. */
  ring(): void;
}

/** Null: somebody else is in. */
export async function openDoor(key: string): Promise<OpenDoor | null> {
  const path = doorOf(key);
  const watchers = new Set<Socket>();
  const all = new Set<Socket>();
  const waiting: { readonly order: RunOrder; readonly socket: Socket }[] = [];
  let listener: ((order: RunOrder) => void) | null = null;
  const server = createServer((socket) => {
    all.add(socket);
    socket
      .on("error", () => {})
      .on("close", () => {
        all.delete(socket);
        watchers.delete(socket);
      });
    firstLine(socket, (line) => answer(line, socket));
  });
  const answer = (line: string, socket: Socket): void => {
    const asked = parseLine(line);
    if (asked?.key !== key) socket.destroy();
    else if (asked.order !== null) {
      waiting.push({ order: asked.order, socket });
      obey();
    } else {
      watchers.add(socket);
      // It may have read the journal before we knew of it.
      socket.write("\n");
    }
  };
  const obey = (): void => {
    if (listener === null) return;
    for (const { order, socket } of waiting.splice(0)) socket.end(`${JSON.stringify(reply(listener, order))}\n`);
  };
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path }, () => {
        server.off("error", reject);
        resolve();
      });
    });
  try {
    await listen();
  } catch (error) {
    if (!isErrno(error, "EADDRINUSE")) throw error;
    // Where the name is a file, one that nobody answers behind is left from somebody who is gone.
    if (process.platform === "linux" || (await knock(key)) !== null) return null;
    await unlink(path);
    await listen();
  }
  server.on("error", () => {}).unref();
  return {
    listen(given) {
      listener = given;
      obey();
    },
    ring() {
      for (const socket of watchers) socket.write("\n");
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        // Whatever was said to them goes out; whoever does not listen holds nobody up.
        for (const socket of all) socket.destroySoon();
      }),
  };
}

function reply(listener: (order: RunOrder) => void, order: RunOrder): unknown {
  try {
    listener(order);
    return {};
  } catch (error) {
    return { error: toErrorBody(isOdoroboError(error) ? error : new OdoroboError("INTERNAL", String(error))) };
  }
}

/** More is a story, and every list shows it. */
const REASON_AT_MOST = 300;
/** Of a key, an order, a name and a reason. Anybody on this machine can knock: who says more, or nothing, is not kept. */
const LINE_AT_MOST = 4_000;
const LINE_MS = 10_000;

function firstLine(socket: Socket, onLine: (line: string) => void): void {
  let said = "";
  const hear = (bytes: Buffer) => {
    said += bytes.toString("utf8");
    const end = said.indexOf("\n");
    if (end < 0 && said.length <= LINE_AT_MOST) return;
    socket.off("data", hear).setTimeout(0).resume();
    if (end < 0) socket.destroy();
    else onLine(said.slice(0, end));
  };
  socket.on("data", hear).setTimeout(LINE_MS, () => socket.destroy());
}

function parseLine(line: string): { readonly key: unknown; readonly order: RunOrder | null } | null {
  try {
    const { key, kind, by, reason } = JSON.parse(line) as Record<string, unknown>;
    if (kind === "follow") return { key, order: null };
    if (kind !== "pause" && kind !== "abort" && kind !== "approve" && kind !== "refuse") return null;
    const why = typeof reason === "string" ? { reason: reason.slice(0, REASON_AT_MOST) } : {};
    return { key, order: { kind, by: String(by).slice(0, 200), ...why } };
  } catch {
    return null;
  }
}

/** Somebody is in, and so many knock at once that the kernel takes no more of them for a moment. */
const CROWD_MS = 20;

/** Null: nobody is in, or whoever is goes just now. The caller closes it. */
async function knock(key: string): Promise<Socket | null> {
  for (;;) {
    const socket = connect({ path: doorOf(key) });
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      if (isErrno(error, "ECONNREFUSED") || isErrno(error, "ENOENT") || isErrno(error, "ECONNRESET")) return null;
      if (!isErrno(error, "EAGAIN")) throw error;
      await sleep(CROWD_MS);
    }
  }
}

export async function isIn(key: string): Promise<boolean> {
  const socket = await knock(key);
  socket?.on("error", () => {}).destroy();
  return socket !== null;
}

/** Rings once for each time that there may be something new, and ends when the executor is gone. */
export async function* listenAtDoor(key: string, signal: AbortSignal): AsyncIterable<void> {
  const socket = await knock(key);
  if (socket === null) return;
  const close = () => socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  socket.on("error", () => {});
  try {
    socket.write(`${JSON.stringify({ key, kind: "follow" })}\n`);
    yield;
    for await (const _ of socket) yield;
  } catch {
    // Cut off: it is gone, or we are asked to go.
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/** False: nobody is in. Rejects with what the executor says against it. */
export async function order(key: string, { kind, by, reason }: RunOrder): Promise<boolean> {
  const socket = await knock(key);
  if (socket === null) return false;
  let said = "";
  try {
    socket.write(`${JSON.stringify({ key, kind, by, reason: reason?.slice(0, REASON_AT_MOST) })}\n`);
    for await (const bytes of socket) said += bytes;
  } catch {
    // It went away before it answered: it is not known whether it heard.
  }
  const line = said.split("\n")[0] ?? "";
  if (line === "") return false;
  const { error } = JSON.parse(line) as { error?: Parameters<typeof fromErrorBody>[0] };
  if (error !== undefined) throw fromErrorBody(error);
  return true;
}
