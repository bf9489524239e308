/** Where an agent or a gateway listens: `127.0.0.1:8890`, `[::1]:8890`, `localhost:0`, `unix:///run/odorobo/agent.sock`. */
import { isIP } from "node:net";
import { OdoroboError } from "../../model/errors.ts";

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** The kernel's limit for a Unix socket's path is 108 bytes with its end mark. */
export const MAX_SOCKET_PATH_BYTES = 107;

export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix:")) return parseUnix(text);
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:/[\]]+)):(?<port>\d{1,5})$/.exec(text);
  const host = match?.groups?.v6 ?? match?.groups?.host ?? "";
  const port = Number(match?.groups?.port);
  if (match === null || port > 65_535) {
    throw new OdoroboError("AGENT_CONFIG", `cannot listen on ${JSON.stringify(text)}`, {
      hint: "give host:port, [ipv6]:port or unix:///path",
    });
  }
  return { kind: "tcp", host, port };
}

export const formatListenAddress = (address: ListenAddress): string =>
  address.kind === "unix" ? `unix://${address.path}` : `${bracketed(address.host)}:${address.port}`;

export const bracketed = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

/** Only what cannot be reached from another machine. A name other than localhost may resolve to anything. */
export function isLoopbackHost(host: string): boolean {
  if (host.toLowerCase() === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

export const isLocal = (address: ListenAddress): boolean => address.kind === "unix" || isLoopbackHost(address.host);

function parseUnix(text: string): ListenAddress {
  const path = text.slice("unix://".length);
  if (!text.startsWith("unix:///") || path.endsWith("/") || path.includes("\0")) {
    throw new OdoroboError("AGENT_CONFIG", `${JSON.stringify(text)} is not a Unix socket's address`, {
      hint: "give unix:///absolute/path",
    });
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new OdoroboError("AGENT_CONFIG", `the path of ${text} is longer than ${MAX_SOCKET_PATH_BYTES} bytes`, {
      hint: "the kernel allows no longer one for a Unix socket",
    });
  }
  return { kind: "unix", path };
}
