/** The last bytes of a serial line, for those who come late. */

/** Most guests say a few lines and then nothing for weeks: a hundred of them should not cost a hundred full rings. */
const FIRST_BYTES = 4 * 1024;

export class Scrollback {
  readonly #limit: number;
  #ring = Buffer.alloc(0);
  /** Where the next byte goes. */
  #end = 0;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(bytes: Buffer): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - this.#limit));
    this.#makeRoomFor(kept.length);
    const first = Math.min(kept.length, this.#ring.length - this.#end);
    kept.copy(this.#ring, this.#end, 0, first);
    kept.copy(this.#ring, 0, first);
    if (kept.length > 0) this.#end = (this.#end + kept.length) % this.#ring.length;
    this.#size = Math.min(this.#size + kept.length, this.#limit);
  }

  /** A copy. */
  bytes(): Buffer {
    const start = this.#end - this.#size;
    if (start >= 0) return Buffer.from(this.#ring.subarray(start, this.#end));
    return Buffer.concat([this.#ring.subarray(this.#ring.length + start), this.#ring.subarray(0, this.#end)]);
  }

  #makeRoomFor(more: number): void {
    const needed = Math.min(this.#limit, this.#size + more);
    if (needed <= this.#ring.length) return;
    let length = Math.max(FIRST_BYTES, this.#ring.length);
    while (length < needed) length *= 2;
    const ring = Buffer.alloc(Math.min(length, this.#limit));
    const kept = this.bytes();
    kept.copy(ring);
    this.#end = kept.length % ring.length;
    this.#ring = ring;
  }
}

/** `live` without what already stands at the end of `earlier`: two views of one line that overlap by a moment. */
export function withoutOverlap(earlier: Buffer, live: Buffer): Buffer {
  for (let length = Math.min(earlier.length, live.length); length > 0; length--) {
    if (earlier.subarray(earlier.length - length).equals(live.subarray(0, length))) return live.subarray(length);
  }
  return live;
}
