/**
 * Who may come in, and with which role, decided before a route is looked for.
 *
 * - A Unix socket: whoever may open the file (mode 0600): an admin.
 * - TCP with `--token-file` or `--access-file`: who shows a token. The one of the token file is an admin's, those of the
 *   access file have the roles that it gives them.
 * - TCP with `--tls-client-ca`: who has a certificate of that CA's. Decided here and not in the handshake, so that the others are told.
 *   Alone it makes an admin of each. With an access file a certificate that is listed there says who it is, and others need a token too;
 *   with a token file alone, all do.
 * - Loopback with none of these: whoever is on this machine, but not a web page in a browser on this machine. A page reaches
 *   loopback through its own name (DNS rebinding: the Host header gives it away) or across origins (the Origin header does).
 */
import { timingSafeEqual } from "node:crypto";
import { OdoroboError } from "../../../model/errors.ts";
import { isLoopbackHost } from "../listen-address.ts";
import { type AccessFile, type AccessTable, sha256 } from "./access-file.ts";
import type { Caller } from "./caller.ts";
import type { TokenFile } from "./token-file.ts";
import type { WrongTokens } from "./wrong-tokens.ts";

export interface Knock {
  readonly method: string;
  readonly headers: Headers;
  readonly transport: "tcp" | "unix";
  /** What limits are counted by; see `limits.ts`. */
  readonly address: string;
  /** sha256 of the certificate that the TLS handshake showed, if it is signed by our `--tls-client-ca`. */
  readonly certificate: Buffer | null;
  readonly isUpgrade: boolean;
}

/** Rejects with UNAUTHORIZED, FORBIDDEN or RATE_LIMITED; with AGENT_INSECURE while a file of secrets cannot be trusted. */
export type Gate = (knock: Knock) => Promise<Caller>;

export interface GateOptions {
  /** Left out: an agent. For messages. */
  readonly who?: string;
  readonly token: TokenFile | null;
  readonly access: AccessFile | null;
  readonly clientCertificates: boolean;
  readonly wrongTokens: WrongTokens;
  /** Whose pages may change things: those that this server serves itself. Left out: nobody's. */
  readonly isOwnOrigin?: (origin: string, host: string | null) => boolean;
}

export function createGate(options: GateOptions): Gate {
  const { who = "agent", token, access, clientCertificates, wrongTokens, isOwnOrigin = () => false } = options;
  return async (knock) => {
    refuseBrowsers(knock, isOwnOrigin);
    if (knock.transport === "unix") return { name: "unix socket", role: "admin", by: "socket" };
    const { certificate } = knock;
    if (clientCertificates && certificate === null) throw notCertified(who);
    const shown = tokenIn(knock.headers);
    if (token === null && access === null) {
      if (clientCertificates) return ANY_CERTIFICATE;
      requireLoopbackHost(knock.headers.get("host"), who);
      return { name: "loopback", role: "admin", by: "loopback" };
    }
    // Each stands for itself: a broken access file does not keep out the admin, nor a broken token file the others.
    const [tokenRead, accessRead] = await Promise.allSettled([token?.read(), access?.read()]);
    const adminToken = tokenRead.status === "fulfilled" ? tokenRead.value : undefined;
    const table = accessRead.status === "fulfilled" ? accessRead.value : undefined;
    // From here to the end nothing is waited for: what is counted below is so when the next one asks.
    const digest = shown === null ? null : sha256(shown);
    if (digest !== null) wrongTokens.refuse(knock.address, digest);
    const caller =
      digest === null
        ? (certificate && table?.find("certificate", certificate)) || null
        : callerOf(digest, adminToken, table);
    if (caller !== null) return caller;
    for (const read of [tokenRead, accessRead]) if (read.status === "rejected") throw read.reason;
    if (digest === null) throw tokenWanted(certificate !== null && access !== null, who);
    wrongTokens.note(knock.address, digest);
    throw notOurs(who);
  };
}

/** Where a client CA is all that was given. */
export const ANY_CERTIFICATE: Caller = { name: "client certificate", role: "admin", by: "certificate" };

/** Compares with all that there are, whatever fits. */
export function callerOf(
  digest: Buffer,
  adminToken: string | undefined,
  table: AccessTable | undefined,
): Caller | null {
  const isAdmin = adminToken !== undefined && timingSafeEqual(digest, sha256(adminToken));
  const listed = table?.find("token", digest) ?? null;
  return isAdmin ? { name: "token file", role: "admin", by: "token" } : listed;
}

/** Client certificates and cookies ride along with what a foreign page asks a browser to do: so no changes and no consoles for pages. */
export function refuseBrowsers(
  { headers, method, isUpgrade }: Pick<Knock, "headers" | "method" | "isUpgrade">,
  isOwnOrigin: NonNullable<GateOptions["isOwnOrigin"]>,
): void {
  const changes = isUpgrade || (method !== "GET" && method !== "HEAD");
  const origin = headers.get("origin");
  if (changes && origin !== null && !isOwnOrigin(origin, headers.get("host"))) {
    throw new OdoroboError("FORBIDDEN", "a web page may not change anything here", {
      hint: "send the request without an Origin header",
    });
  }
}

const tokenIn = (headers: Headers): string | null =>
  /^Bearer +(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null;

const tokenHint = (who: string): string =>
  `it must be the one in the file that the ${who} was given as its token file, or one that its access file lists`;

const tokenWanted = (isUnlisted: boolean, who: string) =>
  new OdoroboError(
    "UNAUTHORIZED",
    isUnlisted ? "this certificate is not listed here, and no token was shown" : `this ${who} asks for a token`,
    { hint: tokenHint(who) },
  );

const notOurs = (who: string) =>
  new OdoroboError("UNAUTHORIZED", `the token is not this ${who}'s`, { hint: tokenHint(who) });

const notCertified = (who: string) =>
  new OdoroboError("UNAUTHORIZED", `this ${who} asks for a client certificate`, {
    hint: `show one that is signed by the client CA that the ${who} was given`,
  });

function requireLoopbackHost(host: string | null, who: string): void {
  const name = (host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  if (isLoopbackHost(name)) return;
  throw new OdoroboError(
    "FORBIDDEN",
    `this ${who} answers on loopback names only, not as ${JSON.stringify(name.slice(0, 80))}`,
    {
      hint: `use 127.0.0.1 or localhost; for other names start the ${who} with a token file, an access file or a client CA`,
    },
  );
}
