/** A guest's end of a serial line: a Unix socket that takes one client at a time, as hypervisors do. */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { aTempFolder } from "./temp-folder.ts";

export interface SerialGuest extends AsyncDisposable {
  readonly socket: string;
  readonly log: string;
  readonly folder: string;
  /** What was typed. */
  readonly heard: string;
  readonly client: Socket | null;
  /** How many clients there were in all. */
  readonly clients: number;
  say(bytes: string | Buffer): void;
  /** Says it, and resolves when the line has taken all of it: the kernel's buffer is the guest's patience. */
  sayAll(bytes: Buffer): Promise<void>;
  start(): Promise<void>;
  off(): Promise<void>;
}

function drained(to: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      to.off("drain", done);
      to.off("close", done);
      resolve();
    };
    to.on("drain", done);
    to.on("close", done);
  });
}

/** Off until `start`. */
export async function aSerialGuest(): Promise<SerialGuest> {
  const folder = await aTempFolder();
  const socket = join(folder.path, "s");
  let server: Server | null = null;
  let client: Socket | null = null;
  let clients = 0;
  let heard = "";
  const guest: SerialGuest = {
    socket,
    folder: folder.path,
    log: join(folder.path, "console.log"),
    get heard() {
      return heard;
    },
    get client() {
      return client;
    },
    get clients() {
      return clients;
    },
    say: (bytes) => void client?.write(bytes),
    async sayAll(bytes) {
      if (client === null) throw new Error("nobody listens");
      const to = client;
      for (let from = 0; from < bytes.length; from += 65_536)
        if (!to.write(bytes.subarray(from, from + 65_536))) await drained(to);
    },
    async start() {
      const made = createServer((connected) => {
        client?.destroy();
        client = connected;
        clients++;
        connected.on("error", () => {});
        connected.on("data", (bytes) => {
          heard += bytes.toString();
        });
        connected.on("close", () => {
          if (client === connected) client = null;
        });
      });
      server = made;
      await new Promise<void>((resolve) => made.listen(socket, resolve));
    },
    async off() {
      const ended = server;
      server = null;
      client?.end();
      await new Promise((resolve) => (ended === null ? resolve(null) : ended.close(resolve)));
    },
    async [Symbol.asyncDispose]() {
      client?.destroy();
      await guest.off();
      await folder[Symbol.asyncDispose]();
    },
  };
  return guest;
}
