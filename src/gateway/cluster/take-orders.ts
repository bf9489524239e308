/**
 * Whoever leads takes what was ordered at any gateway of the cluster: given to who executes the run, or, where nobody does, written into its
 * journal. The order goes away in the same write as what came of it.
 */
import type { Etcd } from "../../etcd/etcd.ts";
import type { Term } from "../../etcd/term.ts";
import { isOdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { decide, type RunOrder } from "../../run/decide.ts";
import type { EtcdClaim } from "../../run-store/etcd/etcd-claim.ts";
import type { EtcdRunStore } from "../../run-store/etcd/etcd-run-store.ts";
import { type KeptOrder, readOrders, toAnswer } from "../../run-store/etcd/orders.ts";
import { toAppend } from "../../turn/runs/command-run.ts";

export interface OrderTakerParts {
  readonly etcd: Etcd;
  readonly store: EtcdRunStore;
  readonly clock: Clock;
  readonly carryOn: (run: string, by: string) => Promise<void>;
}

/** Though nothing was hinted, and for those whose run was just being taken up. */
const LOOK_MS = 1_000;

export class OrderTaker {
  readonly #parts: OrderTakerParts;
  #wake: () => void = () => {};
  #isHinted = false;

  constructor(parts: OrderTakerParts) {
    this.#parts = parts;
  }

  hinted(): void {
    this.#isHinted = true;
    this.#wake();
  }

  /** For as long as the term lasts, and the signal. */
  async take(term: Term, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([term.lost, signal]);
    const done = new Set<string>();
    while (!over.aborted) {
      this.#isHinted = false;
      const orders = await readOrders(this.#parts.etcd).catch(() => []);
      for (const order of orders) {
        if (over.aborted || done.has(order.key)) continue;
        const isTaken = await this.#takeOne(term, order).catch(() => false);
        if (isTaken) done.add(order.key);
      }
      if (done.size > 1_000) done.clear();
      if (!this.#isHinted) await this.#next(over);
    }
  }

  /** False: not now. */
  async #takeOne(term: Term, kept: KeptOrder): Promise<boolean> {
    const { store } = this.#parts;
    const claim = store.claimed(kept.run);
    if (kept.order.kind === "resume") return await this.#resume(term, kept, kept.order.by);
    const order: RunOrder = { ...kept.order, kind: kept.order.kind };
    if (claim !== null) {
      const { listener } = claim;
      if (listener === null) return false;
      const answer = await this.#answered(kept, () => listener(order));
      claim.with(answer);
      await claim.settled();
      return true;
    }
    try {
      await using taken = (await store.claim(kept.run)) as EtcdClaim | null;
      if (taken === null) return false;
      const answer = await this.#answered(kept, () => {
        const at = this.#parts.clock.now();
        for (const event of toAppend(decide(taken.state(), { ...order, at }, "nobody"))) taken.append(event);
      });
      taken.with(answer);
      await taken.settled();
      return true;
    } catch (error) {
      if (!isOdoroboError(error, "NOT_FOUND") && !isOdoroboError(error, "RUN_UNREADABLE")) throw error;
      return await this.#answer(term, kept, error);
    }
  }

  async #resume(term: Term, kept: KeptOrder, by: string): Promise<boolean> {
    try {
      await this.#parts.carryOn(kept.run, by);
      return await this.#answer(term, kept, null);
    } catch (error) {
      // It is left to the next, whose it is.
      if (isOdoroboError(error, "NOT_LEADER")) return false;
      return await this.#answer(term, kept, error);
    }
  }

  async #answered(kept: KeptOrder, act: () => void) {
    const { etcd } = this.#parts;
    // The answer is made before: what is appended and the answer go together.
    const [taken, refused] = [await toAnswer(etcd, kept, null), (error: unknown) => toAnswer(etcd, kept, error)];
    try {
      act();
      return taken;
    } catch (error) {
      return await refused(error);
    }
  }

  async #answer(term: Term, kept: KeptOrder, error: unknown): Promise<boolean> {
    const { etcd } = this.#parts;
    await etcd.write([{ key: term.key, created: term.number }], await toAnswer(etcd, kept, error));
    return true;
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, LOOK_MS);
      signal.addEventListener("abort", wake);
      this.#wake = wake;
      if (signal.aborted) wake();
    });
  }
}
