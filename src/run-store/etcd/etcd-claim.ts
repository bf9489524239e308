/**
 * A run in the hands of whoever leads. What is appended goes to etcd in the order in which it came, as much at a time as there is; the
 * answer to an order goes with what it changed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Etcd, Write } from "../../etcd/etcd.ts";
import { type Term, writeInTerm } from "../../etcd/term.ts";
import { OdoroboError } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { RunOrder } from "../../run/decide.ts";
import type { RunEvent } from "../../run/journal.ts";
import type { RunClaim } from "../../run/run-store.ts";
import type { JournalFold, RunState } from "../../run/state.ts";
import { CHUNK_BYTES, eventsFrom, type Head, headOf, toBytes, toLines } from "./run-records.ts";

export interface ClaimParts {
  readonly etcd: Etcd;
  readonly term: Term;
  readonly id: string;
  readonly plan: Plan;
  readonly fold: JournalFold;
  readonly head: Head;
  readonly modified: number;
  readonly onListening: () => void;
  readonly onTrouble: (error: OdoroboError) => void;
  readonly onClosed: () => void;
}

/** What is left when a gateway stops, and etcd takes nothing: it is in doubt then, as after a crash. */
const CLOSE_MS = 5_000;

interface Queued {
  readonly event: RunEvent | null;
  /** What goes with it. */
  readonly writes: readonly Write[];
}

export class EtcdClaim implements RunClaim {
  readonly #parts: ClaimParts;
  #queue: Queued[] = [];
  #head: Head;
  #modified: number;
  #writing: Promise<void> | null = null;
  #failure: Error | null = null;
  #listener: ((order: RunOrder) => void) | null = null;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
    this.#head = parts.head;
    this.#modified = parts.modified;
  }

  get id(): string {
    return this.#parts.id;
  }

  get plan(): Plan {
    return this.#parts.plan;
  }

  /** Null: whoever has it does not listen yet. */
  get listener(): ((order: RunOrder) => void) | null {
    return this.#listener;
  }

  state(): RunState {
    const { state } = this.#parts.fold;
    if (state !== null) return state;
    throw new OdoroboError("RUN_UNREADABLE", `the journal of ${this.id} does not begin as one does`);
  }

  append(event: RunEvent): void {
    if (this.#failure !== null) throw this.#failure;
    this.#parts.fold.add(event);
    this.#put({ event, writes: [] });
  }

  /** Kept with all that was appended before. */
  with(writes: readonly Write[]): void {
    this.#put({ event: null, writes });
  }

  async settled(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#failure !== null) throw this.#failure;
    this.#parts.term.requireNow();
  }

  onCommand(listener: (order: RunOrder) => void): void {
    this.#listener = listener;
    this.#parts.onListening();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener = null;
    this.#head = { ...this.#head, by: null };
    if (this.#failure === null) this.#put({ event: null, writes: [] });
    const stop = new AbortController();
    await Promise.race([this.#writing, sleep(CLOSE_MS, undefined, { signal: stop.signal }).catch(() => {})]);
    stop.abort();
    this.#failure ??= new Error(`${this.id} was let go of`);
    this.#parts.onClosed();
  }

  #put(queued: Queued): void {
    this.#queue.push(queued);
    this.#writing ??= this.#write();
  }

  /** Never rejects. What comes in the same turn goes together. */
  async #write(): Promise<void> {
    await Promise.resolve();
    try {
      while (this.#queue.length > 0 && this.#failure === null) await this.#writeSome(this.#take());
    } catch (error) {
      this.#failure = error as Error;
    }
    this.#writing = null;
  }

  #take(): readonly Queued[] {
    let bytes = 0;
    let count = 0;
    for (const { event } of this.#queue) {
      bytes += event === null ? 0 : Buffer.byteLength(JSON.stringify(event)) + 1;
      // Operations in one write are limited, too.
      if ((bytes > CHUNK_BYTES && count > 0) || count === 100) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #writeSome(some: readonly Queued[]): Promise<void> {
    const { etcd, term, id, onTrouble } = this.#parts;
    const events = some.flatMap(({ event }) => (event === null ? [] : [event]));
    const { events: count } = this.#head;
    const last = events.at(-1);
    const { outcome } = this.state();
    const head: Head = {
      events: count + events.length,
      at: last?.at ?? this.#head.at,
      isOver: outcome !== null,
      by: this.#head.by,
      writes: this.#head.writes + 1,
    };
    const lines: Write[] = events.length === 0 ? [] : [{ put: eventsFrom(id, count), value: toLines(events) }];
    const record = { key: headOf(id), modified: this.#modified, value: toBytes(head) };
    this.#modified = await writeInTerm(
      etcd,
      term,
      record,
      [...lines, ...some.flatMap(({ writes }) => writes)],
      onTrouble,
    );
    // `by` may have changed while it was written: the next write says so.
    this.#head = { ...head, by: this.#head.by };
  }
}
