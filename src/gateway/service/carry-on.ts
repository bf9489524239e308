/**
 * `runs resume` for whoever is not at this machine: the gateway carries the run on, with the same plan, and says how it ended in the log.
 *
 * Invariant: in a cluster all of it is of the one term in which it was taken up: agents are told that term with each order, also when it
 * is over by then, and the run comes to a stop with it.
 */
import { OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { decide } from "../../run/decide.ts";
import type { RunOrigin } from "../../run/journal.ts";
import type { RunClaim, RunStore } from "../../run/run-store.ts";
import type { FleetLocation } from "../../turn/read-fleet.ts";
import { executeRun } from "../../turn/runs/execute-run.ts";
import { type TakenUp, takeUpRun } from "../../turn/runs/take-up-run.ts";
import type { Reign } from "../loop/reign.ts";

export interface CarryOnParts {
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hardSignal: AbortSignal;
  readonly reign: Reign;
}

/** Those that were taken up here. Disposing lets end what is in flight, and leaves the rest paused. */
export class CarriedOn implements AsyncDisposable {
  readonly #parts: CarryOnParts;
  readonly #stop = new AbortController();
  readonly #busy = new Set<Promise<void>>();

  constructor(parts: CarryOnParts) {
    this.#parts = parts;
  }

  /** Resolves when it goes on. Rejects with NOT_LEADER, RUN_OVER, RUN_WAITING, or PLAN_STALE when what is left no longer fits. */
  async carryOn(id: string, by: string): Promise<void> {
    const { runs, clock, reign } = this.#parts;
    const turn = reign.now();
    if (turn === null)
      throw new OdoroboError("NOT_LEADER", "this gateway does not lead its cluster", {
        hint: "ask again: whoever leads carries on",
      });
    await using held = new AsyncDisposableStack();
    held.use(turn);
    const claim = await runs.claim(id);
    // Whoever has it goes on with it, or comes to an end first.
    if (claim === null) return;
    held.use(claim);
    const signal = AbortSignal.any([this.#stop.signal, turn.lost]);
    const decision = decide(claim.state(), { kind: "resume", at: clock.now(), by }, "nobody");
    if (decision.next === "refuse") throw new OdoroboError(decision.code, decision.message, { hint: decision.hint });
    if (decision.next !== "execute") return;
    const { origin, commit, fleet } = claim.state().begun;
    const term = turn.term === null ? null : { ...turn.term, fleet };
    const access = { tokenFile: origin.tokenFile, tls: origin.tls, term: () => term };
    const request = { location: locationOf(origin, commit), access, clock };
    const taken = held.use(await takeUpRun(claim, request, signal));
    for (const event of decision.append) claim.append(event);
    const owned = held.move();
    const work = this.#execute(claim, taken, signal).finally(() => owned.disposeAsync());
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  async #execute(claim: RunClaim, taken: TakenUp, signal: AbortSignal): Promise<void> {
    const { clock, log, hardSignal } = this.#parts;
    try {
      const { outcome } = await executeRun({
        claim,
        desired: taken.fleet.desired,
        observed: taken.observed,
        agents: taken.agents,
        clock,
        signal,
        hardSignal,
        onEvent: () => {},
        refused: taken.refused,
      });
      log.info({ run: claim.id, outcome }, "the run that somebody resumed has ended");
    } catch (error) {
      log.error({ run: claim.id, err: error }, "the run that somebody resumed failed");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#busy);
  }
}

/** Of a repository the very commit: a branch has moved on. */
const locationOf = ({ location }: RunOrigin, commit: string | null): FleetLocation =>
  location.kind === "git" ? { ...location, ref: commit ?? location.ref } : location;
