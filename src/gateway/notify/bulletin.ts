/**
 * What is news: a thing is said once, again when it is another thing or after a long while, and that it is over only where it was said
 * that it began. What comes and goes is not said each time.
 *
 *   fleet-notices.ts (what is so, as often as it likes) → [bulletin.ts] → targets
 *
 * Notices that come together go out together: a hundred nodes that fall silent are one message.
 */
import type { Clock } from "../../platform/clock.ts";
import type { Notice } from "./notice.ts";

export interface BulletinPace {
  /** How long the first of some notices waits for the others. */
  readonly gatherMs: number;
  /** What is still so is said again after that. */
  readonly repeatMs: number;
  /** What was over and is so again is no news before that. */
  readonly flapMs: number;
}

export const BULLETIN_PACE: BulletinPace = { gatherMs: 5_000, repeatMs: 24 * 3_600_000, flapMs: 900_000 };

/** Beyond that the oldest are forgotten: nobody has so many nodes and open revisions. */
const MAX_KNOWN = 10_000;

interface Known {
  readonly print: string;
  readonly saidMs: number;
  isOver: boolean;
}

export class Bulletin implements Disposable {
  readonly #known = new Map<string, Known>();
  /** Not given on yet, by what they are about. */
  readonly #pending = new Map<string, Notice>();
  readonly #clock: Clock;
  readonly #pace: BulletinPace;
  readonly #post: (notices: readonly Notice[]) => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(post: (notices: readonly Notice[]) => void, clock: Clock, pace: Partial<BulletinPace> = {}) {
    this.#post = post;
    this.#clock = clock;
    this.#pace = { ...BULLETIN_PACE, ...pace };
  }

  /** `about`: what it is of, such as a node. `print`: what makes it another thing to say. To be called for as long as it is so. */
  say(about: string, print: string, notice: () => Notice): void {
    const now = this.#clock.monotonicMs();
    const before = this.#known.get(about);
    if (before?.print === print) {
      const patience = before.isOver ? this.#pace.flapMs : this.#pace.repeatMs;
      if (now - before.saidMs < patience) return;
    }
    // The newest come last: the oldest are forgotten first.
    this.#known.delete(about);
    this.#known.set(about, { print, saidMs: now, isOver: false });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#gather(about, notice());
  }

  /** It is over. `notice` null: nobody needs to know. */
  end(about: string, notice: (() => Notice) | null): void {
    const before = this.#known.get(about);
    if (before === undefined || before.isOver) return;
    before.isOver = true;
    if (notice !== null) this.#gather(`end of ${about}`, notice());
  }

  /** Says at once what waits. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const notices = [...this.#pending.values()];
    this.#pending.clear();
    if (notices.length > 0) this.#post(notices);
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #gather(about: string, notice: Notice): void {
    this.#pending.set(about, notice);
    this.#timer ??= setTimeout(() => this.flush(), this.#pace.gatherMs).unref();
  }
}
