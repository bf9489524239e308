/**
 * Signing in by a provider: the browser is sent there and comes back with a code (authorization code flow with PKCE), and then has a session
 * as any other.
 *
 *   GET /v1/session/oidc ─► the provider ─► GET /v1/session/oidc/callback ─► /
 *
 * An errand that was begun here is ended once, within ten minutes, by the browser that began it: a code that somebody else was given signs
 * nobody in.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import { cookiesIn, sessionCookie, sessionIn } from "../page/cookies.ts";
import type { Sessions } from "../page/sessions.ts";
import type { OidcConfig } from "./oidc-config.ts";
import { type Errand, Provider } from "./provider.ts";
import { nameOf, roleOf, valuesOf } from "./roles-of.ts";

export const OIDC_START = "/v1/session/oidc";
const OIDC_CALLBACK = "/v1/session/oidc/callback";
const ERRAND_COOKIE = "odorobo-sign-in";
const ERRAND_MS = 10 * 60_000;
/** Strangers may begin errands: the one that was begun longest ago is forgotten. */
const MOST_ERRANDS = 1_000;

export interface OidcParts {
  readonly config: OidcConfig;
  readonly publicUrl: string;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Logger;
}

export class OidcRoutes {
  readonly #parts: OidcParts;
  readonly #provider: Provider;
  readonly #errands = new Map<string, Errand & { readonly begunAt: number }>();

  constructor(parts: OidcParts) {
    this.#parts = parts;
    this.#provider = new Provider(parts.config, parts.publicUrl);
  }

  static isWanted = (path: string): boolean => path === OIDC_START || path === OIDC_CALLBACK;

  /** Of a look at one of both. Never rejects for what the provider says. */
  async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    return pathname === OIDC_START ? await this.#begin() : await this.#finish(request, searchParams);
  }

  async #begin(): Promise<Response> {
    const { clock, log, config } = this.#parts;
    try {
      const { url, errand } = await this.#provider.begin();
      const id = randomBytes(32).toString("base64url");
      this.#errands.set(id, { ...errand, begunAt: clock.monotonicMs() });
      const [oldest] = this.#errands.keys();
      if (this.#errands.size > MOST_ERRANDS && oldest !== undefined) this.#errands.delete(oldest);
      return redirect(url, [this.#errandCookie(id, ERRAND_MS / 1000)]);
    } catch (error) {
      log.error({ err: error, issuer: config.issuer }, "the provider cannot be asked who somebody is");
      return page(503, `${config.name} cannot be asked who you are now. The gateway's log says why.`);
    }
  }

  async #finish(request: Request, query: URLSearchParams): Promise<Response> {
    const { sessions, log, config } = this.#parts;
    const errand = this.#take(cookiesIn(request.headers).get(ERRAND_COOKIE));
    const forget = this.#errandCookie("", 0);
    if (errand === null)
      return page(400, "This sign-in was not begun here, or too long ago: begin it again.", [forget]);
    const said = query.get("error");
    if (said !== null) {
      log.warn({ issuer: config.issuer, said: said.slice(0, 200) }, "the provider let somebody not in");
      return page(403, `${config.name} did not let you in: ${query.get("error_description") ?? said}`, [forget]);
    }
    try {
      const { claims, goodbye } = await this.#provider.finish(query, errand);
      const name = nameOf(claims);
      const role = roleOf(claims, config.rolesClaim, config.roles);
      if (role === null) {
        const has = valuesOf(claims, config.rolesClaim);
        log.warn(
          { by: name, claim: config.rolesClaim, has: has.slice(0, 50) },
          "somebody is known and has no role here",
        );
        const why =
          has.length === 0 ? `it says nothing of you as ${config.rolesClaim}` : "nothing that it says of you is in it";
        return page(
          403,
          `${config.name} knows you as ${name.slice("oidc:".length)}, and you have no role here. Who may enter stands in signIn.oidc.roles of gateway.yaml, by ${config.rolesClaim}: ${why}.`,
          [forget],
        );
      }
      const before = sessionIn(request.headers);
      if (before !== null) sessions.close(before);
      const { id, until } = sessions.open({ name, by: "oidc", goodbye, standsFor: async () => ({ name, role }) });
      log.info({ by: name, role, until }, "somebody signed in");
      const cookie = sessionCookie(id, { isSecure: this.#isSecure, seconds: sessions.lifetimeMs / 1000 });
      return redirect("/", [cookie, forget]);
    } catch (error) {
      log.error({ err: error, issuer: config.issuer }, "what the provider says of somebody cannot be believed");
      return page(403, `What ${config.name} says of you cannot be believed. The gateway's log says why.`, [forget]);
    }
  }

  #take(id: string | undefined): Errand | null {
    if (id === undefined) return null;
    const errand = this.#errands.get(id);
    this.#errands.delete(id);
    const isOver = errand === undefined || this.#parts.clock.monotonicMs() - errand.begunAt > ERRAND_MS;
    return isOver ? null : errand;
  }

  get #isSecure(): boolean {
    return this.#parts.publicUrl.startsWith("https:");
  }

  /** Lax: it is sent when the browser comes back, which is from another site. */
  #errandCookie(id: string, seconds: number): string {
    const secure = this.#isSecure ? "; Secure" : "";
    return `${ERRAND_COOKIE}=${id}; Path=${OIDC_START}; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`;
  }
}

function redirect(location: string, cookies: readonly string[]): Response {
  const answer = new Response(null, { status: 303, headers: { location, "cache-control": "no-store" } });
  for (const cookie of cookies) answer.headers.append("set-cookie", cookie);
  return answer;
}

/** A few words, and the way back. */
function page(status: number, text: string, cookies: readonly string[] = []): Response {
  const body = Buffer.from(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>odorobo</title><p>${escapeHtml(text.slice(0, 1_000))}</p><p><a href="/">Back</a></p></html>\n`,
  );
  const answer = new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": "no-store",
    },
  });
  for (const cookie of cookies) answer.headers.append("set-cookie", cookie);
  return answer;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (each) => ENTITIES[each] ?? each);
