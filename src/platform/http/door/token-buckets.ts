/**
 * So much at once, so much a second, for each key of its own: a bucket holds `burst` and is refilled by `perSecond`.
 * Keys are strangers' addresses too, so only the `maxKeys` that came last are remembered; who is forgotten begins with a full bucket.
 */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  level: number;
  filledAt: number;
}

export class TokenBuckets {
  readonly #rate: Rate;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, maxKeys: number) {
    this.#rate = rate;
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one if there is one; says whether. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#fill(key, nowMs);
    if (bucket.level < 1) return false;
    bucket.level -= 1;
    return true;
  }

  /** Takes nothing. */
  isEmpty(key: string, nowMs: number): boolean {
    return this.#buckets.has(key) && this.#fill(key, nowMs).level < 1;
  }

  #fill(key: string, nowMs: number): Bucket {
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(key) ?? { level: burst, filledAt: nowMs };
    bucket.level = Math.min(burst, bucket.level + (Math.max(0, nowMs - bucket.filledAt) / 1000) * perSecond);
    bucket.filledAt = nowMs;
    // A Map keeps the order of insertion: the first is the one that was asked for longest ago.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
