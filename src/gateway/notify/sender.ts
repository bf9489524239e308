/**
 * Sends what is to be sent to one receiver, one after the other, again when that may help; never waits on behalf of anybody.
 *
 *   target.ts → [sender.ts] → the receiver
 */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { SecretFile } from "../../platform/http/door/secret-file.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Receiver } from "./receiver-file.ts";

export interface SenderPace {
  /** Before each further try. */
  readonly retryMs: readonly number[];
  readonly answerMs: number;
  /** How long what is left is still tried when the gateway stops. */
  readonly closeMs: number;
}

export const SENDER_PACE: SenderPace = {
  retryMs: [1_000, 5_000, 30_000, 120_000, 600_000],
  answerMs: 10_000,
  closeMs: 3_000,
};

/** What waits to be sent; beyond that the oldest are given up. */
const MAX_QUEUE = 50;
/** As long as a receiver may make us wait. */
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface Sent {
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

export type SendResult = "sent" | "retried" | "dropped";

export interface SenderOptions {
  readonly receiver: SecretFile<Receiver>;
  /** For the log: which of them it is, without its address. */
  readonly name: string;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counted: (result: SendResult) => void;
  readonly pace?: Partial<SenderPace>;
}

export class Sender implements AsyncDisposable {
  readonly #options: SenderOptions;
  readonly #pace: SenderPace;
  readonly #queue: Sent[] = [];
  readonly #stop = new AbortController();
  /** Aborts waits, not what is being sent. */
  readonly #hurry = new AbortController();
  #working: Promise<void> | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#pace = { ...SENDER_PACE, ...options.pace };
  }

  send(sent: Sent): void {
    if (this.#hurry.signal.aborted) return;
    this.#queue.push(sent);
    if (this.#queue.length > MAX_QUEUE) this.#drop(this.#queue.shift() as Sent, "too many wait to be sent");
    this.#working ??= this.#work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hurry.abort();
    const timer = setTimeout(() => this.#stop.abort(), this.#pace.closeMs);
    await this.#working;
    clearTimeout(timer);
  }

  async #work(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#deliver(next);
    // In the same turn in which it saw that nothing waits: what comes now begins anew.
    this.#working = null;
  }

  async #deliver(sent: Sent): Promise<void> {
    const { counted } = this.#options;
    for (let tries = 0; ; tries++) {
      const trouble = await this.#post(sent);
      if (trouble === null) {
        counted("sent");
        return;
      }
      const pause = trouble.isFinal ? undefined : this.#pace.retryMs[tries];
      if (pause === undefined || this.#hurry.signal.aborted) {
        this.#drop(sent, trouble.why);
        return;
      }
      counted("retried");
      const waitMs = Math.max(pause, trouble.afterMs);
      await sleep(waitMs, undefined, { signal: this.#hurry.signal, ref: false }).catch(() => {});
    }
  }

  #drop({ id }: Sent, why: string): void {
    const { log, name, counted } = this.#options;
    counted("dropped");
    log.warn({ receiver: name, notification: id, why }, "a notification was not delivered");
  }

  /** Null: it was taken. */
  async #post({
    id,
    body,
  }: Sent): Promise<{ readonly why: string; readonly isFinal: boolean; readonly afterMs: number } | null> {
    const { receiver, userAgent, clock } = this.#options;
    try {
      const { url, key } = await receiver.read();
      const at = Math.floor(Date.parse(clock.now()) / 1_000);
      const answer = await fetch(url, {
        method: "POST",
        headers: {
          ...{ "content-type": "application/json", "user-agent": userAgent, "odorobo-notification": id },
          ...(key === null ? {} : { "odorobo-signature": signatureOf(body, key, at) }),
        },
        body,
        // To wherever that leads, the secret of the address would go along.
        redirect: "manual",
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#pace.answerMs)]),
      });
      await answer.body?.cancel();
      if (answer.ok) return null;
      const { status } = answer;
      const isPassing = status >= 500 || status === 429 || status === 408 || status === 425;
      const afterMs = Math.min(MAX_RETRY_AFTER_MS, Number(answer.headers.get("retry-after") ?? 0) * 1_000 || 0);
      return { why: `it answered ${status}`, isFinal: !isPassing, afterMs };
    } catch (error) {
      return { why: reasonOf(error), isFinal: false, afterMs: 0 };
    }
  }
}

/** As `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`, so that nobody sends an old one again. */
export const signatureOf = (body: string, key: string, at: number): string =>
  `t=${at},v1=${createHmac("sha256", key).update(`${at}.${body}`).digest("hex")}`;

/** The system's code, or the name: messages of the runtime may have the address in them; ours of its file have not. */
function reasonOf(error: unknown): string {
  if (isOdoroboError(error)) return error.message;
  const { cause, code, name } = error as { cause?: { code?: unknown }; code?: unknown; name?: unknown };
  for (const each of [cause?.code, code, name]) if (typeof each === "string") return each;
  return "it could not be reached";
}
