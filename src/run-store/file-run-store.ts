/**
 * Runs in a folder of the user's: `<state>/runs/<id>/` with the plan, the journal, and the key of the executor's door.
 *
 *   turn/ → run/run-store.ts ◄ [file-run-store.ts] → journal-file.ts, executor-door.ts
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readPlanFile, writePlanFile } from "../apply/plan-file.ts";
import { digestOfText } from "../model/digest.ts";
import { isErrno, isOdoroboError, OdoroboError } from "../model/errors.ts";
import type { Plan } from "../plan/plan-document.ts";
import { syncFolder } from "../platform/atomic-write.ts";
import type { RunBegun, RunEvent } from "../run/journal.ts";
import type { KnownRun, KnownRuns, RunClaim, RunStore, Seat } from "../run/run-store.ts";
import { JournalFold, type RunState } from "../run/state.ts";
import { isIn, listenAtDoor, type OpenDoor, openDoor, order } from "./executor-door.ts";
import { JournalReader, JournalWriter } from "./journal-file.ts";
import { mayGo, mustGo } from "./retention.ts";
import { takeSeat } from "./seat.ts";

/** What a process that died while it wrote has left is older than that. */
const ABANDONED_MS = 3_600_000;

const RUN_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;

export class FileRunStore implements RunStore {
  readonly #state: string;
  readonly #folder: string;

  /** `state`: as `platform/state-folder.ts` finds it, or as the user says. Made when the first run is. */
  constructor(state: string) {
    this.#state = state;
    this.#folder = join(state, "runs");
  }

  /** Its executor is behind the door before the run is to be seen: whoever answers at once is heard. */
  isElsewhere(): boolean {
    return false;
  }

