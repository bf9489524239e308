/**
 * Who tries tokens is slowed down. The rule, for each address:
 *
 * - So many wrong tokens may be shown at once, then one every two seconds. While an address has used up what it may,
 *   no token that it shows is looked at: 429, and that costs it nothing more. So the right token gets in at the first
 *   two quiet seconds, or by chance between the wrong ones.
 * - Only different wrong tokens count. A program that goes on showing the old token after a rotation guesses nothing and
 *   shuts out nobody who has the right one and comes from the same address.
 * - Addresses that are not the same do not know of one another.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { Clock } from "../../clock.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";

/** A person mistypes thrice, a CI matrix starts twenty jobs with the wrong secret. One in two seconds is 43,200 a day. */
export const WRONG_TOKEN_RATE: Rate = { burst: 30, perSecond: 0.5 };

/** With 30 digests of 8 bytes each: some 2 MB when all are in use. */
const MAX_ADDRESSES = 4_096;

export class WrongTokens {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #buckets: TokenBuckets;
  /** By address, in the order in which they were shown first: the beginnings of their digests. */
  readonly #shown = new Map<string, Set<bigint>>();

  constructor(clock: Clock, rate: Rate = WRONG_TOKEN_RATE) {
    this.#clock = clock;
    this.#rate = rate;
    this.#buckets = new TokenBuckets(rate, MAX_ADDRESSES);
  }

  /** Throws RATE_LIMITED when this address may not try this token now. `digest`: sha256 of it. */
  refuse(address: string, digest: Buffer): void {
    if (this.#isKnown(address, digest) || !this.#buckets.isEmpty(address, this.#clock.monotonicMs())) return;
    throw new OdoroboError("RATE_LIMITED", "too many wrong tokens came from your address", {
      hint: "wait some seconds and show the right one",
    });
  }

  /** It was wrong. */
  note(address: string, digest: Buffer): void {
    if (this.#isKnown(address, digest)) return;
    this.#buckets.take(address, this.#clock.monotonicMs());
    const shown = this.#shown.get(address) ?? new Set();
    this.#shown.delete(address);
    this.#shown.set(address, shown);
    shown.add(beginning(digest));
    dropOldest(shown, this.#rate.burst);
    dropOldest(this.#shown, MAX_ADDRESSES);
  }

  #isKnown(address: string, digest: Buffer): boolean {
    return this.#shown.get(address)?.has(beginning(digest)) ?? false;
  }
}

const beginning = (digest: Buffer): bigint => digest.readBigUInt64BE(0);

function dropOldest<Key>(kept: Set<Key> | Map<Key, unknown>, most: number): void {
  if (kept.size <= most) return;
  const [oldest] = kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
}
