/**
 * Runs in etcd, the same for all gateways of a cluster. Whoever leads begins, carries on and writes them; the others read, and give orders
 * that are kept until somebody who leads has taken them.
 *
 *   gateway/cluster/ → [etcd-run-store.ts] → etcd-claim.ts (write), run-reader.ts (read), orders.ts
 */
import type { Etcd } from "../../etcd/etcd.ts";
import { notLeader, type Term, writeInTerm } from "../../etcd/term.ts";
import { OdoroboError as Failure, type OdoroboError } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { RunOrder } from "../../run/decide.ts";
import type { RunBegun, RunEvent } from "../../run/journal.ts";
import type { KnownRun, KnownRuns, RunClaim, RunStore, Seat } from "../../run/run-store.ts";
import { JournalFold, type RunState } from "../../run/state.ts";
import { mayGo, mustGo } from "../retention.ts";
import { EtcdClaim } from "./etcd-claim.ts";
import { giveOrder } from "./orders.ts";
import { noRun, RunReader } from "./run-reader.ts";
import { eventsFrom, type Head, headOf, journalOf, packPlan, planOf, toBytes, toLines } from "./run-records.ts";

export interface EtcdRunStoreOptions {
  readonly etcd: Etcd;
  /** The term of this process; null: another leads, or nobody. */
  readonly term: () => Term | null;
  /** Of whoever leads, as last seen. */
  readonly leaderTerm: () => number | null;
  /** What is written has to wait. */
  readonly onTrouble: (error: OdoroboError) => void;
}

/** How often one who follows looks though nothing was hinted. */
const LOOK_MS = 1_000;

export class EtcdRunStore implements RunStore {
  readonly #options: EtcdRunStoreOptions;
  readonly #reader: RunReader;
  readonly #claims = new Map<string, EtcdClaim | null>();
  readonly #listeners = new Set<() => void>();
  /** Somebody listens who did not. */
  onListening: () => void = () => {};

  constructor(options: EtcdRunStoreOptions) {
    this.#options = options;
    this.#reader = new RunReader(options.etcd);
  }

  /** Whoever is to decide is elsewhere. */
  isElsewhere(): boolean {
    return this.#options.term() === null;
  }

