/** The images of this node's cache, as people and plans ask for them: fetched, listed, pruned. Never while a disk stands on one. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isErrno, isOdoroboError, OdoroboError, toErrorBody } from "../../../model/errors.ts";
import type { ImageFetch, ImageFetchRequest, NodeImage, Pruned, PruneRequest } from "../../../model/image-fetch.ts";
import { byName, vmName } from "../../../model/names.ts";
import { isCacheKey } from "../../images/cache-folder.ts";
import { digestOfKey } from "../../images/image-cache.ts";
import { backingOf, DEEPEST } from "../../storage/image-note.ts";
import { untilAborted } from "../parts/deadline.ts";
import type { Parts } from "../parts/parts.ts";

interface Asked {
  readonly done: Promise<void>;
  outcome: Pick<ImageFetch, "state" | "digest" | "bytes" | "totalBytes" | "noop" | "error"> | null;
}

/** For who asks again how it ended: long enough for a client that lost its connection. */
const REMEMBERED_MS = 10 * 60_000;

export class NodeImages {
  readonly #parts: Parts;
  readonly #asked = new Map<string, Asked>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves when it has ended, or after `waitMs` with how far it is. It goes on when its caller goes away. Never rejects for what went wrong with it. */
  async fetch(request: ImageFetchRequest, waitMs: number, signal: AbortSignal): Promise<ImageFetch> {
    const asked = this.#asked.get(request.id) ?? this.#begin(request);
    const patience = AbortSignal.timeout(waitMs);
    await untilAborted(asked.done, AbortSignal.any([patience, signal])).catch(() => signal.throwIfAborted());
    const coming = this.#parts.imageCache.pulling().find(({ name }) => name === request.name);
    if (asked.outcome !== null) return { bytesPerSecond: null, ...asked.outcome };
    return {
      state: coming?.state ?? "fetching",
      digest: coming === undefined ? null : digestOfKey(coming.key),
      bytes: coming?.bytes ?? 0,
      totalBytes: coming?.totalBytes ?? null,
      bytesPerSecond: coming?.bytesPerSecond ?? null,
      noop: false,
      error: null,
    };
  }

  #begin({ id, name, remote, digest }: ImageFetchRequest): Asked {
    const { imageCache, stopping, logger } = this.#parts;
    const known = new Set(imageCache.shown().flatMap(({ digest: each, state }) => (state === "ready" ? [each] : [])));
    const act = async (): Promise<Asked["outcome"]> => {
      try {
        const { key, fetchedBytes } = await imageCache.need(name, remote, digest, stopping);
        const of = digestOfKey(key);
        return {
          state: "ready",
          digest: of,
          bytes: fetchedBytes,
          totalBytes: fetchedBytes,
          noop: known.has(of),
          error: null,
        };
      } catch (error) {
        logger.warn({ err: error, image: name }, "an image could not be fetched");
        return {
          state: "failed",
          digest,
          bytes: 0,
          totalBytes: null,
          noop: false,
          error: toErrorBody(asKnown(name, error)),
        };
      }
    };
    const asked: Asked = {
      outcome: null,
      done: act().then((outcome) => {
        asked.outcome = outcome;
        setTimeout(() => this.#asked.delete(id), REMEMBERED_MS).unref();
      }),
    };
    this.#asked.set(id, asked);
    return asked;
  }

