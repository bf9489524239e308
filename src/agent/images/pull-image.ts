/**
 * One image from its source into the cache: fetched, compared with its checksum, unpacked and made raw, then shown.
 *
 *   image-cache.ts → [pull-image.ts] → read-source.ts, unpack.ts, sparse-file.ts
 *
 * Bytes are hashed as they come, unpacked in the same stream, and written with their holes. Nothing of it has its final name before all of it was
 * right. What came of a file that is not packed outlives the agent; the rest is begun anew.
 */
import { createHash, type Hash } from "node:crypto";
import { chmod, open, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import type { Instant } from "../../model/names.ts";
import type { ImageChecksum, ImageFormat, ImageSource } from "../../model/remote-image.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";
import { checkImage } from "../storage/check-format.ts";
import { checkWhole, convertToRaw, rawBytesNeeded } from "../storage/qemu-img.ts";
import { isNoRoom, storageError } from "../storage-error.ts";
import type { CacheFolder, KeptImage } from "./cache-folder.ts";
import { refused } from "./open-url.ts";
import type { Pace } from "./pace.ts";
import { OtherFile, SourceReader } from "./read-source.ts";
import { SparseFile } from "./sparse-file.ts";
import { unpack } from "./unpack.ts";

export interface PullProgress {
  state: "fetching" | "converting";
  bytes: number;
  totalBytes: number | null;
  /** Of what came since it was begun. */
  bytesPerSecond: number | null;
}

export interface Pull {
  readonly key: string;
  readonly name: string;
  readonly source: ImageSource;
  readonly checksum: ImageChecksum;
  readonly format: ImageFormat;
  readonly folder: CacheFolder;
  readonly pace: Pace;
  readonly allowPrivate: boolean;
  readonly now: () => Instant;
  /** What stays free for records and guests' own writes while an image is brought. */
  readonly reserveBytes: number;
  readonly progress: PullProgress;
  readonly signal: AbortSignal;
}

/** Rejects with IMAGE_REFUSED, IMAGE_FETCH_FAILED, UNSUPPORTED, INSUFFICIENT_STORAGE or STORAGE_FAILED; nothing of it can be used then. */
export async function pullImage(pull: Pull): Promise<KeptImage> {
  const folder = await pull.folder.make(pull.key);
  try {
    const startMs = performance.now();
    const fetched = await fetchWhole(pull, folder, startMs);
    pull.progress.state = "converting";
    const virtualBytes = await toImage(pull, folder);
    const file = join(folder, "image.raw");
    await chmod(file, 0o444);
    await syncFile(file);
    for (const leftover of ["download", "download.json", "content"]) await rm(join(folder, leftover), { force: true });
    await pull.folder.publish(pull.key, {
      name: pull.name,
      url: pull.source.urls[0] as string,
      fetchedBytes: fetched.bytes,
      virtualBytes,
      fetchedAt: pull.now(),
      bytesPerSecond: fetched.bytesPerSecond,
    });
    return (await pull.folder.find(pull.key)) as KeptImage;
  } catch (error) {
    pull.signal.throwIfAborted();
    // What came of it may go on later, but not where it was wrong, or where there is no room for it.
    const isCut = error instanceof OdoroboError && error.code === "IMAGE_FETCH_FAILED";
    if (!isCut) await pull.folder.discard(pull.key);
    throw explain(pull, error);
  }
}

function explain({ name, folder }: Pull, error: unknown): unknown {
  if (error instanceof OdoroboError)
    return new OdoroboError(error.code, `image ${name}: ${error.message}`, { cause: error.cause, hint: error.hint });
  if (isNoRoom(error) || typeof (error as NodeJS.ErrnoException).syscall === "string")
    return storageError(`image ${name} could not be kept in ${folder.path}`, error);
  return new OdoroboError("IMAGE_FETCH_FAILED", `image ${name}: ${(error as Error).message}`, {
    cause: error,
    hint: "can this node reach it? what came already is kept, and fetching goes on from there",
  });
}

interface Fetched {
  readonly bytes: number;
  readonly bytesPerSecond: number | null;
}

/** Until what came has the right checksum. Pieces of several answers that do not fit together are fetched once more, in one. */
async function fetchWhole(pull: Pull, folder: string, startMs: number): Promise<Fetched> {
  const { checksum, source, progress } = pull;
  let resume = true;
  let urls = source.urls;
  for (let begun = 1; ; begun++) {
    const found = resume ? await findDownload(pull, folder) : null;
    const from = found?.bytes ?? 0;
    const reader = new SourceReader({
      ...{
        urls,
        from,
        etag: found?.etag ?? null,
        allowPrivate: pull.allowPrivate,
        pace: pull.pace,
        signal: pull.signal,
      },
      onAnswer: (answer) => onAnswer(pull, folder, from, answer),
    });
    const hash = found?.hash ?? createHash(checksum.algorithm);
    try {
      const bytes = await receive(pull, folder, reader, hash, from, startMs);
      const digest = hash.digest("hex");
      if (digest === checksum.digest) return { bytes, bytesPerSecond: progress.bytesPerSecond };
      if (!reader.pieced && urls.length === 1) throw wrongBytes(pull, digest);
      // Not pieced: this mirror has another file. Pieced: nobody knows which answer was wrong.
      if (!reader.pieced) urls = urls.slice(1);
      else if (begun > MOST_BEGINNINGS) throw wrongBytes(pull, digest);
    } catch (error) {
      if (!(error instanceof OtherFile)) throw error;
      if (begun > MOST_BEGINNINGS)
        throw refused(`${error.message}, again and again`, "is it written anew just now? fetch it later");
    }
    resume = false;
    await rm(join(folder, "download.json"), { force: true });
  }
}

const MOST_BEGINNINGS = 3;

const wrongBytes = ({ checksum, source }: Pull, digest: string): OdoroboError =>
  refused(
    `${source.urls.at(-1)} has the ${checksum.algorithm} ${digest}, and should have ${checksum.digest}`,
    "nothing of it is used. Is there a newer file at that place? then its site tells another checksum; if not, do not use it",
  );

/** Into `download`, or unpacked into `content`. Resolves with how many bytes came in all. */
async function receive(
  { source, progress, reserveBytes, signal }: Pull,
  folder: string,
  reader: SourceReader,
  hash: Hash,
  from: number,
  startMs: number,
): Promise<number> {
  progress.bytes = from;
  const counted = async function* () {
    for await (const chunk of reader.bytes()) {
      hash.update(chunk);
      progress.bytes += chunk.length;
      const seconds = (performance.now() - startMs) / 1000;
      if (seconds > 0.1) progress.bytesPerSecond = Math.round((progress.bytes - from) / seconds);
      yield chunk;
    }
  };
  const file = join(folder, source.compression === "none" ? "download" : "content");
  await using sparse = await SparseFile.open(file, from);
  await unpack(
    counted(),
    source.compression,
    async (bytes) => {
      let sinceLook = 0;
      for await (const chunk of bytes) {
        await sparse.write(chunk);
        sinceLook += chunk.length;
        // What is packed tells its size only when it is there.
        if (source.compression === "none" || sinceLook < LOOK_EVERY_BYTES) continue;
        sinceLook = 0;
        await needRoom(folder, 0, reserveBytes);
      }
    },
    signal,
  );
  await sparse.end();
  return progress.bytes;
}

const LOOK_EVERY_BYTES = 256 * 1024 * 1024;

/** Before its bytes are taken: is there room, and what must be known to go on with it. */
async function onAnswer(
  { progress, source, reserveBytes }: Pull,
  folder: string,
  from: number,
  { totalBytes, etag }: { readonly totalBytes: number | null; readonly etag: string | null },
): Promise<void> {
  progress.totalBytes = totalBytes;
  await needRoom(folder, Math.max(0, (totalBytes ?? 0) - Math.max(from, progress.bytes)), reserveBytes);
  if (source.compression === "none") await writeFileAtomically(join(folder, "download.json"), JSON.stringify({ etag }));
}

interface FoundDownload {
  readonly bytes: number;
  readonly etag: string | null;
  readonly hash: Hash;
}

/** What an earlier agent, or an earlier try, got of it; null: nothing that can be gone on with. */
async function findDownload({ checksum, source, signal }: Pull, folder: string): Promise<FoundDownload | null> {
  if (source.compression !== "none") return null;
  const path = join(folder, "download");
  try {
    const { etag } = JSON.parse(await readFile(join(folder, "download.json"), "utf8")) as { etag: string | null };
    // The end of it may be a hole that was not written any more.
    const bytes = (await stat(path)).size;
    if (bytes === 0) return null;
    const hash = createHash(checksum.algorithm);
    const file = await open(path, "r");
    try {
      for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
        signal.throwIfAborted();
        hash.update(chunk as Uint8Array);
      }
    } finally {
      await file.close();
    }
    return { bytes, etag, hash };
  } catch (error) {
    if (isErrno(error, "ENOENT") || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** From what was verified to `image.raw`. Resolves with how large it is for a guest. */
async function toImage(pull: Pull, folder: string): Promise<number> {
  const content = join(folder, pull.source.compression === "none" ? "download" : "content");
  const bytes = await checkImage(pull.name, content, pull.format);
  const image = join(folder, "image.raw");
  if (pull.format === "raw") await rename(content, image);
  else {
    await checkWhole(content, pull.signal);
    await needRoom(folder, await rawBytesNeeded(content, pull.signal), pull.reserveBytes);
    await convertToRaw(content, image, pull.signal);
  }
  return bytes;
}

/** Rejects with INSUFFICIENT_STORAGE. */
async function needRoom(folder: string, bytes: number, reserveBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes + reserveBytes) return;
  const mib = (count: number) => Math.ceil(count / 1024 ** 2);
  throw new OdoroboError(
    "INSUFFICIENT_STORAGE",
    `it needs ${mib(bytes)} MiB more and ${mib(reserveBytes)} MiB stay free; there are ${mib(free)} MiB in ${folder}`,
    { hint: "make room on the node: odorobo image prune removes images that no disk stands on" },
  );
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
