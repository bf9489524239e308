/** Where the guest's serial port ends: a file, a pty, stdout, a socket with one client at a time, or nowhere. */
import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { openPty, type Pty } from "./pty.ts";
import { bindText, ioText, Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";
import type { ConsoleConfig } from "./vm-config.ts";

export interface SerialLine {
  /** The guest speaks. What has no room is lost, the oldest first. */
  write(text: string): void;
  /** How many bytes wait for a reader. */
  readonly waiting: number;
  /** From now on the guest hears what is typed, and clients are served. Before, they only wait. */
  attach(hear: (bytes: Buffer) => void): void;
  /** The VM is gone: clients are sent away, the socket's file is removed. */
  close(): void;
}

/** How soon a terminal that was full is tried again. */
const AGAIN_MS = 5;
/** As much as the real one keeps for a client that is slow, or not there. */
const BUFFER_BYTES = 1024 * 1024;

/** Binds or opens, at vm.create and at each (re)boot. Writes the pty's path into `config.file`. */
export async function openSerialLine(config: ConsoleConfig, release: Release): Promise<SerialLine> {
  switch (config.mode) {
    case "File":
      return toFile(openOr(config.file ?? "", constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC));
    case "Pty": {
      const pty = openOrRefuse(openPty);
      config.file = pty.path;
      return toPty(pty);
    }
    case "Tty":
      return { write: (text) => process.stdout.write(text), waiting: 0, attach: () => {}, close: () => {} };
    case "Socket":
      return toSocket(config.socket ?? "", release);
    case "Null":
    case "Off":
      return { write: () => {}, waiting: 0, attach: () => {}, close: () => {} };
  }
}

const unusable = (error: unknown): Refusal => new Refusal("other", "Error creating console device", ioText(error));

export const openOr = (path: string, flags: number): number => openOrRefuse(() => openSync(path, flags, 0o666));

function openOrRefuse<Opened>(open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    throw unusable(error);
  }
}

/** What the terminal has no room for is kept, and goes out as soon as somebody reads. */
function toPty(pty: Pty): SerialLine {
  let kept = Buffer.alloc(0);
  let isClosed = false;
  let again: NodeJS.Timeout | null = null;
  nameThread(true);
  const flush = (): void => {
    again = null;
    if (isClosed) return;
    for (let taken = 1; taken > 0 && kept.length > 0; kept = kept.subarray(taken)) taken = pty.write(kept);
    if (kept.length > 0) again = setTimeout(flush, AGAIN_MS);
  };
  return {
    write(text) {
      kept = Buffer.concat([kept, Buffer.from(text, "latin1")]).subarray(-BUFFER_BYTES);
      if (again === null) flush();
    },
    get waiting() {
      return kept.length;
    },
    attach: (hear) => pty.hear(hear),
    close() {
      isClosed = true;
      if (again !== null) clearTimeout(again);
      pty.close();
    },
  };
}

const THREAD = "serial-manager";

/** One of this process's threads is called as the real one's that moves the bytes, so that one can see whether it lives. */
function nameThread(isAlive: boolean): void {
  const others = readdirSync("/proc/self/task")
    .filter((id) => id !== String(process.pid))
    .map((id) => `/proc/self/task/${id}/comm`);
  const named = others.filter((file) => readFileSync(file, "utf8").trim() === THREAD);
  if (!isAlive) for (const file of named) writeFileSync(file, "gone");
  else if (named.length === 0) writeFileSync(others.at(0) ?? "", THREAD);
}

function toFile(fd: number): SerialLine {
  return {
    write(text) {
      try {
        writeSync(fd, text);
      } catch {
        // A full disk or an unread pty: the guest does not notice.
      }
    },
    waiting: 0,
    attach: () => {},
    close: () => closeSync(fd),
  };
}

async function toSocket(path: string, release: Release): Promise<SerialLine> {
  const server = createServer();
  try {
    await listen(server, path);
  } catch (error) {
    throw new Refusal("other", "Error creating console device", bindText(error, path));
  }
  let client: Socket | null = null;
  /** Its thread has ended: nobody is served any more, and the socket stays. */
  let isDead = false;
  nameThread(true);
  let hear: ((bytes: Buffer) => void) | null = null;
  const deaf = new Set<Socket>();
  let kept = "";
  const keep = (text: string): void => {
    kept = (kept + text).slice(-BUFFER_BYTES);
  };
  const flush = (): void => {
    if (isDead || client === null || hear === null || client.writableNeedDrain || kept === "") return;
    const text = kept;
    kept = "";
    client.write(text, "latin1");
  };
  server.on("connection", (socket) => {
    if (isDead) {
      deaf.add(socket.pause());
      socket.on("error", () => {});
      return;
    }
    client?.destroy();
    client = socket;
    socket.on("error", (error: NodeJS.ErrnoException) => {
      socket.destroy();
      // As seen on 53 and 54-dev: a reader that ends with something unread resets the connection, which is an error to the
      // thread that reads from it, and the thread returns.
      if (error.code !== "ECONNRESET") return;
      isDead = true;
      nameThread(false);
    });
    socket.on("drain", flush);
    socket.on("data", (bytes) => hear?.(bytes));
    socket.on("close", () => {
      if (client === socket) client = null;
    });
    flush();
  });
  return {
    write(text) {
      if (client === null && !release.buffersSerial) return;
      keep(text);
      flush();
    },
    get waiting() {
      return kept.length + (client?.writableLength ?? 0);
    },
    attach(listener) {
      hear = listener;
      flush();
    },
    close() {
      client?.destroy();
      for (const socket of deaf) socket.destroy();
      server.close();
      rmSync(path, { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
