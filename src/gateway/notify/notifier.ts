/**
 * Tells people of one fleet, at each receiver that its entry in gateway.yaml names.
 *
 *   loop → fleet-notices.ts → bulletin.ts → [notifier.ts] → sender.ts
 *
 * Nothing here is waited for by the loop, and nothing is kept over a restart: who must not miss anything reads runs and metrics.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../platform/clock.ts";
import { TokenBuckets } from "../../platform/http/door/token-buckets.ts";
import type { Logger } from "../../platform/logger.ts";
import { packageVersion } from "../../platform/package-version.ts";
import type { LoopWatcher } from "../loop/parts.ts";
import { Bulletin, type BulletinPace } from "./bulletin.ts";
import { FleetNotices } from "./fleet-notices.ts";
import type { Notice, Notification, Topic } from "./notice.ts";
import { receiverFile } from "./receiver-file.ts";
import { Sender, type SenderPace, type SendResult } from "./sender.ts";
import { toSlack } from "./slack-text.ts";

export interface NotifyTarget {
  readonly kind: "json" | "slack";
  readonly urlFile: string;
  readonly on: readonly Topic[];
}

export interface NotifyPace extends BulletinPace, SenderPace {
  /** Messages to one receiver: so many at once, and so many an hour. */
  readonly burst: number;
  readonly perHour: number;
  /** Between two looks whether what was held back may be said. */
  readonly heldMs: number;
  readonly silentMs: number;
}

const PACE = { burst: 10, perHour: 30, heldMs: 60_000 };
/** Said one by one in a message. */
const MAX_NOTICES = 20;

export interface NotifierOptions {
  readonly fleet: string;
  readonly targets: readonly NotifyTarget[];
  /** Of the gateway, without a slash at its end; null: no links. */
  readonly publicUrl: string | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counted?: (kind: NotifyTarget["kind"], result: SendResult | "held") => void;
  readonly pace?: Partial<NotifyPace>;
}

export interface Notifier extends AsyncDisposable {
  readonly watcher: LoopWatcher;
}

/** A receiver whose file cannot be used now is said in the log, and costs the others nothing. Disposing sends what is left, for a few seconds. */
export async function openNotifier(options: NotifierOptions): Promise<Notifier> {
  const { clock, pace } = options;
  const targets = await Promise.all(options.targets.map((target, index) => openTarget(target, index, options)));
  const post = (notices: readonly Notice[]) => {
    for (const target of targets) target.offer(notices);
  };
  const bulletin = new Bulletin(post, clock, pace);
  return {
    watcher: new FleetNotices(bulletin, clock, pace?.silentMs),
    async [Symbol.asyncDispose]() {
      bulletin[Symbol.dispose]();
      await Promise.all(targets.map((target) => target[Symbol.asyncDispose]()));
    },
  };
}

async function openTarget(target: NotifyTarget, index: number, options: NotifierOptions): Promise<Target> {
  const { fleet, clock, log, counted = () => {}, pace = {} } = options;
  const receiver = receiverFile(target.urlFile);
  const name = `${fleet} ${target.kind} ${index + 1}`;
  await receiver
    .read()
    .catch((error: unknown) => log.error({ receiver: name, err: error }, "a receiver of notifications cannot be used"));
  const sender = new Sender({
    ...{ receiver, name },
    userAgent: `odorobo/${packageVersion()}`,
    ...{ clock, log, pace },
    counted: (result) => counted(target.kind, result),
  });
  return new Target(target, sender, options);
}

class Target implements AsyncDisposable {
  readonly #target: NotifyTarget;
  readonly #sender: Sender;
  readonly #options: NotifierOptions;
  readonly #rate: TokenBuckets;
  readonly #heldMs: number;
  /** Not said, and to be summed up. */
  #held: Partial<Record<Topic, number>> = {};
  #timer: NodeJS.Timeout | null = null;

  constructor(target: NotifyTarget, sender: Sender, options: NotifierOptions) {
    const { burst, perHour, heldMs } = { ...PACE, ...options.pace };
    this.#target = target;
    this.#sender = sender;
    this.#options = options;
    this.#rate = new TokenBuckets({ burst, perSecond: perHour / 3_600 }, 1);
    this.#heldMs = heldMs;
  }

  offer(all: readonly Notice[]): void {
    const notices = all.filter(({ topic }) => this.#target.on.includes(topic));
    if (notices.length === 0) return;
    if (this.#mayTalk()) {
      this.#say(notices);
      return;
    }
    for (const { topic } of notices) {
      this.#hold(topic);
      this.#options.counted?.(this.#target.kind, "held");
    }
    this.#timer ??= setInterval(() => {
      if (this.#mayTalk()) this.#say([]);
    }, this.#heldMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#sender[Symbol.asyncDispose]();
  }

  #mayTalk(): boolean {
    return this.#rate.take("", this.#options.clock.monotonicMs());
  }

  #hold(topic: Topic): void {
    this.#held[topic] = (this.#held[topic] ?? 0) + 1;
  }

  #say(notices: readonly Notice[]): void {
    const { fleet, publicUrl, clock } = this.#options;
    for (const { topic } of notices.slice(MAX_NOTICES)) this.#hold(topic);
    const notification: Notification = {
      kind: "Notification",
      version: 1,
      id: randomUUID(),
      at: clock.now(),
      fleet,
      notices: notices.slice(0, MAX_NOTICES),
      more: this.#held,
      link: publicUrl === null ? null : `${publicUrl}/v1/fleets/${encodeURIComponent(fleet)}`,
    };
    this.#held = {};
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const body = this.#target.kind === "slack" ? toSlack(notification) : JSON.stringify(notification);
    this.#sender.send({ id: notification.id, body });
  }
}
