/**
 * Who has signed in: a browser shows a cookie instead of a token, which no script can read.
 *
 * - A session stands for what it was made with: each time it is shown, and every few seconds, that is looked up again. A token that was revoked
 *   ends it, and one that was given another role gives it another.
 * - What is open (streams, consoles) is open in one role: it ends with the session, and when the role is another.
 * - Its id is made here, 256 random bits, and kept as a digest: who reads this process's memory of sessions can show none of them.
 * - They are in memory: a gateway that begins anew knows nobody.
 */
import { randomBytes } from "node:crypto";
import { type Instant, instant } from "../../../model/names.ts";
import type { Role } from "../../../model/role.ts";
import type { Clock } from "../../../platform/clock.ts";
import { sha256 } from "../../../platform/http/door/access-file.ts";
import type { Caller } from "../../../platform/http/door/caller.ts";

export const DEFAULT_SESSION_MS = 12 * 3_600_000;
/** In all, and of one person: the one that was opened longest ago goes. A person has a handful of browsers. */
const MOST = 10_000;
const MOST_EACH = 100;
/** How long somebody whose token was revoked goes on with what they have open, and asks nothing more. */
const LOOK_MS = 5_000;
/** Why what is open ends, and the session does not. */
export const ANOTHER_ROLE = new DOMException("the role is another now", "AbortError");
/** The longest time that a timer holds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What a session stands for: asked anew each time. Null: nobody any more. Rejects while that cannot be said. */
export type Standing = () => Promise<Pick<Caller, "name" | "role"> | null>;

interface Session {
  readonly key: string;
  readonly name: string;
  readonly by: "session" | "oidc";
  readonly standsFor: Standing;
  readonly until: Instant;
  /** Of what is open in that role. */
  ended: AbortController;
  /** As it was found last; null: never yet. */
  role: Role | null;
  /** Of a provider's: where a browser ends its session there. */
  readonly goodbye: string | null;
  readonly timer: NodeJS.Timeout;
}

export interface NewSession {
  readonly name: string;
  readonly by: "session" | "oidc";
  readonly standsFor: Standing;
  readonly goodbye?: string | null;
}

export class Sessions implements Disposable {
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  /** By the digest of their ids, in the order in which they were opened. */
  readonly #all = new Map<string, Session>();
  readonly #looking: NodeJS.Timeout;
  #isOver = false;

  constructor(clock: Clock, lifetimeMs = DEFAULT_SESSION_MS) {
    this.#clock = clock;
    this.#lifetimeMs = Math.min(lifetimeMs, LONGEST_TIMER_MS);
    this.#looking = setTimeout(() => void this.#lookAtAll(), LOOK_MS).unref();
  }

  get size(): number {
    return this.#all.size;
  }

  get lifetimeMs(): number {
    return this.#lifetimeMs;
  }

  /** `id`: for the cookie, and nowhere else. */
  open({ name, by, standsFor, goodbye = null }: NewSession): { readonly id: string; readonly until: Instant } {
    const id = randomBytes(32).toString("base64url");
    const key = keyOf(id);
    const until = instant(new Date(Date.parse(this.#clock.now()) + this.#lifetimeMs).toISOString());
    const timer = setTimeout(() => this.#end(key, "the session is over"), this.#lifetimeMs).unref();
    const ended = new AbortController();
    this.#all.set(key, { key, name, by, standsFor, until, ended, role: null, goodbye, timer });
    const own = [...this.#all.values()].filter((each) => each.name === name);
    if (own.length > MOST_EACH) this.#end(own[0]?.key ?? "", "too many sessions");
    if (this.#all.size > MOST) this.#end([...this.#all.keys()][0] ?? "", "too many sessions");
    return { id, until };
  }

  /** Null: there is no such session, or not any more. */
  async find(id: string): Promise<Caller | null> {
    const session = this.#all.get(keyOf(id));
    if (session === undefined) return null;
    const standing = await this.#look(session);
    if (standing === null) return null;
    const { until, by, ended } = session;
    return { ...standing, by, session: { until, ended: ended.signal } };
  }

  /** Null: it is over. Rejects as `standsFor`. */
  async #look(session: Session): Promise<Awaited<ReturnType<Standing>>> {
    const standing = await session.standsFor();
    if (standing === null) this.#end(session.key, "what it was opened with counts no longer");
    if (standing === null || !this.#all.has(session.key)) return null;
    const { role, ended } = session;
    session.role = standing.role;
    if (role !== null && role !== standing.role) {
      session.ended = new AbortController();
      ended.abort(ANOTHER_ROLE);
    }
    return standing;
  }

  async #lookAtAll(): Promise<void> {
    // What cannot be said now changes nothing of what is open; nobody is let in meanwhile.
    for (const session of this.#all.values()) await this.#look(session).catch(() => {});
    if (!this.#isOver) this.#looking.refresh();
  }

  /** Where a provider ends its own session; null: there is none to end. */
  close(id: string): string | null {
    const session = this.#all.get(keyOf(id));
    if (session === undefined) return null;
    this.#end(session.key, "signed out");
    return session.goodbye;
  }

  #end(key: string, why: string): void {
    const session = this.#all.get(key);
    if (session === undefined) return;
    this.#all.delete(key);
    clearTimeout(session.timer);
    session.ended.abort(new DOMException(why, "AbortError"));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#looking);
    for (const key of [...this.#all.keys()]) this.#end(key, "the gateway stops");
  }
}

const keyOf = (id: string): string => sha256(id).toString("base64");
