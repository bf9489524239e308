/**
 * Trying again, only where the error's code says that it may help, and always with the same request id,
 * so that an agent which did the thing and could not say so does not do it twice.
 */
import { isOdoroboError, type OdoroboError } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { Sleep } from "../platform/sleep.ts";

export interface RetryPolicy {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * Waits 0.5 + 1 + 2 + 4 s: an agent that is restarted for an upgrade is back well within that,
 * and a node that is gone holds up a person at the keyboard for less than ten seconds.
 */
export const RETRY_POLICY: RetryPolicy = { attempts: 5, firstDelayMs: 500, maxDelayMs: 5_000 };

/** How long to wait after this many failed attempts. */
export const delayAfter = (attempts: number, policy: RetryPolicy): number =>
  Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempts - 1));

/**
 * A node that used up all the attempts of one step is tried once for each further step, until it answers again:
 * a hundred steps on a dead node must not wait a hundred times.
 */
export class NodePatience {
  readonly #policy: RetryPolicy;
  readonly #lost = new Set<NodeName>();

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  attemptsFor(node: NodeName): number {
    return this.#lost.has(node) ? 1 : this.#policy.attempts;
  }
  answered(node: NodeName): void {
    this.#lost.delete(node);
  }
  gaveUp(node: NodeName): void {
    this.#lost.add(node);
  }
}

interface RetryOptions {
  readonly node: NodeName;
  readonly patience: NodePatience;
  readonly policy: RetryPolicy;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
  readonly onRetry: (error: OdoroboError, inMilliseconds: number) => void;
}

/** `attempt` is told which attempt it is, from 1. Rejects with the last error. */
export async function withRetries<T>(attempt: (number: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { node, patience, policy, sleep, signal, onRetry } = options;
  for (let number = 1; ; number++) {
    try {
      const result = await attempt(number);
      patience.answered(node);
      return result;
    } catch (error) {
      if (!isOdoroboError(error) || !error.retryable) {
        patience.answered(node);
        throw error;
      }
      if (number >= patience.attemptsFor(node)) {
        patience.gaveUp(node);
        throw error;
      }
      const delay = delayAfter(number, policy);
      onRetry(error, delay);
      await sleep(delay, signal);
    }
  }
}
