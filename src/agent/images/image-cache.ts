/**
 * The images that an agent keeps: each is fetched once, whoever asks and however many, and stays until somebody prunes it.
 *
 *   storage/disk-storage.ts, http/routes/images.ts → [image-cache.ts] → pull-image.ts, cache-folder.ts
 */

import type { ImageAnswer } from "../../model/boot/boot-needs.ts";
import { OdoroboError } from "../../model/errors.ts";
import { byName, type Instant } from "../../model/names.ts";
import type { CachedImage } from "../../model/observed-state.ts";
import {
  type Architecture,
  cacheKey,
  type ImageChecksum,
  type ImageSource,
  isChecksumsFile,
  type RemoteImage,
  remoteKey,
  sourceFor,
} from "../../model/remote-image.ts";
import { CacheFolder, isCacheKey, type KeptImage } from "./cache-folder.ts";
import { fetchChecksum } from "./checksums-file.ts";
import { openUrl, refused } from "./open-url.ts";
import { Pace } from "./pace.ts";
import { type PullProgress, pullImage } from "./pull-image.ts";

export interface ImageSettings {
  /** Of all that is fetched; null: as much as there is. */
  readonly bytesPerSecond: number | null;
  /** Redirects may lead into private networks though the source is not in one. */
  readonly allowPrivate: boolean;
}

export const DEFAULT_IMAGE_SETTINGS: ImageSettings = { bytesPerSecond: null, allowPrivate: false };

export interface ImageCacheOptions extends ImageSettings {
  readonly dataFolder: string;
  readonly now: () => Instant;
  /** Aborted when the agent stops. */
  readonly stopping: AbortSignal;
  /** What stays free on the disk while an image is brought. Left out: 256 MiB. */
  readonly reserveBytes?: number;
  /** Left out: of this process. */
  readonly architecture?: Architecture;
}

export interface PullState extends PullProgress {
  readonly key: string;
  readonly name: string;
}

interface UnderWay {
  readonly name: string;
  readonly progress: PullProgress;
  readonly done: Promise<KeptImage>;
}

/** Fetched at the same moment: more only make each slower. */
const AT_A_TIME = 2;
/** For records, and what guests write meanwhile. */
const RESERVE_BYTES = 256 * 1024 * 1024;
/** For how long a look at a source may take: a plan waits for it. */
const LOOK_MS = 5_000;

export class ImageCache {
  readonly #options: ImageCacheOptions;
  readonly #folder: CacheFolder;
  readonly #pace: Pace;
  readonly #underWay = new Map<string, UnderWay>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  /** Images that somebody is about to put a disk over. */
  readonly #held = new Map<string, number>();
  readonly #uses = new Map<string, number>();
  /** Those who have not said yet which they will use. */
  #choosing = 0;
  #names: Record<string, string> = {};
  #kept: readonly KeptImage[] = [];

  private constructor(options: ImageCacheOptions) {
    this.#options = options;
    this.#folder = new CacheFolder(options.dataFolder);
    this.#pace = new Pace(options.bytesPerSecond);
  }

  static async open(options: ImageCacheOptions): Promise<ImageCache> {
    const cache = new ImageCache(options);
    await cache.#folder.sweep();
    cache.#names = await cache.#folder.readNames();
    cache.#kept = await cache.#folder.list();
    return cache;
  }

  get path(): string {
    return this.#folder.path;
  }

  /**
   * What fetching it would take. A source that does not answer is no answer to whether it can be fetched: `bytes` is null then. Rejects with
   * IMAGE_REFUSED, IMAGE_FETCH_FAILED or UNSUPPORTED.
   */
  async look(remote: RemoteImage, signal: AbortSignal): Promise<ImageAnswer> {
    const source = this.#sourceOf(remote);
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    const checksum = await this.#checksumOf(source, within);
    const key = cacheKey(checksum, source.compression, remote.format);
    const kept = await this.#folder.find(key);
    const digest = `${checksum.algorithm}:${checksum.digest}`;
    const rate = await this.#measuredRate();
    if (kept !== null) {
      await this.#note(remote, key);
      return { digest, present: true, bytes: kept.fetchedBytes, virtualBytes: kept.virtualBytes, bytesPerSecond: rate };
    }
    const bytes = await this.#sizeOf(source, within).catch(() => null);
    signal.throwIfAborted();
    return { digest, present: false, bytes, virtualBytes: null, bytesPerSecond: rate };
  }

