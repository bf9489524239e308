/**
 * The files of a VM that is off, to the other node: only the segments that are not there yet, each time that it is asked for.
 *
 *   migrate-cold.ts → [send-disks.ts] → segment-frames.ts ⇄ receive-disks.ts
 *
 * Invariant: what is said to be the checksum of a file is that of bytes which stood still while they were read and sent.
 */
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../../model/errors.ts";
import type { MigrationProgress } from "../../../../model/observed-state.ts";
import type { DiskFile } from "../../../../wire/move-line.ts";
import { checksumOf, SegmentReader, segmentBytesFor, segmentsOf } from "../../../storage/disk-segments.ts";
import type { ColdDisk } from "./disk-files.ts";
import { END_OF_FRAMES, toFrame } from "./segment-frames.ts";

export interface DiskRoute {
  /** See `disk-state` in `wire/move-line.ts`. */
  state(file: DiskFile): Promise<readonly (string | null)[]>;
  open(channel: string): Promise<Duplex>;
  readonly signal: AbortSignal;
  /** How files are cut; left out: by how long they are. */
  readonly segmentBytes?: number;
}

export type SentFile = DiskFile & { readonly checksum: string };

/** Counts for one move, over all its attempts. */
export class Toll {
  readonly #bandwidth: number | null;
  readonly #tell: (now: MigrationProgress) => void;
  readonly #begunMs = performance.now();
  sentBytes = 0;
  /** When something was sent, or seen to be there, last. */
  movedAtMs = performance.now();

  constructor(bandwidthMiBps: number | null, tell: (now: MigrationProgress) => void) {
    this.#bandwidth = bandwidthMiBps === null ? null : bandwidthMiBps * 1024 * 1024;
    this.#tell = tell;
  }

  get #seconds(): number {
    return Math.max(0.001, (performance.now() - this.#begunMs) / 1000);
  }

  /** Of a segment: how much of it went over the link, and what is left of all files. */
  async count(bytes: number, remainingBytes: number, signal: AbortSignal): Promise<void> {
    this.sentBytes += bytes;
    this.movedAtMs = performance.now();
    this.#tell({
      stage: "disks",
      sentBytes: this.sentBytes,
      remainingBytes,
      bytesPerSecond: Math.round(this.sentBytes / this.#seconds),
      dirtyBytesPerSecond: null,
    });
    const ahead = this.#bandwidth === null ? 0 : this.sentBytes / this.#bandwidth - this.#seconds;
    if (ahead > 0) await sleep(ahead * 1000, undefined, { signal });
  }
}

/** Rejects with AGENT_UNREACHABLE when the link breaks: then it is asked for again, and goes on where it was. */
export async function sendDisks(
  disks: readonly ColdDisk[],
  { route, toll }: { readonly route: DiskRoute; readonly toll: Toll },
): Promise<readonly SentFile[]> {
  const readers: SegmentReader[] = [];
  try {
    for (const { path } of disks) readers.push(await SegmentReader.open(path));
    const sizes = await Promise.all(readers.map((reader) => reader.size()));
    const sent: SentFile[] = [];
    for (const [index, { name }] of disks.entries()) {
      const later = sizes.slice(index + 1).reduce((sum, bytes) => sum + bytes, 0);
      sent.push(await sendDisk(name, readers[index] as SegmentReader, later, { route, toll }));
    }
    return sent;
  } finally {
    for (const reader of readers) await reader[Symbol.asyncDispose]();
  }
}

async function sendDisk(
  name: string,
  reader: SegmentReader,
  laterBytes: number,
  { route, toll }: { readonly route: DiskRoute; readonly toll: Toll },
): Promise<SentFile> {
  for (;;) {
    const version = await reader.version();
    const bytes = await reader.size();
    const file = { name, bytes, segmentBytes: route.segmentBytes ?? segmentBytesFor(bytes) };
    const there = await route.state(file);
    await reader.lookForHoles();
    const digests: string[] = [];
    let channel: Duplex | null = null;
    try {
      for (const segment of segmentsOf(bytes, file.segmentBytes)) {
        route.signal.throwIfAborted();
        const { content, digest } = await reader.digest(segment);
        digests.push(digest);
        let frameBytes = 0;
        if (there[segment.index] !== digest) {
          channel ??= await route.open(`disk.${name}`);
          for (const piece of toFrame(segment.index, content ?? Buffer.alloc(segment.bytes), digest)) {
            await write(channel, piece, route.signal);
            frameBytes += piece.length;
          }
        }
        await toll.count(frameBytes, bytes - segment.offset - segment.bytes + laterBytes, route.signal);
      }
      if (channel !== null) await conclude(channel, route.signal);
    } finally {
      channel?.destroy();
    }
    // Somebody wrote to it meanwhile, by hand: what of it was sent too early is sent again.
    if ((await reader.version()) === version) return { ...file, checksum: checksumOf(bytes, digests) };
  }
}

/** Resolves when it has gone, and nothing refers to its buffer any more. */
const write = (channel: Duplex, piece: Buffer, signal: AbortSignal): Promise<void> =>
  onChannel(channel, signal, (done) => channel.write(piece, (error) => done(error ?? null)));

/** Resolves when the other node says that it has written all of it. */
async function conclude(channel: Duplex, signal: AbortSignal): Promise<void> {
  await write(channel, END_OF_FRAMES, signal);
  await onChannel(channel, signal, (done) => channel.once("data", () => done(null)));
}

/** Rejects with AGENT_UNREACHABLE when the channel ends first, or with the signal's reason. */
function onChannel(
  channel: Duplex,
  signal: AbortSignal,
  begin: (done: (error: unknown) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      channel.off("close", onClose).off("end", onClose);
      act();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const onClose = () => end(() => reject(broken()));
    channel.once("close", onClose).once("end", onClose);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) return onAbort();
    if (channel.destroyed) return onClose();
    begin((error) => end(() => (error === null ? resolve() : reject(broken(error)))));
  });
}

const broken = (cause?: unknown): OdoroboError =>
  new OdoroboError("AGENT_UNREACHABLE", "the connection for a disk broke", { cause });
