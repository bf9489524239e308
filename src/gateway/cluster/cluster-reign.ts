/** The fleets of one gateway turn while it leads, and its term ends when all of them have come to a stop. */
import { once } from "node:events";
import type { Term } from "../../etcd/term.ts";
import type { Reign, Turn } from "../loop/reign.ts";

export class ClusterReign implements Reign {
  readonly #epoch: number;
  #term: Term | null = null;
  #began = Promise.withResolvers<Term>();
  readonly #turns = new Set<PromiseWithResolvers<void>>();

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  get term(): Term | null {
    return this.#term;
  }

  /** As `Leadership` gives it. Resolves when it is lost, or the signal came, and nothing of it is under way any more. */
  async rule(term: Term, signal: AbortSignal): Promise<void> {
    this.#term = term;
    this.#began.resolve(term);
    const over = AbortSignal.any([term.lost, signal]);
    if (!over.aborted) await once(over, "abort");
    this.#began = Promise.withResolvers();
    while (this.#turns.size > 0) await Promise.all([...this.#turns].map(({ promise }) => promise));
    this.#term = null;
  }

  async begins(signal: AbortSignal): Promise<Turn> {
    for (;;) {
      signal.throwIfAborted();
      const stopped = Promise.withResolvers<null>();
      const stop = () => stopped.resolve(null);
      signal.addEventListener("abort", stop, { once: true });
      const term = await Promise.race([this.#began.promise, stopped.promise]);
      signal.removeEventListener("abort", stop);
      if (term === null || term.lost.aborted) continue;
      return this.#open(term);
    }
  }

  now(): Turn | null {
    return this.#term === null || this.#term.lost.aborted ? null : this.#open(this.#term);
  }

  #open(term: Term): Turn {
    const turn = Promise.withResolvers<void>();
    this.#turns.add(turn);
    return {
      lost: term.lost,
      term: { epoch: this.#epoch, number: term.number },
      [Symbol.dispose]: () => {
        this.#turns.delete(turn);
        turn.resolve();
      },
    };
  }
}
