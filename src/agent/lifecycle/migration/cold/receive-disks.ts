/**
 * The files of a VM that comes off: what is there of them, and what comes of them.
 *
 *   arrival-session.ts → [receive-disks.ts] → segment-frames.ts, storage/disk-segments.ts
 *
 * Invariants: nothing is written that is not what was sent. A file has one writer: who comes later ends who came before. Nothing here touches
 * the record: what is half there is nobody's disk until its source has given it.
 */

import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { OdoroboError } from "../../../../model/errors.ts";
import { syncFolder } from "../../../../platform/atomic-write.ts";
import { makeFolders } from "../../../../platform/make-folders.ts";
import type { DiskFile } from "../../../../wire/move-line.ts";
import {
  checksumOf,
  MOST_SEGMENT_BYTES,
  SegmentReader,
  SegmentWriter,
  segmentsOf,
} from "../../../storage/disk-segments.ts";
import { storageError } from "../../../storage-error.ts";
import type { ColdDisk } from "./disk-files.ts";
import { readFrames } from "./segment-frames.ts";

interface Writing {
  readonly stream: Duplex;
  readonly ended: Promise<void>;
}

export class ReceivedDisks {
  readonly #disks: ReadonlyMap<string, ColdDisk>;
  readonly #files = new Map<string, DiskFile>();
  readonly #writing = new Map<string, Writing>();
  /** Why the last one could not be written: a link that breaks says nothing. */
  readonly #failures = new Map<string, unknown>();

  constructor(disks: readonly ColdDisk[]) {
    this.#disks = new Map(disks.map((disk) => [disk.name, disk]));
  }

  /** Rejects with STORAGE_FAILED or INSUFFICIENT_STORAGE, also of what came before. */
  async state(asked: DiskFile, signal: AbortSignal): Promise<readonly (string | null)[]> {
    const { name, bytes, segmentBytes } = asked;
    const disk = this.#diskOf(name);
    if (!(segmentBytes > 0 && segmentBytes <= MOST_SEGMENT_BYTES && bytes >= 0))
      throw new OdoroboError("BAD_REQUEST", `disk ${name} is cut into segments of ${segmentBytes} bytes`);
    await this.#endWriting(name);
    const failure = this.#failures.get(name);
    this.#failures.delete(name);
    if (failure !== undefined) throw storageError(`could not write ${disk.path}`, failure);
    this.#files.set(name, asked);
    try {
      await makeFolders(dirname(disk.path));
      await using file = await SegmentWriter.open(disk.path);
      const there = await file.size();
      if (there > bytes) await file.resize(bytes);
      return await digestsOf(disk.path, asked, there, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw storageError(`could not look at ${disk.path}`, error);
    }
  }

  /** Throws BAD_REQUEST for a channel that is none of its disks'. */
  letIn(channel: string, keep: (stream: Duplex) => Duplex): (stream: Duplex) => void {
    const { name } = this.#diskOf(/^disk\.(.+)$/.exec(channel)?.[1] ?? "");
    return (stream) => {
      stream.on("error", () => {});
      const before = this.#endWriting(name);
      const ended = before.then(() => this.#write(name, keep(stream))).finally(() => stream.destroy());
      this.#writing.set(name, { stream, ended: ended.catch(() => {}) });
    };
  }

  /** All of it is there, on the disk, and is what was sent. Rejects with MIGRATION_FAILED when it is not, STORAGE_FAILED … */
  async verify(files: readonly (DiskFile & { readonly checksum: string })[], signal: AbortSignal): Promise<void> {
    const told = new Map(files.map((file) => [file.name, file]));
    for (const disk of this.#disks.values()) {
      const file = told.get(disk.name);
      if (file === undefined) throw new OdoroboError("BAD_REQUEST", `nothing is said of disk ${disk.name}`);
      await this.#endWriting(disk.name);
      await this.#flush(disk, file, signal);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writing.keys()].map((name) => this.#endWriting(name)));
  }

  async #flush(disk: ColdDisk, asked: DiskFile & { readonly checksum: string }, signal: AbortSignal): Promise<void> {
    const { bytes, checksum } = asked;
    let isSame: boolean;
    try {
      await using file = await SegmentWriter.open(disk.path);
      if ((await file.size()) !== bytes) await file.resize(bytes);
      const digests = await digestsOf(disk.path, asked, bytes, signal);
      isSame = checksumOf(bytes, digests as readonly string[]) === checksum;
      await file.flush();
      await syncFolder(dirname(disk.path));
    } catch (error) {
      signal.throwIfAborted();
      throw storageError(`could not read ${disk.path} again`, error);
    }
    if (!isSame)
      throw new OdoroboError(
        "MIGRATION_FAILED",
        `disk ${disk.name} is not here as it was sent: its checksum is another`,
        {
          hint: "is something else writing to that file, or is the storage of this node broken?",
        },
      );
  }

  async #write(name: string, stream: Duplex): Promise<void> {
    const asked = this.#files.get(name);
    if (asked === undefined) throw new OdoroboError("WRONG_PHASE", `nobody asked what is there of disk ${name}`);
    await using file = await SegmentWriter.open(this.#diskOf(name).path);
    for await (const { index, content } of readFrames(stream)) {
      const offset = index * asked.segmentBytes;
      if (content.length > asked.segmentBytes || offset + content.length > asked.bytes)
        throw new OdoroboError("AGENT_PROTOCOL", `bytes behind the end of disk ${name} came`);
      try {
        await file.write({ index, offset, bytes: content.length }, content);
      } catch (error) {
        this.#failures.set(name, error);
        throw error;
      }
    }
    stream.write(DONE);
    await new Promise<void>((resolve) => stream.once("close", resolve));
  }

  async #endWriting(name: string): Promise<void> {
    const writing = this.#writing.get(name);
    if (writing === undefined) return;
    writing.stream.destroy();
    await writing.ended;
    if (this.#writing.get(name) === writing) this.#writing.delete(name);
  }

  #diskOf(name: string): ColdDisk {
    const disk = this.#disks.get(name);
    if (disk !== undefined) return disk;
    throw new OdoroboError("BAD_REQUEST", `no disk ${JSON.stringify(name)} of it comes here`);
  }
}

const DONE = Buffer.from([1]);

/** Of a file of which `there` bytes are: what begins behind them is not there. */
async function digestsOf(
  path: string,
  { bytes, segmentBytes }: DiskFile,
  there: number,
  signal: AbortSignal,
): Promise<(string | null)[]> {
  await using reader = await SegmentReader.open(path);
  await reader.lookForHoles();
  const digests: (string | null)[] = [];
  for (const segment of segmentsOf(bytes, segmentBytes)) {
    signal.throwIfAborted();
    digests.push(segment.offset >= there ? null : (await reader.digest(segment)).digest);
  }
  return digests;
}
