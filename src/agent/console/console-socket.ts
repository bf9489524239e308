/**
 * The console of one guest as a Unix socket, for other programs of the node (`socat`, `screen`, what was written for the Rust
 * agent): bytes both ways, for as many at a time as like.
 *
 * Invariant: a socket that somebody listens on is left as it is: a guest of an older agent has its own under this name, and who
 * connects to that pushes out the one who reads it.
 */
import { chmod, readFile, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { isErrno } from "../../model/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Console } from "./console.ts";
import type { Viewer } from "./viewer.ts";

export class ConsoleSocket {
  readonly #path: string;
  readonly #console: Console;
  readonly #clients = new Set<Socket>();
  readonly #listening: Promise<Server | null>;

  constructor(path: string, console: Console, logger: Logger) {
    this.#path = path;
    this.#console = console;
    this.#listening = this.#listen().catch((error: unknown) => {
      logger.warn({ err: error, socket: path }, "a console has no socket for other programs");
      return null;
    });
  }

  /** Sends everybody away, and removes the socket. */
  async close(): Promise<void> {
    const server = await this.#listening;
    if (server === null) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const client of this.#clients) client.destroySoon();
    await rm(this.#path, { force: true });
    const patience = setTimeout(() => {
      for (const client of this.#clients) client.destroy();
    }, 500);
    await closed;
    clearTimeout(patience);
  }

  async #listen(): Promise<Server | null> {
    try {
      return await this.#bind();
    } catch (error) {
      if (!isErrno(error, "EADDRINUSE")) throw error;
    }
    if (await isListenedOn(this.#path)) return null;
    // Of an agent that was killed.
    await rm(this.#path, { force: true });
    return this.#bind();
  }

  async #bind(): Promise<Server> {
    const server = createServer({ allowHalfOpen: true }, (client) => void this.#serve(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#path, () => {
        server.off("error", reject);
        server.on("error", () => {});
        resolve();
      });
    });
    await chmod(this.#path, 0o600);
    return server;
  }

  async #serve(client: Socket): Promise<void> {
    this.#clients.add(client);
    const viewer: Viewer = {
      send: (bytes, written) => void client.write(bytes, () => written()),
      backlog: () => client.writableLength,
      drop: () => client.destroy(),
      tell: (event) => {
        if (event === "guest-off") client.end();
      },
    };
    client.on("error", () => client.destroy());
    client.on("close", () => {
      this.#clients.delete(client);
      this.#console.remove(viewer);
    });
    // Who has typed all that it wanted may go on reading, but one that has left does so, too: it is sent the last and let go.
    client.on("end", () => client.end());
    client.on("data", (bytes) => {
      if (this.#console.write(bytes) !== "wait") return;
      client.pause();
      this.#console.onWritable(() => client.resume());
    });
    await this.#console.add(viewer, () => !client.destroyed).catch(() => client.destroy());
  }
}

/** Asked of the kernel: to connect would be to take part. */
const isListenedOn = async (path: string): Promise<boolean> =>
  (await readFile("/proc/net/unix", "utf8").catch(() => "")).split("\n").some((line) => line.endsWith(` ${path}`));
