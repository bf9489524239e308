/**
 * Who of the gateways of a cluster leads: the one whose key has been there longest. Each has a key of its own all the time, that goes with
 * its lease; so one that is gone is followed by the next, and nobody has to begin anything for that.
 *
 *        enter (lease, key)            oldest                    lease, key or clock
 *   out ────────────────────► standby ────────► leads (a term) ──────────────────────► out
 *
 * Invariants:
 * - Whether it leads is read, never concluded: from a read that sees all that was written, in which its own key is the oldest.
 * - By its own clocks it is over a second before its lease can be. That spares work; what keeps it right are conditions (`etcd/term.ts`)
 *   and the agents, because etcd may end a lease early.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Entry, Etcd } from "../../etcd/etcd.ts";
import { notLeader, type Term } from "../../etcd/term.ts";
import type { Clock } from "../../platform/clock.ts";

export interface LeadershipOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  /** Of this gateway, for people; unlike those of the others. */
  readonly name: string;
  /** Where it is reached, for people; null: nobody said. */
  readonly url: string | null;
  readonly leaseSeconds: number;
  /** Must not throw. */
  readonly told: (news: LeaderNews) => void;
}

export type LeaderNews =
  | { readonly kind: "leads"; readonly term: number }
  | { readonly kind: "lost"; readonly term: number; readonly because: string }
  /** Another does, or nobody (null). */
  | { readonly kind: "leader"; readonly leader: Leader | null }
  /** Nobody can be asked. */
  | { readonly kind: "trouble"; readonly error: Error };

export interface Leader {
  readonly name: string;
  readonly url: string | null;
  readonly since: string;
  readonly term: number;
}

const CANDIDATES = "leader/";
/** Four in a lease: two may be lost while etcd itself finds a new leader. */
const RENEWALS_IN_LEASE = 4.2;
/** How often one that stands by looks though nothing was hinted. */
const LOOK_MS = 2_000;
const CHECK_MS = 200;
const AGAIN_MS = 500;
/** What is between our clocks and etcd's. */
const MARGIN_MS = 1_000;

export class Leadership {
  readonly #options: LeadershipOptions;
  #leader: Leader | null = null;
  #candidate: Candidate | null = null;
  #term: number | null = null;
  #wake: (() => void) | null = null;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** As last seen. */
  get leader(): Leader | null {
    return this.#leader;
  }

  /** The one it leads in; null: it does not. */
  get term(): number | null {
    return this.#term;
  }

  /** Since the lease was last renewed, as far as is known; null: it has none. */
  get leaseAgeMs(): number | null {
    return this.#candidate?.ageMs() ?? null;
  }

  /** Something of the candidates was written. */
  hinted(): void {
    this.#wake?.();
  }

  /** Until the signal. `reign` is given each term, and ends when it is lost; then it stands by again. */
  async run(signal: AbortSignal, reign: (term: Term) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#stand(signal, reign);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.told({ kind: "trouble", error: error as Error });
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #stand(signal: AbortSignal, reign: (term: Term) => Promise<void>): Promise<void> {
    const candidate = await this.#enter();
    this.#candidate = candidate;
    const renewing = candidate.keepRenewing();
    try {
      if (!(await this.#untilOldest(candidate, signal))) return;
      const { name, url, etcd } = candidate.options;
      const { told } = this.#options;
      candidate.requireNow();
      this.#term = candidate.number;
      this.#leader = { name, url, since: candidate.since, term: candidate.number };
      told({ kind: "leads", term: candidate.number });
      const watching = this.#watchKey(etcd, candidate, signal);
      try {
        await reign(candidate);
      } finally {
        this.#term = null;
        const reason: unknown = candidate.lost.reason;
        const because = reason instanceof Error ? reason.message : "it was asked to stop";
        told({ kind: "lost", term: candidate.number, because });
        candidate.giveUp("it stands back");
        await watching;
      }
    } finally {
      candidate.giveUp("it stands back");
      this.#candidate = null;
      await renewing;
      // Whoever comes next need not wait for its end.
      await this.#options.etcd.revoke(candidate.lease).catch(() => {});
    }
  }

  async #enter(): Promise<Candidate> {
    const { etcd, clock, name, url, leaseSeconds } = this.#options;
    const sent = timeOf(clock);
    const { id: lease, seconds } = await etcd.grant(leaseSeconds);
    const key = `${CANDIDATES}${BigInt(lease).toString(16)}`;
    const since = clock.now();
    await etcd.write([{ key, created: 0 }], [{ put: key, value: JSON.stringify({ name, url, since }), lease }]);
    const entry = await etcd.get(key);
    if (entry === null) throw notLeader("the key of this gateway is not there");
    return new Candidate({ ...this.#options, key, lease, seconds, number: entry.created, since, sent });
  }

  /** False: it will not be, as this one. */
  async #untilOldest(candidate: Candidate, signal: AbortSignal): Promise<boolean> {
    const { etcd } = this.#options;
    const over = AbortSignal.any([signal, candidate.lost]);
    while (!over.aborted) {
      const waiting = this.#hint(over);
      try {
        const { entries } = await etcd.read({ below: CANDIDATES }, { oldestFirst: true });
        const [oldest] = entries;
        if (oldest !== undefined && oldest.created === candidate.number) return true;
        this.#see(oldest ?? null);
        if (!entries.some(({ created }) => created === candidate.number)) candidate.giveUp("its key is gone");
      } catch (error) {
        this.#options.told({ kind: "trouble", error: error as Error });
      }
      await waiting;
    }
    return false;
  }

  /** One who leads is told early that its key is gone. */
  async #watchKey(etcd: Etcd, candidate: Candidate, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, candidate.lost]);
    while (!over.aborted) {
      await this.#hint(over, LOOK_MS * 2);
      if (over.aborted) return;
      const entry = await etcd.get(candidate.key).catch(() => undefined);
      if (entry === null || (entry !== undefined && entry.created !== candidate.number))
        candidate.giveUp("its key is gone");
    }
  }

  #see(oldest: Entry | null): void {
    const leader = oldest === null ? null : readLeader(oldest);
    if (leader?.term === this.#leader?.term) return;
    this.#leader = leader;
    this.#options.told({ kind: "leader", leader });
  }

  #hint(signal: AbortSignal, withinMs = LOOK_MS): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, withinMs);
      signal.addEventListener("abort", wake);
      this.#wake = wake;
      if (signal.aborted) wake();
    });
  }
}