  /**
   * Resolves when it is here: fetched, or found. `digest` (`sha256:…`): that one and no other, whatever the checksums say by now. Who goes away
   * stops nothing. Rejects with IMAGE_REFUSED, IMAGE_FETCH_FAILED, UNSUPPORTED, INSUFFICIENT_STORAGE, STORAGE_FAILED or AGENT_STOPPING.
   */
  async need(name: string, remote: RemoteImage, digest: string | null, signal: AbortSignal): Promise<KeptImage> {
    const source = this.#sourceOf(remote);
    const checksum = digest === null ? await this.#checksumOf(source, signal) : parseDigest(digest);
    const key = cacheKey(checksum, source.compression, remote.format);
    const kept =
      (await this.#folder.find(key)) ?? (await untilAborted(this.#pull(key, name, remote, source, checksum), signal));
    await this.#note(remote, key);
    return kept;
  }

  /** What a disk over it would be put over now, without asking anybody: null where it is not here. */
  async find(remote: RemoteImage): Promise<KeptImage | null> {
    const source = sourceFor(remote, this.#architecture);
    if (source === null) return null;
    const { checksum } = source;
    const key = isChecksumsFile(checksum)
      ? this.#names[remoteKey(remote)]
      : cacheKey(checksum, source.compression, remote.format);
    return key === undefined ? null : await this.#folder.find(key);
  }

  /** As `need` resolves, or what is here of it; while `use` runs nobody prunes it. */
  async hold<Result>(
    name: string,
    remote: RemoteImage,
    signal: AbortSignal,
    use: (image: KeptImage) => Promise<Result>,
  ): Promise<Result> {
    this.#choosing++;
    const image = await this.#choose(name, remote, signal).finally(() => this.#choosing--);
    this.#held.set(image.key, (this.#held.get(image.key) ?? 0) + 1);
    this.#uses.set(image.key, this.usesOf(image.key) + 1);
    try {
      return await use(image);
    } finally {
      const left = (this.#held.get(image.key) ?? 1) - 1;
      if (left === 0) this.#held.delete(image.key);
      else this.#held.set(image.key, left);
    }
  }

  async #choose(name: string, remote: RemoteImage, signal: AbortSignal): Promise<KeptImage> {
    return (await this.find(remote)) ?? (await this.need(name, remote, null, signal));
  }

  /** For the report: what is here, and what comes. Sorted by digest. */
  shown(): readonly CachedImage[] {
    const coming = this.pulling().map(({ key, name, state, bytes, totalBytes }) => ({
      ...{ name, digest: digestOfKey(key), state, bytes, totalBytes },
    }));
    const here = this.#kept.map(({ key, name, storedBytes, fetchedBytes }) => ({
      ...{ name, digest: digestOfKey(key), state: "ready" as const, bytes: storedBytes, totalBytes: fetchedBytes },
    }));
    return [...here, ...coming].sort((a, b) => byName(a.digest, b.digest) || byName(a.name, b.name));
  }

  /** Of the files of all that are here. */
  paths(): readonly string[] {
    return this.#kept.map(({ path }) => path);
  }

  /** What is being fetched, and how far that is. */
  pulling(): readonly PullState[] {
    return [...this.#underWay].map(([key, { name, progress }]) => ({ key, name, ...progress }));
  }

  list(): Promise<readonly KeptImage[]> {
    return this.#folder.list();
  }

  async unfinished(): Promise<readonly string[]> {
    return (await this.#folder.unfinished()).filter((key) => !this.#underWay.has(key));
  }

  /** How often disks were put over it, or were about to be: the same number twice means nobody did in between. */
  usesOf(key: string): number {
    return this.#uses.get(key) ?? 0;
  }

  /** False: somebody is about to use it, or has since there were `uses`. Disks that stand on it are the caller's to look for. */
  async remove(key: string, uses: number): Promise<boolean> {
    if (!isCacheKey(key)) throw new OdoroboError("BAD_REQUEST", "that names no image of the cache");
    if (this.#choosing > 0 || this.#held.has(key) || this.#underWay.has(key) || this.usesOf(key) !== uses) return false;
    if ((await this.#folder.find(key)) === null) await this.#folder.discard(key);
    else await this.#folder.remove(key);
    this.#kept = await this.#folder.list();
    return true;
  }

  /** Resolves when nothing is fetched any more, after `stopping`. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#underWay.values()].map(({ done }) => done));
  }

  #pull(
    key: string,
    name: string,
    remote: RemoteImage,
    source: ImageSource,
    checksum: ImageChecksum,
  ): Promise<KeptImage> {
    const known = this.#underWay.get(key);
    if (known !== undefined) return known.done;
    const progress: PullProgress = { state: "fetching", bytes: 0, totalBytes: null, bytesPerSecond: null };
    const { allowPrivate, now, stopping: signal, reserveBytes = RESERVE_BYTES } = this.#options;
    const pull = {
      key,
      name,
      source,
      checksum,
      format: remote.format,
      progress,
      allowPrivate,
      now,
      signal,
      reserveBytes,
    };
    const done = this.#inTurn(async () => {
      const kept = await pullImage({ ...pull, folder: this.#folder, pace: this.#pace });
      this.#kept = await this.#folder.list();
      return kept;
    }).finally(() => this.#underWay.delete(key));
    done.catch(() => {});
    this.#underWay.set(key, { name, progress, done });
    return done;
  }

  async #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    if (this.#busy < AT_A_TIME) this.#busy++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      this.#options.stopping.throwIfAborted();
      return await act();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }

  get #architecture(): Architecture {
    return this.#options.architecture ?? (process.arch === "arm64" ? "aarch64" : "x86_64");
  }

  #sourceOf(remote: RemoteImage): ImageSource {
    const source = sourceFor(remote, this.#architecture);
    if (source !== null) return source;
    throw new OdoroboError("UNSUPPORTED", `there is no source for ${this.#architecture}, which this node is`, {
      hint: "add it to architectures in the manifest of the Image",
    });
  }

  async #checksumOf({ checksum }: ImageSource, signal: AbortSignal): Promise<ImageChecksum> {
    if (!isChecksumsFile(checksum)) return checksum;
    return await fetchChecksum(checksum, { allowPrivate: this.#options.allowPrivate, signal });
  }

  async #sizeOf({ urls }: ImageSource, signal: AbortSignal): Promise<number | null> {
    const options = { from: 0, etag: null, allowPrivate: this.#options.allowPrivate, signal, method: "HEAD" } as const;
    for (const url of urls) {
      const opened = await openUrl(url, options).catch(() => null);
      if (opened === null) continue;
      await using answer = opened;
      return answer.totalBytes;
    }
    return null;
  }

  /** Of what was fetched last. */
  async #measuredRate(): Promise<number | null> {
    const all = await this.#folder.list();
    const measured = all.filter(({ bytesPerSecond }) => bytesPerSecond !== null);
    return measured.sort((a, b) => (a.fetchedAt < b.fetchedAt ? 1 : -1))[0]?.bytesPerSecond ?? null;
  }

  async #note(remote: RemoteImage, key: string): Promise<void> {
    const name = remoteKey(remote);
    if (this.#names[name] === key) return;
    this.#names = { ...this.#names, [name]: key };
    await this.#folder.writeNames(this.#names);
  }
}

/** `sha256:…`. */
export const digestOfKey = (key: string): string => key.replace(/^(sha\d+)-([0-9a-f]+).*$/, "$1:$2");

function parseDigest(text: string): ImageChecksum {
  const [, algorithm, digest] = /^(sha256|sha512):([0-9a-f]{64}|[0-9a-f]{128})$/.exec(text) ?? [];
  if (algorithm === undefined || digest === undefined) throw refused(`${text} is no digest`, "make a new plan");
  return { algorithm: algorithm as ImageChecksum["algorithm"], digest };
}

function untilAborted<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([result, promise]).finally(() => signal.removeEventListener("abort", abort));
}
