/** What is asked before anybody is known: how one comes in, and to be let in or out. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { errorAnswer, json } from "../../../platform/http/answers.ts";
import { sha256 } from "../../../platform/http/door/access-file.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";
import { parseJson } from "../../../platform/http/parse-json.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Me, SignedOut, SignIn } from "../../../report/gateway/page-documents.ts";
import { readText } from "../http/read-text.ts";
import { noSessionCookies, sessionCookie, sessionIn } from "./cookies.ts";
import type { Sessions } from "./sessions.ts";

export interface SessionRouteParts {
  readonly sessions: Sessions;
  readonly isOwnOrigin: (origin: string, host: string | null) => boolean;
  readonly isTls: boolean;
  readonly asksFor: { readonly token: boolean; readonly certificate: boolean };
  /** Null: no provider is asked who people are. */
  readonly oidc: SignIn["oidc"];
  /** Whose token that is; null: nobody's, any more. */
  readonly ownerOf: (digest: Buffer) => Promise<Pick<Caller, "name" | "role"> | null>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** As the gate would let them in who show that token: counted and slowed down as everybody is. */
export type Enter = (headers: Headers) => Promise<Caller>;

export function getSignIn({ asksFor, oidc }: SessionRouteParts): Response {
  const document: SignIn = { kind: "SignIn", version: 1, ...asksFor, oidc };
  return json(200, document);
}

/**
 * POST /v1/session, with the token as `Authorization: Bearer` or as `{"token": …}`: a new session each time, never one whose id somebody
 * brought along, and the one that was shown ends.
 */
export async function postSession(parts: SessionRouteParts, request: Request, enter: Enter): Promise<Response> {
  const { sessions, isTls, log } = parts;
  refuseOtherPages(parts, request);
  const token = await tokenIn(request);
  const headers = new Headers(request.headers);
  headers.set("authorization", `Bearer ${token}`);
  const caller = await enter(headers);
  if (caller.by !== "token")
    throw new OdoroboError("BAD_REQUEST", `here nobody is asked for a token: ${caller.name} is in already`, {
      hint: "a session is for those who show one",
    });
  const digest = sha256(token);
  const before = sessionIn(request.headers);
  if (before !== null) sessions.close(before);
  const { id, until } = sessions.open({
    name: caller.name,
    by: "session",
    standsFor: () => parts.ownerOf(digest),
  });
  log.info({ by: caller.name, until }, "somebody signed in");
  const isSecure = isTls || (request.headers.get("origin") ?? "").startsWith("https:");
  const { name, role } = caller;
  const me: Me = { kind: "Me", version: 1, now: parts.clock.now(), name, role, by: "session", until };
  const answer = json(201, me);
  answer.headers.append("set-cookie", sessionCookie(id, { isSecure, seconds: sessions.lifetimeMs / 1000 }));
  return answer;
}

/** DELETE /v1/session: also with a cookie that nobody knows any more. */
export function deleteSession(parts: SessionRouteParts, request: Request): Response {
  refuseOtherPages(parts, request);
  const id = sessionIn(request.headers);
  const document: SignedOut = { kind: "SignedOut", version: 1, next: id === null ? null : parts.sessions.close(id) };
  const answer = json(200, document);
  for (const cookie of noSessionCookies()) answer.headers.append("set-cookie", cookie);
  return answer;
}

export const wrongMethod = (path: string, allowed: string): Response =>
  errorAnswer(new OdoroboError("METHOD_NOT_ALLOWED", `${path} takes ${allowed}`), { allow: allowed });

/** Neither is anybody signed in or out because another page says so. */
function refuseOtherPages({ isOwnOrigin }: SessionRouteParts, { headers }: Request): void {
  const origin = headers.get("origin");
  if (origin === null ? !headers.has("cookie") : isOwnOrigin(origin, headers.get("host"))) return;
  throw new OdoroboError("FORBIDDEN", "another page may not sign anybody in or out", {
    hint:
      origin === null
        ? "the request has a cookie and says no Origin"
        : `the page is at ${origin.slice(0, 120)}: when that is the gateway's, behind a proxy, say so with publicUrl in gateway.yaml`,
  });
}

/** Rejects with BAD_REQUEST or PAYLOAD_TOO_LARGE. */
async function tokenIn(request: Request): Promise<string> {
  const shown = /^Bearer +(\S+)\s*$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (shown !== undefined) return shown;
  const wrong = (cause?: unknown) =>
    new OdoroboError("BAD_REQUEST", 'the token is shown as Authorization: Bearer, or as {"token": TEXT} in JSON', {
      cause,
    });
  if (!/^application\/json\b/i.test(request.headers.get("content-type") ?? "")) throw wrong();
  let body: unknown;
  try {
    body = parseJson(await readText(request));
  } catch (cause) {
    throw cause instanceof OdoroboError ? cause : wrong(cause);
  }
  const token = (body as { token?: unknown } | null)?.token;
  if (typeof token !== "string" || !/^[!-~]{1,4096}$/.test(token.trim())) throw wrong();
  return token.trim();
}