function readLeader({ value, created }: Entry): Leader {
  const { name, url, since } = JSON.parse(value.toString("utf8")) as Omit<Leader, "term">;
  return { name, url, since, term: created };
}

interface Time {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const timeOf = (clock: Clock): Time => ({ monotonicMs: clock.monotonicMs(), wallMs: Date.parse(clock.now()) });

interface CandidateOptions extends LeadershipOptions {
  readonly key: string;
  readonly lease: string;
  readonly seconds: number;
  readonly number: number;
  readonly since: string;
  readonly sent: Time;
}

class Candidate implements Term {
  readonly options: CandidateOptions;
  readonly #lost = new AbortController();
  /** When what was answered last was asked: from then on the lease runs at the earliest. */
  #renewed: Time;
  #seconds: number;

  constructor(options: CandidateOptions) {
    this.options = options;
    this.#renewed = options.sent;
    this.#seconds = options.seconds;
  }

  get key(): string {
    return this.options.key;
  }
  get lease(): string {
    return this.options.lease;
  }
  get number(): number {
    return this.options.number;
  }
  get since(): string {
    return this.options.since;
  }
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  giveUp(because: string): void {
    if (!this.lost.aborted) this.#lost.abort(notLeader(`this gateway does not lead any more: ${because}`));
  }

  /** One of the clocks stands still while a machine sleeps, the other may be set: the longer time counts. */
  ageMs(): number {
    const now = timeOf(this.options.clock);
    return Math.max(now.monotonicMs - this.#renewed.monotonicMs, now.wallMs - this.#renewed.wallMs);
  }

  requireNow(): void {
    if (this.ageMs() >= this.#seconds * 1_000 - MARGIN_MS) this.giveUp("its lease was not renewed in time");
    if (this.lost.aborted) throw this.lost.reason;
  }

  async keepRenewing(): Promise<void> {
    const { etcd, clock, lease, leaseSeconds } = this.options;
    const check = setInterval(() => this.#check(), CHECK_MS);
    let waitMs = 0;
    while (!this.lost.aborted) {
      await sleep(waitMs, undefined, { signal: this.lost }).catch(() => {});
      if (this.lost.aborted) break;
      const sent = timeOf(clock);
      try {
        const seconds = await etcd.renew(lease);
        if (seconds === 0) this.giveUp("its lease has ended");
        this.#renewed = sent;
        this.#seconds = seconds;
        waitMs = (leaseSeconds * 1_000) / RENEWALS_IN_LEASE;
      } catch {
        waitMs = AGAIN_MS / 5;
      }
    }
    clearInterval(check);
  }

  #check(): void {
    try {
      this.requireNow();
    } catch {
      // Whoever goes by it is told by the signal.
    }
  }
}
