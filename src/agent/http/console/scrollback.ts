/** The last bytes of a serial line, for those who come late. */
export class Scrollback {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    // A terminal sends bytes one at a time: many small chunks are joined, so that they do not cost more than they hold.
    if (this.#size > 2 * this.#limit || this.#chunks.length > 1_024) this.#chunks = [this.bytes()];
    this.#size = this.#chunks.reduce((size, chunk) => size + chunk.length, 0);
  }

  bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    return Buffer.from(all.subarray(Math.max(0, all.length - this.#limit)));
  }
}

/** `live` without what already stands at the end of `earlier`: two views of one line that overlap by a moment. */
export function withoutOverlap(earlier: Buffer, live: Buffer): Buffer {
  for (let length = Math.min(earlier.length, live.length); length > 0; length--) {
    if (earlier.subarray(earlier.length - length).equals(live.subarray(0, length))) return live.subarray(length);
  }
  return live;
}
