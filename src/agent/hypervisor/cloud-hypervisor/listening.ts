/** Where a guest comes in: which address, and whether somebody listens there. Never by connecting: the first to connect is the guest. */
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { isErrno, OdoroboError } from "../../../model/errors.ts";

/** For what has no port of its own (RFC 6335), so that firewalls can be told. */
const FIRST_PORT = 49_152;
const LAST_PORT = 65_535;
const TRIES = 50;

export type MigrationUrl =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Throws BAD_REQUEST. `tcp:HOST:PORT`, `tcp:[HOST]:PORT`, `unix:/PATH`; without a port, or with port 0, one is to be found. */
export function parseMigrationUrl(text: string): MigrationUrl {
  const unix = /^unix:(\/.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: "unix", path: unix };
  const tcp = /^tcp:(\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]|[^:[\]/]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(tcp?.[2] ?? 0);
  if (tcp?.[1] !== undefined && port <= LAST_PORT) return { kind: "tcp", host: tcp[1], port };
  throw new OdoroboError("BAD_REQUEST", `${JSON.stringify(text)} is no address for a migration`, {
    hint: "give tcp:HOST:PORT or unix:/PATH; with port 0 a free one is chosen",
  });
}

export const formatMigrationUrl = (url: MigrationUrl): string =>
  url.kind === "unix" ? `unix:${url.path}` : `tcp:${url.host}:${url.port}`;

/** The same address with a port that nobody has right now. Between this and its use somebody may take it: then Cloud Hypervisor says so. */
export async function withFreePort(url: MigrationUrl): Promise<MigrationUrl> {
  if (url.kind === "unix" || url.port !== 0) return url;
  const host = url.host.replace(/^\[|\]$/g, "");
  let last: unknown;
  for (let tried = 0; tried < TRIES; tried++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    try {
      await listenOnce(host, port);
      return { ...url, port };
    } catch (error) {
      last = error;
      if (!isErrno(error, "EADDRINUSE")) break;
    }
  }
  throw new OdoroboError("BAD_REQUEST", `no port of ${url.host} can be listened on`, {
    cause: last,
    hint: "is this an address of this node?",
  });
}

function listenOnce(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

/** The file alone says only that it is bound: who connects a moment too early is refused. The table's flag is the kernel's SO_ACCEPTCON. */
async function isUnixListening(path: string): Promise<boolean> {
  const table = await readFile("/proc/net/unix", "utf8").catch(() => "");
  return table.split("\n").some((line) => {
    const [, flags = "0", bound] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (.+)$/.exec(line) ?? [];
    return bound === path && (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
  });
}

/** __SO_ACCEPTCON in linux/net.h. */
const ACCEPTS = 0x10000;

/** What the kernel calls LISTEN in /proc/net/tcp. */
const LISTEN = "0A";

export async function isListening(url: MigrationUrl): Promise<boolean> {
  if (url.kind === "unix") return isUnixListening(url.path);
  const port = url.port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1").catch(() => "")),
  );
  return tables.some((table) =>
    table.split("\n").some((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return state === LISTEN && local?.endsWith(`:${port}`) === true;
    }),
  );
}
