/**
 * How two doubles talk during a migration: lines of JSON, each answered by `{"ok":…}`. Not the real protocol, which carries
 * memory: a double and a real one do not understand each other.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { bindText, ioText, Refusal } from "./refusal.ts";

export type MigrationMessage =
  | { readonly kind: "start" }
  | { readonly kind: "config"; readonly config: unknown; readonly protocol: number }
  | { readonly kind: "memory"; readonly iteration: number }
  | { readonly kind: "state"; readonly saved: unknown }
  | { readonly kind: "complete"; readonly paused: boolean };

export interface MigrationEnd {
  send(message: unknown): void;
  /** The next line; null: the other end is gone. */
  receive(): Promise<unknown | null>;
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

/** Listens, tells so, and waits for one sender, for ever. The file of a Unix socket stays behind. */
export async function acceptOne(url: MigrationUrl, onListening: () => void): Promise<MigrationEnd> {
  const server = createServer();
  await listen(server, url);
  onListening();
  const socket = await new Promise<Socket>((resolve) => server.once("connection", resolve));
  // Closing it would remove the socket's file; the real one leaves it.
  if (url.kind === "tcp") server.close();
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

function endOf(socket: Socket): MigrationEnd {
  let pending = "";
  let isOver = false;
  const lines: string[] = [];
  let waiting: ((line: string | null) => void) | null = null;
  const hand = (): void => {
    if (waiting === null || (lines.length === 0 && !isOver)) return;
    const take = waiting;
    waiting = null;
    take(lines.shift() ?? null);
  };
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const parts = (pending + text).split("\n");
    pending = parts.pop() ?? "";
    lines.push(...parts);
    hand();
  });
  const over = (): void => {
    isOver = true;
    hand();
  };
  socket.on("error", over);
  socket.on("end", over);
  socket.on("close", over);
  return {
    send(message) {
      if (!isOver) socket.write(`${JSON.stringify(message)}\n`);
    },
    receive: () =>
      new Promise((resolve) => {
        waiting = (line) => resolve(line === null ? null : JSON.parse(line));
        hand();
      }),
    close: () => socket.destroy(),
  };
}
