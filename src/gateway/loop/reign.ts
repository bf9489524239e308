/** When this process may turn its fleets: always, or while it leads its cluster. */
import type { OrderTerm } from "../../wire/order-term.ts";

export interface Reign {
  /** Resolves when it may. What has begun then is over before `Turn` is disposed of. Rejects with the signal's reason. */
  begins(signal: AbortSignal): Promise<Turn>;
  /** As `begins`, without waiting; null: it may not just now. */
  now(): Turn | null;
}

export interface Turn extends Disposable {
  /** It may no more: nothing new begins, and what is in flight ends. */
  readonly lost: AbortSignal;
  /** What agents are told with each order; null: nothing. */
  readonly term: Omit<OrderTerm, "fleet"> | null;
}

const NEVER = new AbortController().signal;

const always = (): Turn => ({ lost: NEVER, term: null, [Symbol.dispose]: () => {} });

/** Without a cluster. */
export const ALONE: Reign = { begins: async () => always(), now: always };
