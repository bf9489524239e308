/** Writes a stream of bytes to a file; where they are zero it leaves a hole, so that an empty disk takes no room. */
import { type FileHandle, open } from "node:fs/promises";

/** Holes are found in pieces of this size: as large as a cluster of qcow2, and cheap to compare. */
const BLOCK_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
/** Written at a time. */
const BUFFER_BYTES = 1024 * 1024;

export class SparseFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #filled = 0;
  /** Of the first byte in the buffer. Always at the edge of a block, but for what was there before. */
  #at: number;

  private constructor(file: FileHandle, at: number) {
    this.#file = file;
    this.#at = at;
  }

  /** `from`: what is there already stays, up to there, and is gone behind. */
  static async open(path: string, from = 0): Promise<SparseFile> {
    const file = await open(path, from === 0 ? "w" : "r+", 0o600);
    if (from > 0) await file.truncate(from);
    return new SparseFile(file, from);
  }

  /** All that was given. */
  get bytes(): number {
    return this.#at + this.#filled;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + BUFFER_BYTES - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === BUFFER_BYTES) await this.#flush();
    }
  }

  /** Durable, and as long as what was given, when it resolves. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#file.truncate(this.#at);
    await this.#file.sync();
  }

  async #flush(): Promise<void> {
    let start = 0;
    for (let at = 0; at < this.#filled; at += BLOCK_BYTES) {
      const end = Math.min(at + BLOCK_BYTES, this.#filled);
      if (!this.#buffer.subarray(at, end).equals(ZEROS.subarray(0, end - at))) continue;
      await this.#put(start, at);
      start = end;
    }
    await this.#put(start, this.#filled);
    this.#at += this.#filled;
    this.#filled = 0;
  }

  async #put(start: number, end: number): Promise<void> {
    for (let at = start; at < end; ) {
      const { bytesWritten } = await this.#file.write(this.#buffer, at, end - at, this.#at + at);
      at += bytesWritten;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }
}
