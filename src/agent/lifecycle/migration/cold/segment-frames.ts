/**
 * Segments of a disk on their way: what goes over the channel `disk.NAME` of a VM that is off, one frame after another.
 *
 *   send-disks.ts → [segment-frames.ts] ⇄ [segment-frames.ts] → receive-disks.ts
 *
 * A frame, big-endian: u32 index, u32 bytes of the segment, u32 runs, 32 bytes SHA-256 of all of the segment; then each run: u32 offset in the segment,
 * u32 length, bytes. What no run covers is zeros.
 */
import type { Readable } from "node:stream";
import { OdoroboError } from "../../../../model/errors.ts";
import { digestOfBytes, MOST_SEGMENT_BYTES, runsOf } from "../../../storage/disk-segments.ts";

const HEAD_BYTES = 4 + 4 + 4 + 32;
const RUN_BYTES = 4 + 4;

/** Behind the last: whoever reads this has all of it. */
export const END_OF_FRAMES: Buffer = Buffer.alloc(HEAD_BYTES);

/** Pieces to be written in order. Copied: a stream may hold them for longer than it says, and `content` is used again. */
export function toFrame(index: number, content: Buffer, digest: string): Buffer[] {
  const runs = runsOf(content);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(index, 0);
  head.writeUInt32BE(content.length, 4);
  head.writeUInt32BE(runs.length, 8);
  head.write(digest, 12, "base64url");
  const pieces: Buffer[] = [head];
  for (const [at, length] of runs) {
    const run = Buffer.alloc(RUN_BYTES);
    run.writeUInt32BE(at, 0);
    run.writeUInt32BE(length, 4);
    pieces.push(run, Buffer.from(content.subarray(at, at + length)));
  }
  return pieces;
}

/** Each with the content that its digest is of, up to the end that was sent. Rejects with AGENT_PROTOCOL when what came is none, or is not what was sent. */
export async function* readFrames(
  stream: Readable,
): AsyncGenerator<{ readonly index: number; readonly content: Buffer }> {
  const source = new Bytes(stream);
  for (;;) {
    const head = await source.take(HEAD_BYTES);
    const index = head.readUInt32BE(0);
    const bytes = head.readUInt32BE(4);
    if (bytes === 0) return;
    if (bytes > MOST_SEGMENT_BYTES) throw broken(`a segment of ${bytes} bytes`);
    const digest = head.toString("base64url", 12);
    const content = Buffer.alloc(bytes);
    for (let left = head.readUInt32BE(8); left > 0; left--) {
      const run = await source.take(RUN_BYTES);
      const [at, length] = [run.readUInt32BE(0), run.readUInt32BE(4)];
      if (length === 0 || at + length > bytes) throw broken("bytes outside of their segment");
      await source.into(content, at, length);
    }
    if (digestOfBytes(content) !== digest) throw broken("a segment whose bytes are not the ones that were sent");
    yield { index, content };
  }
}

const broken = (what: string): OdoroboError =>
  new OdoroboError("AGENT_PROTOCOL", `what came of a disk is broken: ${what}`, { hint: "it is sent again" });

/** A stream from which so many bytes at a time are taken. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    // Whoever opened it answers on it.
    this.#chunks = stream.iterator({ destroyOnReturn: false });
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = Buffer.alloc(bytes);
    await this.into(taken, 0, bytes);
    return taken;
  }

  async into(target: Buffer, at: number, length: number): Promise<void> {
    for (let have = 0; have < length; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw broken("it ends in the middle");
        this.#rest = next.value;
        continue;
      }
      const some = this.#rest.subarray(0, length - have);
      some.copy(target, at + have);
      this.#rest = this.#rest.subarray(some.length);
      have += some.length;
    }
  }
}