  async create(plan: Plan, begun: RunBegun): Promise<RunClaim> {
    const id = begun.run;
    const temporary = this.#path(`.${id}.tmp`);
    const key = randomBytes(16).toString("hex");
    const door = await openDoor(key);
    if (door === null) throw new Error(`somebody is behind the door of ${id}, which nobody knows yet`);
    let place = temporary;
    try {
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      await writeFile(join(temporary, "key"), key, { mode: 0o600 });
      await writePlanFile(join(temporary, "plan.json"), plan);
      {
        using journal = new JournalWriter(join(temporary, "journal.jsonl"), null);
        journal.append(begun, { sync: true });
      }
      await rename(temporary, this.#path(id));
      place = this.#path(id);
      await syncFolder(this.#folder);
    } catch (error) {
      await rm(place, { recursive: true, force: true }).catch(() => {});
      await door[Symbol.asyncDispose]();
      throw new OdoroboError("FILE_UNWRITABLE", `the run could not be written to ${this.#folder}`, {
        cause: error,
        hint: "choose another place with --state FOLDER, or ODOROBO_STATE",
      });
    }
    const claim = await this.#claimBehind(door, id, plan);
    await this.#tidy(begun.at);
    return claim;
  }

  async list(): Promise<KnownRuns> {
    const runs: KnownRun[] = [];
    const unreadable: { id: string; problem: string }[] = [];
    for (const id of (await this.#ids()).reverse()) {
      try {
        runs.push(await this.#known(id));
      } catch (error) {
        // Tidied away meanwhile.
        if (isOdoroboError(error, "NOT_FOUND")) continue;
        unreadable.push({ id, problem: error instanceof Error ? error.message : String(error) });
      }
    }
    return { runs, unreadable };
  }

  async find(id: string): Promise<KnownRun> {
    const fitting = (await this.#ids()).filter((each) => each === id || (id !== "" && each.startsWith(id)));
    const exact = fitting.find((each) => each === id) ?? (fitting.length === 1 ? fitting[0] : undefined);
    if (exact !== undefined) return await this.#known(exact);
    const message = fitting.length === 0 ? `there is no run ${id}` : `${fitting.length} runs begin with ${id}`;
    throw new OdoroboError("NOT_FOUND", `${message} in ${this.#folder}`, {
      hint: "odorobo runs list shows which there are; --state names another place",
    });
  }

  async plan(id: string): Promise<Plan> {
    return await readPlanFile(join(this.#path(id), "plan.json"));
  }

  async claim(id: string): Promise<RunClaim | null> {
    const door = await openDoor(await this.#key(id));
    return door === null ? null : await this.#claimBehind(door, id, null);
  }

  /** `given`: of a large fleet it takes a second to be read and checked. */
  async #claimBehind(door: OpenDoor, id: string, given: Plan | null): Promise<RunClaim> {
    try {
      const path = join(this.#path(id), "journal.jsonl");
      const reader = new JournalReader(path);
      const fold = new JournalFold();
      for (const event of reader.next()) fold.add(event);
      requireState(id, fold);
      const plan = given ?? (await this.plan(id));
      const journal = new JournalWriter(path, reader.length);
      return {
        id,
        plan,
        state: () => requireState(id, fold),
        append(event) {
          journal.append(event, { sync: event.event === "ended" || event.event === "approved" });
          fold.add(event);
          door.ring();
        },
        settled: async () => {},
        onCommand(listener) {
          door.listen(listener);
        },
        async [Symbol.asyncDispose]() {
          await door[Symbol.asyncDispose]();
          journal[Symbol.dispose]();
        },
      };
    } catch (error) {
      await door[Symbol.asyncDispose]();
      throw error;
    }
  }

  async *follow(id: string, signal: AbortSignal): AsyncIterable<RunEvent> {
    const journal = new JournalReader(join(this.#path(id), "journal.jsonl"));
    yield* journal.next();
    for await (const _ of listenAtDoor(await this.#key(id), signal)) yield* journal.next();
    signal.throwIfAborted();
    // What it wrote before it went.
    yield* journal.next();
  }

  async tell(id: string, command: Parameters<RunStore["tell"]>[1]): Promise<boolean> {
    return await order(await this.#key(id), command);
  }

  async seat(name: string, by: string, at: RunBegun["at"]): Promise<Seat> {
    return await takeSeat(join(this.#state, "seats", digestOfText(name).slice(0, 32)), by, at);
  }

  async #known(id: string): Promise<KnownRun> {
    const key = await this.#key(id);
    // First whether somebody is at it: what it writes before it goes is in the journal then.
    const isExecuted = await isIn(key);
    const fold = new JournalFold();
    for (const event of new JournalReader(join(this.#path(id), "journal.jsonl")).next()) fold.add(event);
    return { id, state: requireState(id, fold), isExecuted };
  }

  async #standing(id: string): Promise<{ readonly isOver: boolean; readonly isExecuted: boolean }> {
    try {
      const { state, isExecuted } = await this.#known(id);
      return { isOver: state.outcome !== null, isExecuted };
    } catch (error) {
      if (!isOdoroboError(error, "RUN_UNREADABLE")) throw error;
      return { isOver: true, isExecuted: false };
    }
  }

  /** Oldest first: their names begin with when they were begun. */
  async #ids(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => RUN_ID.test(name)).sort();
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw new OdoroboError("FILE_UNWRITABLE", `${this.#folder} cannot be read`, { cause: error });
    }
  }

  async #key(id: string): Promise<string> {
    try {
      return await readFile(join(this.#path(id), "key"), "utf8");
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      throw new OdoroboError("NOT_FOUND", `there is no run ${id} in ${this.#folder}`, {
        hint: "odorobo runs list shows which there are",
      });
    }
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  /** Never fails: that an old run stays is no reason not to begin a new one. */
  async #tidy(now: RunBegun["at"]): Promise<void> {
    try {
      for (const [place, id] of (await this.#ids()).reverse().entries()) {
        const { mtimeMs } = await stat(join(this.#path(id), "journal.jsonl"));
        const age = { place, stillForMs: Date.parse(now) - mtimeMs };
        // A journal may have megabytes: most are not read for this.
        if (!mayGo(age) || !mustGo(age, await this.#standing(id))) continue;
        // Taken out of sight in one step: nobody finds half of it.
        await rename(this.#path(id), this.#path(`.${id}.gone`));
      }
      for (const name of await readdir(this.#folder)) {
        const isAbandoned = async () => Date.parse(now) - (await stat(this.#path(name))).mtimeMs > ABANDONED_MS;
        if (name.endsWith(".gone") || (name.endsWith(".tmp") && (await isAbandoned())))
          await rm(this.#path(name), { recursive: true, force: true });
      }
    } catch {
      // The next run tries again.
    }
  }
}

function requireState(id: string, { state }: JournalFold): RunState {
  if (state !== null && state.begun.run === id) return state;
  throw new OdoroboError("RUN_UNREADABLE", `the journal of ${id} does not begin as one`, {
    hint: "make a new plan: what the run did stays done",
  });
}