  /** Something was written. */
  hinted(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Of this process; null: nobody here is at it. */
  claimed(id: string): EtcdClaim | null {
    return this.#claims.get(id) ?? null;
  }

  async create(plan: Plan, begun: RunBegun): Promise<RunClaim> {
    const { etcd, onTrouble } = this.#options;
    const term = this.#requireTerm();
    const id = begun.run;
    const fold = new JournalFold();
    fold.add(begun);
    for (const [number, piece] of (await packPlan(plan)).entries())
      await writeInTerm(
        etcd,
        term,
        { key: `${planOf(id)}${String(number).padStart(4, "0")}`, modified: 0, value: piece },
        [],
        onTrouble,
      );
    const head: Head = { events: 1, at: begun.at, isOver: false, by: term.number, writes: 1 };
    const record = { key: headOf(id), modified: 0, value: toBytes(head) };
    const lines = { put: eventsFrom(id, 0), value: toLines([begun]) };
    const modified = await writeInTerm(etcd, term, record, [lines], onTrouble);
    const claim = this.#open({ term, id, plan, fold, head, modified });
    await this.#tidy(begun.at).catch(() => {});
    return claim;
  }

  async list(): Promise<KnownRuns> {
    const { runs, unreadable } = await this.#reader.all();
    return { runs: runs.map((run) => this.#toKnown(run)).reverse(), unreadable };
  }

  async find(id: string): Promise<KnownRun> {
    const heads = await this.#reader.heads();
    const fitting = heads.filter((each) => each.id === id || (id !== "" && each.id.startsWith(id)));
    const exact = fitting.find((each) => each.id === id) ?? (fitting.length === 1 ? fitting[0] : undefined);
    if (exact !== undefined) return this.#toKnown(await this.#reader.one(exact.id));
    if (fitting.length === 0) throw noRun(id);
    throw new Failure("NOT_FOUND", `${fitting.length} runs begin with ${id} in etcd`, {
      hint: "odorobo runs list shows which there are",
    });
  }

  plan(id: string): Promise<Plan> {
    return this.#reader.plan(id);
  }

  async claim(id: string): Promise<RunClaim | null> {
    const { etcd, onTrouble } = this.#options;
    const term = this.#requireTerm();
    if (this.#claims.has(id)) return null;
    this.#claims.set(id, null);
    try {
      const run = await this.#reader.whole(id);
      if (run.fold.state === null)
        throw new Failure("RUN_UNREADABLE", `the journal of ${id} in etcd does not begin as one does`);
      const plan = await this.plan(id);
      const head: Head = { ...run.head, by: term.number, writes: run.head.writes + 1 };
      const record = { key: headOf(id), modified: run.modified, value: toBytes(head) };
      const modified = await writeInTerm(etcd, term, record, [], onTrouble);
      return this.#open({ term, id, plan, fold: run.fold, head, modified });
    } catch (error) {
      this.#claims.delete(id);
      throw error;
    }
  }

  async *follow(id: string, signal: AbortSignal): AsyncIterable<RunEvent> {
    for (let number = 0; ; ) {
      signal.throwIfAborted();
      const hint = this.#hint(signal);
      // First whether somebody is at it: what is written before that one goes is in the journal then.
      const { head } = await this.#reader.one(id);
      const { events, next } = await this.#reader.eventsFrom(id, number);
      yield* events;
      number = next;
      if (!this.#isExecuted(head)) return;
      await hint;
    }
  }

  async tell(id: string, order: RunOrder): Promise<boolean> {
    const claim = this.#claims.get(id);
    if (claim?.listener) {
      claim.listener(order);
      await claim.settled();
      return true;
    }
    await giveOrder(this.#options.etcd, id, order);
    return true;
  }

  /** Leading is having it. */
  async seat(): Promise<Seat> {
    this.#requireTerm();
    return { kind: "ours", [Symbol.asyncDispose]: async () => {} };
  }

  #open(run: {
    readonly term: Term;
    readonly id: string;
    readonly plan: Plan;
    readonly fold: JournalFold;
    readonly head: Head;
    readonly modified: number;
  }): EtcdClaim {
    const { etcd, onTrouble } = this.#options;
    const claim = new EtcdClaim({
      ...run,
      ...{ etcd, onTrouble },
      onListening: () => this.onListening(),
      onClosed: () => void this.#claims.delete(run.id),
    });
    this.#claims.set(run.id, claim);
    return claim;
  }

  #requireTerm(): Term {
    const term = this.#options.term();
    if (term === null) throw notLeader("this gateway does not lead its cluster");
    term.requireNow();
    return term;
  }

  #isExecuted({ by, isOver }: Head): boolean {
    return by !== null && !isOver && by === this.#options.leaderTerm();
  }

  #toKnown({ id, head, fold }: { readonly id: string; readonly head: Head; readonly fold: JournalFold }): KnownRun {
    return { id, state: fold.state as RunState, isExecuted: this.#isExecuted(head) };
  }

  #hint(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        this.#listeners.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, LOOK_MS);
      signal.addEventListener("abort", wake);
      this.#listeners.add(wake);
    });
  }

  async #tidy(now: RunBegun["at"]): Promise<void> {
    const { etcd } = this.#options;
    const term = this.#requireTerm();
    for (const [place, { id, head, modified }] of [...(await this.#reader.heads())].reverse().entries()) {
      const age = { place, stillForMs: Date.parse(now) - Date.parse(head.at) };
      const standing = { isOver: head.isOver, isExecuted: this.#isExecuted(head) };
      if (!mayGo(age) || !mustGo(age, standing)) continue;
      const ours = { key: term.key, created: term.number };
      await etcd.write(
        [ours, { key: headOf(id), modified }],
        [{ remove: headOf(id) }, { removeBelow: journalOf(id) }, { removeBelow: planOf(id) }],
      );
    }
  }
}
