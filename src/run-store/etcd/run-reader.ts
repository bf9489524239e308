/** Runs as they are in etcd, for whoever looks: what was read once is not read again. */
import type { Etcd } from "../../etcd/etcd.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { RunEvent } from "../../run/journal.ts";
import { JournalFold } from "../../run/state.ts";
import { eventsFrom, type Head, journalOf, parseHead, parseLines, planOf, unpackPlan } from "./run-records.ts";

export interface ReadRun {
  readonly id: string;
  readonly head: Head;
  readonly modified: number;
  readonly fold: JournalFold;
}

interface Known extends ReadRun {
  readonly read: number;
}

export class RunReader {
  readonly #etcd: Etcd;
  readonly #known = new Map<string, Known>();

  constructor(etcd: Etcd) {
    this.#etcd = etcd;
  }

  /** Ids of all, oldest first: their names begin with when they were begun. */
  async heads(): Promise<readonly { readonly id: string; readonly head: Head; readonly modified: number }[]> {
    const { entries } = await this.#etcd.read({ below: "heads/" });
    return entries.map(({ key, value, modified }) => ({
      id: key.slice("heads/".length),
      head: parseHead(value),
      modified,
    }));
  }

  async all(): Promise<{
    readonly runs: readonly ReadRun[];
    readonly unreadable: readonly { readonly id: string; readonly problem: string }[];
  }> {
    const heads = await this.heads();
    const ids = new Set(heads.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    const runs: ReadRun[] = [];
    const unreadable: { id: string; problem: string }[] = [];
    for (const { id, head, modified } of heads) {
      try {
        runs.push(await this.#upTo(id, head, modified));
      } catch (error) {
        if (!isOdoroboError(error, "RUN_UNREADABLE")) throw error;
        unreadable.push({ id, problem: error.message });
      }
    }
    return { runs, unreadable };
  }

  /** Rejects with NOT_FOUND or RUN_UNREADABLE. */
  async one(id: string): Promise<ReadRun> {
    const entry = await this.#etcd.get(`heads/${id}`);
    if (entry === null) throw noRun(id);
    return await this.#upTo(id, parseHead(entry.value), entry.modified);
  }

  /** Of the reader's own, from the beginning: nobody else's fold. */
  async whole(id: string): Promise<ReadRun> {
    const entry = await this.#etcd.get(`heads/${id}`);
    if (entry === null) throw noRun(id);
    const fold = new JournalFold();
    for (const event of (await this.eventsFrom(id, 0)).events) fold.add(event);
    return { id, head: parseHead(entry.value), modified: entry.modified, fold };
  }

  /** From that number on, and the number that comes next. */
  async eventsFrom(
    id: string,
    number: number,
  ): Promise<{ readonly events: readonly RunEvent[]; readonly next: number }> {
    const { entries } = await this.#etcd.read({ below: journalOf(id) }, { from: eventsFrom(id, number) });
    const events = entries.flatMap(({ value }) => parseLines(id, value));
    return { events, next: number + events.length };
  }

  async plan(id: string): Promise<Plan> {
    const { entries } = await this.#etcd.read({ below: planOf(id) });
    if (entries.length === 0) throw noRun(id);
    return await unpackPlan(
      id,
      entries.map(({ value }) => value),
    );
  }

  async #upTo(id: string, head: Head, modified: number): Promise<ReadRun> {
    const known = this.#known.get(id);
    if (known !== undefined && known.modified >= modified) return known;
    const fold = known?.fold ?? new JournalFold();
    const { events, next } = await this.eventsFrom(id, known?.read ?? 0);
    // Somebody else has read on meanwhile, into the same fold: nothing goes into it twice, or after what came later.
    if (this.#known.get(id) !== known) return await this.#upTo(id, head, modified);
    for (const event of events) fold.add(event);
    if (fold.state === null)
      throw new OdoroboError("RUN_UNREADABLE", `the journal of ${id} in etcd does not begin as one does`);
    const run = { id, head, modified, fold, read: next };
    this.#known.set(id, run);
    return run;
  }
}

export const noRun = (id: string): OdoroboError =>
  new OdoroboError("NOT_FOUND", `there is no run ${id} in etcd`, { hint: "odorobo runs list shows which there are" });
