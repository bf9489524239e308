/**
 * The file of a disk that goes to another node, in segments: what is compared, sent and verified as one.
 *
 * A digest is of the bytes as a reader sees them: a hole and written zeros are the same. So two files with the same digests read alike,
 * however they lie on their disks.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { dataExtents } from "./qemu-img.ts";

/** Small enough to hold a few at each end, large enough that 1 TiB has 131,072 digests. */
export const SEGMENT_BYTES = 8 * 1024 * 1024;
/** What an end takes in one piece. */
export const MOST_SEGMENT_BYTES = 64 * 1024 * 1024;
/** Their digests go in one message. */
const MOST_SEGMENTS = 1_000_000;
/** What is zeros from end to end is left out: the unit in which most file systems make holes, times sixteen. */
const BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

export interface Segment {
  readonly index: number;
  readonly offset: number;
  readonly bytes: number;
}

/** How a file of this length is cut. */
export const segmentBytesFor = (fileBytes: number): number =>
  SEGMENT_BYTES * Math.max(1, Math.ceil(fileBytes / SEGMENT_BYTES / MOST_SEGMENTS));

/** Pure. In order; none of an empty file. */
export function* segmentsOf(fileBytes: number, segmentBytes: number): Generator<Segment> {
  for (let index = 0, offset = 0; offset < fileBytes; index++, offset += segmentBytes)
    yield { index, offset, bytes: Math.min(segmentBytes, fileBytes - offset) };
}

export const digestOfBytes = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64url");

const zeroDigests = new Map<number, string>();

/** Segments are of few lengths. */
function digestOfZeros(bytes: number): string {
  const known = zeroDigests.get(bytes);
  if (known !== undefined) return known;
  const digest = digestOfBytes(Buffer.alloc(bytes));
  if (zeroDigests.size < 64) zeroDigests.set(bytes, digest);
  return digest;
}

/** Of a whole disk, by the digests of its segments in order. */
export const checksumOf = (fileBytes: number, digests: readonly string[]): string =>
  createHash("sha256")
    .update(`${fileBytes}\n${digests.join("\n")}`)
    .digest("hex");

/** Runs in which the two differ: offset and length, in whole blocks. `other` left out: zeros. */
export function runsOf(content: Buffer, other: Buffer | null = null): (readonly [at: number, length: number])[] {
  const runs: [number, number][] = [];
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, content.length - at);
    const from = other === null ? 0 : at;
    if (content.compare(other ?? ZEROS, from, from + length, at, at + length) === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === at) last[1] += length;
    else runs.push([at, length]);
  }
  return runs;
}

/** Below that, reading zeros is quicker than asking where they are. */
const WORTH_ASKING_BYTES = 64 * 1024 * 1024;

/** A file that is read a segment at a time. Bytes behind its end are zeros. */
export class SegmentReader implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #extents: readonly (readonly [start: number, length: number])[] | null = null;
  #buffer: Buffer = Buffer.alloc(0);

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Rejects as the file system does. */
  static async open(path: string): Promise<SegmentReader> {
    return new SegmentReader(path, await open(path, "r"));
  }

  /** So that holes are not read. Again whenever somebody may have written to the file. */
  async lookForHoles(): Promise<void> {
    const { size, blocks } = await this.#file.stat();
    this.#extents = size - blocks * 512 < WORTH_ASKING_BYTES ? null : await dataExtents(this.#path);
  }

  /** With its digest. The content is valid until the next call; null: all of it is zeros. */
  async digest(segment: Segment): Promise<{ readonly content: Buffer | null; readonly digest: string }> {
    if (this.#isHole(segment)) return { content: null, digest: digestOfZeros(segment.bytes) };
    const content = await this.read(segment);
    return { content, digest: digestOfBytes(content) };
  }

  #isHole({ offset, bytes }: Segment): boolean {
    if (this.#extents === null) return false;
    // The first that ends behind the beginning of the segment: they are in order.
    let [low, high] = [0, this.#extents.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const [start, length] = this.#extents[middle] ?? [0, 0];
      if (start + length <= offset) low = middle + 1;
      else high = middle;
    }
    const next = this.#extents[low];
    return next === undefined || next[0] >= offset + bytes;
  }

  /** Valid until the next call. */
  async read({ offset, bytes }: Segment): Promise<Buffer> {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafe(bytes);
    let have = 0;
    while (have < bytes) {
      const { bytesRead } = await this.#file.read(this.#buffer, have, bytes - have, offset + have);
      if (bytesRead === 0) break;
      have += bytesRead;
    }
    this.#buffer.fill(0, have, bytes);
    return this.#buffer.subarray(0, bytes);
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /** By which it is seen that somebody wrote to it meanwhile. */
  async version(): Promise<string> {
    const { ino, size, mtimeNs, ctimeNs } = await this.#file.stat({ bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** A file that is brought to be like another, a segment at a time; made if it is not there. */
export class SegmentWriter implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<SegmentWriter> {
    try {
      return new SegmentWriter(await open(path, "r+"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return new SegmentWriter(await open(path, "wx+", 0o600));
    }
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /** What is beyond is gone, what was not there are zeros. */
  async resize(bytes: number): Promise<void> {
    await this.#file.truncate(bytes);
  }

  /** `content` is all of the segment. Only what differs is written, so that holes stay holes. */
  async write({ offset, bytes }: Segment, content: Buffer): Promise<void> {
    const size = await this.size();
    if (size < offset + bytes) await this.#file.truncate(offset + bytes);
    const before = Buffer.alloc(bytes);
    for (let have = 0; have < bytes && offset + have < size; ) {
      const { bytesRead } = await this.#file.read(before, have, bytes - have, offset + have);
      if (bytesRead === 0) break;
      have += bytesRead;
    }
    for (const [at, length] of runsOf(content, before))
      await this.#writeAll(content.subarray(at, at + length), offset + at);
  }

  async flush(): Promise<void> {
    await this.#file.datasync();
  }

  async #writeAll(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
