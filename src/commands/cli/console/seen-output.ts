/**
 * What a person has seen already is not shown twice: a console that is connected again begins with what the guest said
 * lately, and the end of what was seen stands somewhere in it.
 */

/** Long enough that it stands in a guest's output once. */
const REMEMBERED_BYTES = 4 * 1024;
/** With less than this the same words may well come twice. */
const SHORTEST_MATCH = 16;
/** What an agent sends first is at most 64 KiB. */
const MOST_HELD_BYTES = 128 * 1024;

export class SeenOutput {
  #end: Buffer = Buffer.alloc(0);
  #held: Buffer | null = null;

  /** What comes next may begin with what was seen. */
  expectRepetition(): void {
    this.#held = this.#end.length >= SHORTEST_MATCH ? Buffer.alloc(0) : null;
  }

  /** What comes is held back until it is known where the new begins. */
  get isHolding(): boolean {
    return this.#held !== null;
  }

  /** What of this is new; empty while it is held back. */
  add(bytes: Uint8Array): Uint8Array {
    if (this.#held === null) return this.#show(bytes);
    this.#held = Buffer.concat([this.#held, bytes]);
    const repeated = lengthOfRepetition(this.#end, this.#held);
    if (repeated === 0) return this.#held.length > MOST_HELD_BYTES ? this.release() : Buffer.alloc(0);
    const fresh = this.#held.subarray(repeated);
    this.#held = null;
    return this.#show(fresh);
  }

  /** Nothing more is waited for: what was held back is all new. */
  release(): Uint8Array {
    const held = this.#held ?? Buffer.alloc(0);
    this.#held = null;
    return this.#show(held);
  }

  #show(bytes: Uint8Array): Uint8Array {
    // The copy is no view of a frame, which would be kept for the sake of its end.
    const recent = bytes.subarray(Math.max(0, bytes.length - REMEMBERED_BYTES));
    if (bytes.length > 0) this.#end = Buffer.from(Buffer.concat([this.#end, recent]).subarray(-REMEMBERED_BYTES));
    return bytes;
  }
}

/** How much of `said` stands before the end of what was seen, that end included: it may begin before it, or in its midst. */
function lengthOfRepetition(end: Buffer, said: Buffer): number {
  const at = said.indexOf(end);
  if (at >= 0) return at + end.length;
  for (let length = Math.min(end.length, said.length); length >= SHORTEST_MATCH; length--)
    if (end.compare(said, 0, length, end.length - length) === 0) return length;
  return 0;
}
