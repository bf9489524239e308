/**
 * How two Cloud Hypervisors talk during a migration: requests of 16 bytes (command, length of what follows) with their payload, each answered by 16
 * bytes. As there (vm-migration/src/protocol.rs), but that config and state are the double's own: a double and a real one do not understand each other.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { bindText, ioText, Refusal } from "./refusal.ts";

export const COMMANDS = {
  start: 1,
  config: 2,
  state: 3,
  memory: 4,
  complete: 5,
  abandon: 6,
  "complete paused": 8,
} as const;
export type MigrationCommand = keyof typeof COMMANDS;

export interface MigrationRequest {
  readonly command: MigrationCommand;
  /** Of memory: its table of ranges. */
  readonly payload: Buffer;
}

export interface MigrationEnd {
  /** The other end is gone. */
  readonly isOver: boolean;
  /** `contents`: of memory's ranges. */
  ask(command: MigrationCommand, payload?: Buffer, contents?: Buffer): void;
  /** Null: the other end is gone. */
  answered(): Promise<"ok" | "error" | null>;
  /** The next request, whose contents are thrown away; null: the other end is gone. */
  asked(): Promise<MigrationRequest | null>;
  answer(how: "ok" | "error"): void;
  close(): void;
}

export type MigrationUrl =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** `why`: what is wrong with an address, the cause last; nothing where it is no address at all. */
export function readMigrationUrl(
  url: string,
): MigrationUrl | { readonly kind: "wrong"; readonly why: readonly string[] } {
  const path = /^unix:(.+)$/.exec(url)?.[1];
  if (path !== undefined) return { kind: "unix", path };
  const address = /^tcp:(.+)$/.exec(url)?.[1];
  if (address === undefined) return { kind: "wrong", why: [] };
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
  if (host === undefined || port === undefined) return { kind: "wrong", why: ["Missing TCP port"] };
  if (Number(port) > 0xffff) {
    return { kind: "wrong", why: [`Invalid TCP port: ${port}`, "number too large to fit in target type"] };
  }
  return { kind: "tcp", host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

export function connectTo(url: MigrationUrl): Promise<MigrationEnd> {
  return new Promise((resolve, reject) => {
    const socket = url.kind === "tcp" ? connect(url.port, url.host) : connect(url.path);
    const what = url.kind === "tcp" ? "Error connecting to TCP socket" : "Error connecting to UNIX socket";
    socket.once("error", (error) =>
      reject(new Refusal("other", "Failed to send migratable component snapshot", what, ioText(error))),
    );
    socket.once("connect", () => resolve(endOf(socket)));
  });
}

/** Listens, tells so, and waits for one sender, for ever. The file of a Unix socket stays behind where `keepsFile`. */
export async function acceptOne(url: MigrationUrl, keepsFile: boolean, onListening: () => void): Promise<MigrationEnd> {
  const server = createServer();
  await listen(server, url);
  onListening();
  const socket = await new Promise<Socket>((resolve) => server.once("connection", resolve));
  // Closing it would remove the socket's file.
  if (url.kind === "tcp" || !keepsFile) server.close();
  else server.unref();
  return endOf(socket);
}

function listen(server: Server, url: MigrationUrl): Promise<void> {
  return new Promise((resolve, reject) => {
    const what = url.kind === "tcp" ? "Error binding to TCP socket" : "Error binding to UNIX socket";
    server.once("error", (error) => {
      const why = url.kind === "tcp" ? ioText(error) : bindText(error, url.path);
      reject(new Refusal("other", "Failed to receive migratable component snapshot", what, why));
    });
    const ready = (): void => resolve();
    if (url.kind === "tcp") server.listen(url.port, url.host, ready);
    else server.listen(url.path, ready);
  });
}

const HEAD_BYTES = 16;
const OK = 1;
const ERROR = 2;

function endOf(socket: Socket): MigrationEnd {
  let kept = Buffer.alloc(0);
  let isOver = false;
  let wake = (): void => {};
  socket.on("data", (bytes: Buffer) => {
    kept = Buffer.concat([kept, bytes]);
    wake();
  });
  const over = (): void => {
    isOver = true;
    wake();
  };
  socket.on("error", over);
  socket.on("end", over);
  socket.on("close", over);
  const more = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  /** Null: it ended before. */
  const take = async (bytes: number): Promise<Buffer | null> => {
    while (kept.length < bytes) {
      if (isOver) return null;
      await more();
    }
    const taken = kept.subarray(0, bytes);
    kept = kept.subarray(bytes);
    return taken;
  };
  /** Of any size: nothing of it is kept. */
  const skip = async (bytes: number): Promise<boolean> => {
    for (let left = bytes; left > 0; ) {
      if (kept.length === 0) {
        if (isOver) return false;
        await more();
        continue;
      }
      const now = Math.min(left, kept.length);
      kept = kept.subarray(now);
      left -= now;
    }
    return true;
  };
  const write = (bytes: Buffer): void => {
    if (!isOver) socket.write(bytes);
  };
  return {
    get isOver() {
      return isOver;
    },
    ask(command, payload = Buffer.alloc(0), contents = Buffer.alloc(0)) {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt16LE(COMMANDS[command], 0);
      head.writeBigUInt64LE(BigInt(payload.length), 8);
      write(Buffer.concat([head, payload, contents]));
    },
    async answered() {
      const head = await take(HEAD_BYTES);
      return head === null ? null : head.readUInt16LE(0) === OK ? "ok" : "error";
    },
    async asked() {
      const head = await take(HEAD_BYTES);
      if (head === null) return null;
      const [command] = Object.entries(COMMANDS).find(([, number]) => number === head.readUInt16LE(0)) ?? [];
      if (command === undefined) throw new Refusal("other", "received request with unknown command");
      const payload = await take(Number(head.readBigUInt64LE(8)));
      if (payload === null) return null;
      if (command === "memory" && !(await skip(contentsOf(payload)))) return null;
      return { command: command as MigrationCommand, payload };
    },
    answer(how) {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt16LE(how === "ok" ? OK : ERROR, 0);
      write(head);
    },
    close: () => socket.destroy(),
  };
}

const RANGE_BYTES = 16;

/** Of memory: one range after the other, each with its address and length. */
export function tableOf(lengths: readonly number[]): Buffer {
  const table = Buffer.alloc(lengths.length * RANGE_BYTES);
  for (const [index, length] of lengths.entries()) {
    table.writeBigUInt64LE(BigInt(index) << 20n, index * RANGE_BYTES);
    table.writeBigUInt64LE(BigInt(length), index * RANGE_BYTES + 8);
  }
  return table;
}

function contentsOf(table: Buffer): number {
  let bytes = 0;
  for (let at = 8; at < table.length; at += RANGE_BYTES) bytes += Number(table.readBigUInt64LE(at));
  return bytes;
}