  /** Sorted by digest. Rejects when it cannot be seen who stands on them. */
  async list(): Promise<readonly NodeImage[]> {
    const { imageCache } = this.#parts;
    const [kept, users] = [await imageCache.list(), await this.#users()];
    const here = kept.map(
      (image): NodeImage => ({
        ...{
          key: image.key,
          name: image.name,
          digest: digestOfKey(image.key),
          state: "ready",
          bytes: image.storedBytes,
        },
        ...{
          totalBytes: image.fetchedBytes,
          url: image.url,
          virtualBytes: image.virtualBytes,
          fetchedAt: image.fetchedAt,
        },
        users: users.get(image.key) ?? [],
      }),
    );
    const coming = imageCache.pulling().map(
      ({ key, name, state, bytes, totalBytes }): NodeImage => ({
        ...{ key, name, digest: digestOfKey(key), state, bytes, totalBytes },
        ...{ url: "", virtualBytes: null, fetchedAt: null, users: [] },
      }),
    );
    return [...here, ...coming].sort((a, b) => byName(a.key, b.key));
  }

  /** Removes what nobody stands on, and says of the rest why not. Rejects with STORAGE_FAILED where a disk cannot be looked below: it may stand on any. */
  async prune({ digests, youngerThanSeconds, dryRun }: PruneRequest): Promise<Pruned> {
    const { imageCache, clock } = this.#parts;
    const removed: Pruned["removed"][number][] = [];
    const kept: Pruned["kept"][number][] = [];
    // Before anybody looks below the disks: a disk that is made meanwhile counts.
    const uses = new Map((await imageCache.list()).map(({ key }) => [key, imageCache.usesOf(key)]));
    for (const image of await this.list()) {
      const { name, digest, bytes, users, fetchedAt, state, key } = image;
      if (
        digests !== null &&
        !digests.some((each) => digest.startsWith(each) || digest.split(":")[1]?.startsWith(each))
      )
        continue;
      const ageSeconds = fetchedAt === null ? 0 : (Date.parse(clock.now()) - Date.parse(fetchedAt)) / 1000;
      if (state !== "ready") kept.push({ name, digest, why: "it is being fetched" });
      else if (users.length > 0) kept.push({ name, digest, why: `disks stand on it: ${users.join(", ")}` });
      else if (digests === null && ageSeconds < youngerThanSeconds)
        kept.push({ name, digest, why: "it was fetched just now, and may be for a VM that is about to be made" });
      else if (dryRun || (await imageCache.remove(key, uses.get(key) ?? 0))) removed.push({ name, digest, bytes });
      else kept.push({ name, digest, why: "a disk is being made over it" });
    }
    if (digests === null && !dryRun)
      for (const key of await imageCache.unfinished()) await imageCache.remove(key, imageCache.usesOf(key));
    return { removed, kept };
  }

  /** By the key of an image: the disks that read from it. All files of the disk folders count, whoever's they are and whether a record names them. */
  async #users(): Promise<ReadonlyMap<string, readonly string[]>> {
    const users = new Map<string, string[]>();
    const root = dirname(dirname(this.#parts.store.paths(vmName("x")).diskFolder));
    for (const vm of await namesIn(root)) {
      const disks = join(root, vm, "disks");
      for (const file of await namesIn(disks)) {
        if (!/\.qcow2(\.|$)/.test(file)) continue;
        const keys = await keysBelow(join(disks, file)).catch((error: unknown) => {
          throw new OdoroboError("STORAGE_FAILED", `it cannot be seen what ${join(disks, file)} stands on`, {
            cause: error,
            hint: "nothing is removed: it may stand on any of them",
          });
        });
        for (const key of keys) users.set(key, [...(users.get(key) ?? []), `${vm}/${file.replace(/\.qcow2$/, "")}`]);
      }
    }
    return users;
  }
}

/**
 * The images of a cache that a disk reads from. Known by their keys and not by their paths: a disk names its image with all links followed, or as it was
 * called before the data folder was moved, and it is the same image then. What is gone ends the chain; what was seen of it counts.
 */
async function keysBelow(disk: string): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  let last = disk;
  try {
    for (let depth = 0; ; depth++) {
      const next = await backingOf(last);
      if (next === null) return keys;
      if (depth === DEEPEST) throw new Error(`more than ${DEEPEST} images`);
      const key = basename(dirname(next));
      if (isCacheKey(key)) keys.add(key);
      last = next;
    }
  } catch (error) {
    if (isErrno(error, "ENOENT")) return keys;
    throw error;
  }
}

const asKnown = (name: string, error: unknown): OdoroboError =>
  isOdoroboError(error)
    ? error
    : new OdoroboError("INTERNAL", `the agent failed at fetching ${name}`, {
        cause: error,
        hint: "see the agent's log",
      });

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort(byName);
  } catch (error) {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return [];
    throw error;
  }
}
