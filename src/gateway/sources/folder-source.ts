/** Revisions of a folder: each time that something in it may have changed. What is half there is no revision that anything is lost by. */
import { setTimeout as sleep } from "node:timers/promises";
import { ReadingMemory } from "../../manifest/vm/reading-memory.ts";
import { digestOf } from "../../model/digest.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import { readFolder } from "../../source/read-folder.ts";
import { type WatchFolderOptions, watchFolder } from "../../source/watch-folder.ts";
import { type Fleet, loadFleet } from "../../turn/read-fleet.ts";
import type { ReadRevision, RevisionSource, SeenRevision } from "../loop/parts.ts";
import type { Revision } from "../revision/revision.ts";

/** Between an editor's emptying a file, or moving it aside, and its writing it, on a slow disk. */
const HALF_SAVED_MS = 1_000;
const AGAIN_MS = 100;

export class FolderSource implements RevisionSource {
  readonly #path: string;
  readonly #options: WatchFolderOptions;
  readonly #serve: (fleet: Fleet, signal: AbortSignal) => Promise<Fleet>;
  /** What was read last, or why it could not be. */
  #print: string | null = null;
  #reading: Promise<unknown> = Promise.resolve();
  #count = 0;
  #good: Fleet | null = null;
  readonly #memory = new ReadingMemory();
  /** VMs that there were when the manifests went away; null: they are there, all of them. */
  #lost: readonly VmName[] | null = null;

  /** `serve`: what is to be ready before a revision is planned; returns the fleet as it is reached. */
  constructor(path: string, options: WatchFolderOptions, serve: (fleet: Fleet, signal: AbortSignal) => Promise<Fleet>) {
    this.#path = path;
    this.#options = options;
    this.#serve = serve;
  }

  recall(revisions: readonly Pick<Revision, "id">[]): void {
    this.#count = Math.max(this.#count, ...revisions.map(({ id }) => Number(/^r(\d+)$/.exec(id)?.[1] ?? 0)));
  }

  async *revisions(signal: AbortSignal): AsyncGenerator<SeenRevision> {
    yield this.#next("it is watched from now on");
    for await (const { what, isRescan } of watchFolder(this.#path, this.#options, signal)) {
      if (isRescan) {
        // What is being read just now is not known yet, and need not be read twice.
        await this.#reading;
        if ((await this.#fingerprint(signal)) === this.#print) continue;
      }
      yield this.#next(what);
    }
  }

  #next(what: string): SeenRevision {
    this.#count += 1;
    return { id: `r${this.#count}`, what, commit: null };
  }

  async read(_id: string, _since: string | null, signal: AbortSignal): Promise<ReadRevision> {
    const reading = this.#read(signal);
    this.#reading = reading.catch(() => {});
    return await reading;
  }

  async #read(signal: AbortSignal): Promise<ReadRevision> {
    try {
      const fleet = await this.#readWhole(signal);
      this.#print = printOf(fleet);
      this.#good = fleet;
      const names = new Set(fleet.desired.vms.map(({ name }) => name));
      if (this.#lost?.every((name) => names.has(name))) this.#lost = null;
      return { fleet: await this.#serve(fleet, signal), isDoubtful: this.#lost !== null };
    } catch (error) {
      const isAway = isOdoroboError(error, "SOURCE_UNREADABLE") || isOdoroboError(error, "SOURCE_EMPTY");
      if (isAway) this.#lost ??= this.#good?.desired.vms.map(({ name }) => name) ?? null;
      this.#print = await this.#fingerprint(signal);
      throw error;
    }
  }

  async #readWhole(signal: AbortSignal): Promise<Fleet> {
    for (const end = performance.now() + HALF_SAVED_MS; ; await sleep(AGAIN_MS, undefined, { signal })) {
      const fleet = await loadFleet({ kind: "folder", path: this.#path }, signal, this.#memory);
      const emptied = emptiedSince(this.#good, fleet);
      if (emptied === null && !losesSince(this.#good, fleet)) return fleet;
      if (performance.now() < end) continue;
      if (emptied === null) return fleet;
      throw new OdoroboError("SOURCE_UNREADABLE", `${emptied} is empty, and was not before`, {
        hint: "is it still being saved? To delete what was in it, remove the file",
      });
    }
  }

  async #fingerprint(signal: AbortSignal): Promise<string> {
    try {
      return printOf(await readFolder(this.#path, signal));
    } catch (error) {
      signal.throwIfAborted();
      return String(error);
    }
  }
}

const printOf = ({ commit, texts }: Pick<Fleet, "commit" | "texts">): string =>
  digestOf([commit, texts.map(({ path, blobId, text }) => [path, blobId ?? text])]);

/** A VM that there was is in no file: it was deleted, or its file is between the two names by which an editor saves it. */
function losesSince(before: Fleet | null, now: Fleet): boolean {
  const names = new Set(now.desired.vms.map(({ name }) => name));
  return before?.desired.vms.some(({ name }) => !names.has(name)) ?? false;
}

/** A file that held something and holds nothing; null: there is none. */
function emptiedSince(before: Fleet | null, now: Fleet): string | null {
  const full = new Set(before?.texts.filter(({ text }) => text.trim() !== "").map(({ path }) => path));
  return now.texts.find(({ path, text }) => text.trim() === "" && full.has(path))?.path ?? null;
}
