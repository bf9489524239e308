/** Which deliveries were here before, in bounded memory: of the oldest the poll has long made up for what a second one could do. */

/** Some 100 bytes each. At 200 a second, the last fifty seconds; at what forges send, weeks. */
const MOST_SEEN = 10_000;

export class SeenHooks {
  readonly #most: number;
  readonly #seen = new Set<string>();

  constructor(most = MOST_SEEN) {
    this.#most = most;
  }

  /** False: it was here before. Only what is rightly signed may be noted, so that strangers push nothing out. */
  note(unique: string): boolean {
    if (this.#seen.has(unique)) return false;
    this.#seen.add(unique);
    if (this.#seen.size > this.#most) this.#seen.delete(this.#seen.values().next().value as string);
    return true;
  }
}
