/**
 * Who may come in, decided before a route is looked for.
 *
 * - A Unix socket: whoever may open the file (mode 0600).
 * - TCP with `--tls-client-ca`: who has a certificate of that CA's. Decided here and not in the handshake, so that the others are told.
 * - TCP with `--token-file`: who shows the token. With both: who has both.
 * - Loopback with neither: whoever is on this machine, but not a web page in a browser on this machine. A page reaches
 *   loopback through its own name (DNS rebinding: the Host header gives it away) or across origins (the Origin header does).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { OdoroboError } from "../../model/errors.ts";
import { isLoopbackHost } from "../listen-address.ts";
import type { Caller } from "./caller.ts";
import type { TokenFile } from "./token-file.ts";

export interface Knock {
  readonly method: string;
  readonly headers: Headers;
  readonly transport: "tcp" | "unix";
  /** The TLS handshake showed a certificate signed by our `--tls-client-ca`. */
  readonly isCertified: boolean;
  readonly isUpgrade: boolean;
}

/** Rejects with UNAUTHORIZED or FORBIDDEN. */
export type Gate = (knock: Knock) => Promise<Caller>;

export function createGate(options: { token: TokenFile | null; clientCertificates: boolean }): Gate {
  const { token, clientCertificates } = options;
  return async (knock) => {
    refuseBrowsers(knock);
    if (knock.transport === "unix") return { name: "unix socket", role: "admin" };
    if (clientCertificates && !knock.isCertified) throw notCertified();
    if (token !== null) requireToken(knock.headers.get("authorization"), await token.read());
    if (token === null && !clientCertificates) requireLoopbackHost(knock.headers.get("host"));
    return { name: token !== null ? "token" : clientCertificates ? "certificate" : "loopback", role: "admin" };
  };
}

/** Client certificates and cookies ride along with what a foreign page asks a browser to do: so no changes and no consoles for pages. */
function refuseBrowsers({ headers, method, isUpgrade }: Knock): void {
  const changes = isUpgrade || (method !== "GET" && method !== "HEAD");
  if (changes && headers.has("origin")) {
    throw new OdoroboError("FORBIDDEN", "a web page may not change anything here", {
      hint: "send the request without an Origin header",
    });
  }
}

function requireToken(authorization: string | null, token: string): void {
  const shown = /^Bearer +(\S+)\s*$/i.exec(authorization ?? "")?.[1];
  if (shown !== undefined && timingSafeEqual(sha256(shown), sha256(token))) return;
  throw new OdoroboError(
    "UNAUTHORIZED",
    shown === undefined ? "this agent asks for a token" : "the token is not this agent's",
    {
      hint: "the token must be the one in the file that the agent was given with --token-file",
    },
  );
}

const notCertified = () =>
  new OdoroboError("UNAUTHORIZED", "this agent asks for a client certificate", {
    hint: "show one that is signed by the CA that the agent was given with --tls-client-ca",
  });

/** Equal lengths for the comparison, so that not even the token's length shows in its duration. */
const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

function requireLoopbackHost(host: string | null): void {
  const name = (host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (isLoopbackHost(name)) return;
  throw new OdoroboError(
    "FORBIDDEN",
    `this agent answers on loopback names only, not as ${JSON.stringify(name.slice(0, 80))}`,
    {
      hint: "use 127.0.0.1 or localhost; for other names start the agent with --token-file or --tls-client-ca",
    },
  );
}
