/** Where the guest's serial port ends: a file, a pty, stdout, a socket with one client at a time, or nowhere. */
import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
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

/** As much as the real one keeps for a client that is slow, or not there. */
const BUFFER_BYTES = 1024 * 1024;

/** Binds or opens, at vm.create and at each (re)boot. Writes the pty's path into `config.file`. */
export async function openSerialLine(config: ConsoleConfig, release: Release): Promise<SerialLine> {
  switch (config.mode) {
    case "File":
      return toFile(openOr(config.file ?? "", constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC));
    case "Pty": {
      const fd = openOr("/dev/ptmx", constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
      config.file = `/dev/pts/${/^tty-index:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1]}`;
      return toFile(fd);
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

export function openOr(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o666);
  } catch (error) {
    throw unusable(error);
  }
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
  let hear: ((bytes: Buffer) => void) | null = null;
  let kept = "";
  const keep = (text: string): void => {
    kept = (kept + text).slice(-BUFFER_BYTES);
  };
  const flush = (): void => {
    if (client === null || hear === null || client.writableNeedDrain || kept === "") return;
    const text = kept;
    kept = "";
    client.write(text, "latin1");
  };
  server.on("connection", (socket) => {
    client?.destroy();
    client = socket;
    socket.on("error", () => socket.destroy());
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
