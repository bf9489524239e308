/**
 * Says when something may have changed below a folder of manifests: not what. Whoever listens reads the folder.
 *
 * Whatever is done to it, saves by rename, checkouts, links that are swapped, a folder that goes and comes back: the path is looked up
 * anew now and then, because a watcher stays with what was behind a link, or in a folder, when it began.
 */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FSWatcher, watch } from "chokidar";
import { isManifestPath } from "../manifest/read-manifests.ts";
import { isSkipped } from "./source.ts";
import { repositoryAround } from "./work-tree.ts";

export interface WatchFolderOptions {
  /** Look at every file again and again: file systems of other machines tell nothing. */
  readonly poll: boolean;
  /** How often everything is taken to have changed: the kernel drops what it cannot queue, and tells nobody. */
  readonly rescanMs: number;
  /** The kernel watches no more files for this user: from now on every file is looked at again and again. Told once. */
  readonly onLimit?: () => void;
}

export interface FolderChange {
  /** For people: a path below the folder, or what became of it. */
  readonly what: string;
  /** Nothing was seen to change: it is only time to look. */
  readonly isRescan: boolean;
}

/** Editors write, rename and touch in quick succession; who saves again within this meant one change. */
const SETTLE_MS = 100;
/** Of a folder that is never still. */
const MOST_MS = 2_000;
/** A checkout of a very large repository; a lock that a dead git has left costs no more than this. */
const LOCKED_MS = 10_000;
/** How soon another folder behind the same path is found. */
const PLACE_MS = 250;
const POLL_MS = 500;
/** Whoever has more files than the kernel watches has many. */
const POLL_MANY_MS = 2_000;
/** What the kernel says when a user has as many watches, or as many watchers, as it gives one. */
const LIMITS: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EMFILE"]);

/** Yields after each burst of changes, once. Ends by rejecting with the signal's reason. */
export async function* watchFolder(
  path: string,
  { poll, rescanMs, onLimit }: WatchFolderOptions,
  signal: AbortSignal,
): AsyncGenerator<FolderChange> {
  const root = resolve(path);
  const burst = new Burst();
  let place: string | null = null;
  let watcher: FSWatcher | null = null;
  let isFirst = true;
  let pollMs = poll ? POLL_MS : null;
  const limited = () => {
    if (pollMs !== null) return;
    pollMs = POLL_MANY_MS;
    onLimit?.();
    void watcher?.close();
    const found = placeOf(root);
    watcher = found === null ? null : watchPlace(found.real, pollMs, noted);
  };
  const noted: PlaceListener = { changed: (what) => burst.note(what), limited };
  const look = () => {
    const found = placeOf(root);
    const now = found?.key ?? null;
    if (now === place) return;
    void watcher?.close();
    watcher = found === null ? null : watchPlace(found.real, pollMs, noted);
    if (place !== null && now === null) burst.note("the folder is gone");
    else if (!isFirst) burst.note("it is another folder");
    place = now;
    isFirst = false;
  };
  const placing = setInterval(look, PLACE_MS);
  const rescanning = setInterval(() => burst.note(null), rescanMs);
  try {
    look();
    for (;;) {
      await burst.begins(signal);
      await burst.settles(signal);
      await unlocked(root, signal);
      look();
      yield burst.take();
    }
  } finally {
    clearInterval(placing);
    clearInterval(rescanning);
    await (watcher as FSWatcher | null)?.close();
  }
}

class Burst {
  #what: string | null = null;
  #isRescan = true;
  #isOpen = false;
  #first = 0;
  #last = 0;
  #wake: (() => void) | null = null;

  note(what: string | null): void {
    const now = performance.now();
    if (!this.#isOpen) this.#first = now;
    this.#isOpen = true;
    if (what !== null) {
      // An editor's own files come and go beside the one that is meant.
      if (this.#what === null || (!isManifestPath(this.#what) && isManifestPath(what))) this.#what = what;
      this.#isRescan = false;
    }
    this.#last = now;
    this.#wake?.();
  }

  async begins(signal: AbortSignal): Promise<void> {
    while (!this.#isOpen) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      signal.throwIfAborted();
    }
  }

  async settles(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = performance.now();
      const rest = Math.min(this.#last + SETTLE_MS, this.#first + MOST_MS) - now;
      if (rest <= 0) return;
      await sleep(rest, undefined, { signal });
    }
  }

  take(): FolderChange {
    const change = { what: this.#what ?? "it is time to look again", isRescan: this.#isRescan };
    this.#what = null;
    this.#isRescan = true;
    this.#isOpen = false;
    return change;
  }
}

/** `key`: another one for another folder. Null: there is none. */
function placeOf(root: string): { readonly real: string; readonly key: string } | null {
  try {
    const real = realpathSync(root);
    const { dev, ino, isDirectory } = pick(statSync(real));
    return isDirectory ? { real, key: `${real} ${dev}:${ino}` } : null;
  } catch {
    return null;
  }
}

const pick = (stat: ReturnType<typeof statSync>) => ({
  dev: stat?.dev,
  ino: stat?.ino,
  isDirectory: stat?.isDirectory() ?? false,
});

interface PlaceListener {
  readonly changed: (what: string | null) => void;
  readonly limited: () => void;
}

/** `pollMs` null: the kernel tells. */
function watchPlace(real: string, pollMs: number | null, { changed, limited }: PlaceListener): FSWatcher {
  const below = (path: string) => path.slice(real.length + 1);
  const isIgnored = (path: string) =>
    below(path)
      .split(sep)
      .some((name) => name !== "" && isSkippedHere(name));
  const polling = pollMs === null ? { usePolling: false } : { usePolling: true, interval: pollMs };
  const options = { ignoreInitial: true, ignored: isIgnored, ...polling, atomic: false };
  return (
    watch(real, options)
      .on("all", (_event, path) => changed(below(path) || "the folder"))
      // What changed before it looked is seen by nobody else.
      .on("ready", () => changed(null))
      // Such as a folder that may not be read: reading it says so, with its name.
      .on("error", (error) => {
        if (LIMITS.has((error as NodeJS.ErrnoException).code)) limited();
        else changed("something that cannot be watched");
      })
  );
}

/** What a link of the folder may lead to is watched, hidden or not: `..data` of a mounted ConfigMap. */
const isSkippedHere = (name: string): boolean => isSkipped(name) && !name.startsWith("..");

/** While git writes into the work tree, half of it is the old and half the new commit. */
async function unlocked(root: string, signal: AbortSignal): Promise<void> {
  const place = placeOf(root);
  const repository = place === null ? null : repositoryAround(place.real);
  if (repository === null) return;
  const lock = join(gitFolder(join(repository, ".git")), "index.lock");
  for (const end = performance.now() + LOCKED_MS; existsSync(lock) && performance.now() < end; )
    await sleep(SETTLE_MS, undefined, { signal });
}

/** Of a worktree, `.git` is a file that names the folder. */
function gitFolder(git: string): string {
  try {
    const named = /^gitdir: (.*)$/m.exec(readFileSync(git, "utf8"))?.[1];
    return named === undefined ? git : resolve(dirname(git), named);
  } catch {
    return git;
  }
}
