/**
 * What is still to be told to a forge, one after the other. Of one commit and context only the newest counts, so a forge that is away
 * for a day is told as much as one that was away for a minute; nobody waits for it.
 *
 *   tell-statuses.ts, plan-pull-requests.ts → [status-queue.ts] → forge.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import type { CommitStatus, Forge } from "./forge.ts";
import { RetryAfter, statusOf } from "./forge-http.ts";

export interface StatusQueueOptions {
  readonly forge: Forge;
  readonly log: Logger;
  /** Until when: what waits then is not told. */
  readonly signal: AbortSignal;
  /** Commits and contexts that may wait; of more, those that wait longest are let go. */
  readonly most?: number;
  /** Before the second try; each further one waits twice as long, up to `longestMs`. */
  readonly firstMs?: number;
  readonly longestMs?: number;
  /** After each that the forge took. */
  readonly onTold?: (status: CommitStatus) => void;
}

const MOST = 1_000;
const FIRST_MS = 1_000;
const LONGEST_MS = 300_000;
/** A forge that asks for more is asked sooner: it may have meant something else. */
const LONGEST_ASKED_MS = 3_600_000;

interface Waiting {
  readonly status: CommitStatus;
  /** How often it was tried in vain. */
  readonly failures: number;
  /** How many others had been taken when that began. */
  readonly takenBefore: number;
}

/**
 * Forges answer as if they were in trouble where it is the commit: Gitea says 500 of one that it does not know. So what failed goes
 * behind the others, and is let go when it has failed this often while others were taken.
 */
const FAILURES_ALONE = 10;
/** A day, at the longest pause. */
const FAILURES_AT_MOST = 300;

export class StatusQueue {
  readonly #options: StatusQueueOptions;
  /** By commit and context, in the order in which they are tried. */
  readonly #waiting = new Map<string, Waiting>();
  #sending: Promise<void> | null = null;
  /** Since something was taken. */
  #failures = 0;
  #taken = 0;
  /** What a person was last told is wrong; null: all is well. */
  #complaint: string | null = null;
  #dropped = 0;

  constructor(options: StatusQueueOptions) {
    this.#options = options;
  }

  /** How many were let go because too many waited, or because the forge does not take them. */
  get dropped(): number {
    return this.#dropped;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** What is wrong with telling, in words; null: nothing is. */
  get trouble(): string | null {
    return this.#complaint;
  }

  put(status: CommitStatus): void {
    const key = keyOf(status);
    this.#waiting.delete(key);
    this.#waiting.set(key, { status, failures: 0, takenBefore: 0 });
    const { most = MOST } = this.#options;
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= most) break;
      this.#waiting.delete(oldest);
      this.#drop("too many wait to be told");
    }
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  /** Resolves when nothing waits, or when it is over. */
  async settled(): Promise<void> {
    while (this.#sending !== null) await this.#sending;
  }

  async #send(): Promise<void> {
    const { forge, signal, onTold } = this.#options;
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || signal.aborted) return;
      const [key, { status, failures, ...before }] = next;
      this.#waiting.delete(key);
      try {
        await forge.setStatus(status, signal);
        this.#well();
        onTold?.(status);
      } catch (error) {
        if (signal.aborted) return;
        const pause = this.#pauseAfter(error);
        this.#complain(error);
        const again = failures + 1;
        const takenBefore = failures === 0 ? this.#taken : before.takenBefore;
        const isOfItsOwn = again >= FAILURES_ALONE && this.#taken > takenBefore;
        if (pause === null || isOfItsOwn || again >= FAILURES_AT_MOST) {
          this.#drop("the forge does not take it");
          continue;
        }
        // A newer one may have come meanwhile.
        if (!this.#waiting.has(key)) this.#waiting.set(key, { status, failures: again, takenBefore });
        await sleep(pause, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Null: it is of no use to try again. A token that is refused may be put right in its file. */
  #pauseAfter(error: unknown): number | null {
    const { firstMs = FIRST_MS, longestMs = LONGEST_MS } = this.#options;
    const status = statusOf(error);
    if (!isOdoroboError(error) || (isOdoroboError(error, "FORGE_REFUSED") && status !== 401 && status !== 403))
      return null;
    const own = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    const asked = error.cause instanceof RetryAfter ? Math.min(error.cause.milliseconds, LONGEST_ASKED_MS) : 0;
    return Math.max(own, asked);
  }

  #well(): void {
    if (this.#complaint !== null)
      this.#options.log.info({ forge: this.#options.forge.name }, "the forge takes statuses again");
    this.#complaint = null;
    this.#failures = 0;
    this.#taken += 1;
  }

  /** Once for each thing that is wrong, however many statuses it stops. */
  #complain(error: unknown): void {
    const { forge, log } = this.#options;
    const text = error instanceof Error ? error.message : String(error);
    const kind = error instanceof OdoroboError ? `${error.code} ${statusOf(error) ?? ""}` : text;
    if (this.#complaint?.startsWith(`${kind}: `)) return;
    this.#complaint = `${kind}: ${text}`;
    const hint = error instanceof OdoroboError ? error.hint : undefined;
    log.warn({ forge: forge.name, hint }, `statuses cannot be told: ${text}`);
  }

  #drop(why: string): void {
    this.#dropped += 1;
    if (this.#dropped === 1)
      this.#options.log.warn({ forge: this.#options.forge.name }, `a status is not told: ${why}`);
  }
}

const keyOf = ({ commit, context }: CommitStatus): string => `${commit} ${context}`;
