/** GET /, /health and /info: that there is an agent, which one, and where it answers. */
import { networkInterfaces } from "node:os";
import { json } from "../../../platform/http/answers.ts";
import type { Call } from "../calls/call.ts";
import { text } from "./answers.ts";

export async function getRoot({ parts }: Call): Promise<Response> {
  return text(200, parts.version);
}

export async function getHealth(): Promise<Response> {
  return text(200, "");
}

export async function getInfo({ parts }: Call): Promise<Response> {
  const urls = parts.urls?.() ?? [];
  return json(200, { version: parts.version, listening_addresses: urls.flatMap(addressesOf) });
}

/** `host:port` of each address that others can use. A wildcard is every address of the node but loopback. */
function addressesOf(url: string): readonly string[] {
  const found = /^https?:\/\/(\[[^\]]+\]|[^:/]+):(\d+)$/.exec(url);
  if (found === null) return [];
  const [, host = "", port = ""] = found;
  if (host !== "0.0.0.0" && host !== "[::]") return [`${host}:${port}`];
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses
    .filter(({ internal, family, scopeid }) => !internal && !scopeid && (family === "IPv4" || host === "[::]"))
    .map(({ address, family }) => `${family === "IPv6" ? `[${address}]` : address}:${port}`);
}
