/**
 * The runs that one loop has a hand on, so that nobody else can answer or carry them out: those that wait for an answer, and the one
 * that is carried out. Kept where runs are; here is who of this process holds which.
 *
 *   questions.ts, loop-runs.ts → [loop-claims.ts] → run/run-store.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunOrder } from "../../run/decide.ts";
import type { RunOutcome } from "../../run/journal.ts";
import type { KnownRun, RunClaim, RunStore } from "../../run/run-store.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { FleetLocation } from "../../turn/read-fleet.ts";
import { toLimits } from "../../turn/runs/apply-plan.ts";
import { begunRun } from "../../turn/runs/begun-run.ts";
import type { ApplyOrder } from "./parts.ts";

export interface LoopRunsOptions {
  readonly location: FleetLocation;
  readonly access: AgentAccess;
  readonly runs: RunStore;
  readonly clock: Clock;
  /** Who turns this fleet, in a word: `watch`. */
  readonly who: string;
  /** Asked to stop, a run ends what is in flight and is left paused. */
  readonly signal: AbortSignal;
  /** Nothing is waited for any more. */
  readonly hardSignal: AbortSignal;
}

/** How soon the end of somebody else's run is noticed, should nothing else tell of it. */
const RELEASE_MS = 500;

export interface HeldRun {
  readonly claim: RunClaim;
  /** What an answer does that comes from elsewhere. Throws what there is against it. */
  readonly obey: (order: RunOrder) => void;
}

export class LoopClaims implements AsyncDisposable {
  readonly #options: LoopRunsOptions;
  readonly #held = new Map<string, HeldRun>();

  constructor(options: LoopRunsOptions) {
    this.#options = options;
  }

  hold(run: HeldRun): void {
    this.#held.set(run.claim.id, run);
  }

  held(run: string): HeldRun | undefined {
    return this.#held.get(run);
  }

  /** Whoever took the claim disposes of it from here on. */
  letGo(run: string): void {
    this.#held.delete(run);
  }

  /** Somebody is at one of the fleet's, which is none of ours. Nobody is at one that only waits. */
  async other(fleet: string, ours: string): Promise<KnownRun | null> {
    const { runs } = await this.#options.runs.list();
    const isInTheWay = ({ id, isExecuted, state }: KnownRun) =>
      isExecuted && id !== ours && state.begun.fleet === fleet && state.wish !== "ask" && !this.#held.has(id);
    return runs.find(isInTheWay) ?? null;
  }

  async released(run: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { isExecuted } = await this.#options.runs.find(run);
      if (!isExecuted) return;
      await sleep(RELEASE_MS, undefined, { signal });
    }
  }

  async end(claim: RunClaim, outcome: RunOutcome, reason: string, by: string | null): Promise<void> {
    this.#held.delete(claim.id);
    try {
      const at = this.#options.clock.now();
      if (claim.state().outcome === null)
        claim.append({ event: "ended", at, outcome, reason, ...(by === null ? {} : { by }) });
    } finally {
      await claim[Symbol.asyncDispose]();
    }
  }

  /** Null: there is no such run. Without a claim: it is over. While others are at it, it is waited for. */
  async claimed(run: string): Promise<{ readonly claim: RunClaim | null; readonly state: KnownRun["state"] } | null> {
    const { runs, signal } = this.#options;
    const ours = this.#held.get(run)?.claim;
    if (ours !== undefined) return { claim: ours, state: ours.state() };
    for (;;) {
      try {
        const { state } = await runs.find(run);
        if (state.outcome !== null) return { claim: null, state };
        const claim = await runs.claim(run);
        if (claim !== null) return { claim, state: claim.state() };
        await this.released(run, signal);
      } catch (error) {
        if (isOdoroboError(error, "NOT_FOUND")) return null;
        throw error;
      }
    }
  }

  async create(
    planned: PlannedFleet,
    { run, asks, approvedBy }: Pick<ApplyOrder, "run" | "approvedBy"> & { readonly asks?: { revision: string } },
  ): Promise<RunClaim> {
    const { runs, clock, location, access, who } = this.#options;
    const { plan, fleet } = planned;
    const limits = toLimits(fleet.desired.fleet.policy, null);
    const approval = approvedBy === null ? "" : `, approved by ${approvedBy}`;
    const by = `odorobo ${who} of ${whoami()}${approval}`;
    const begun = begunRun(plan, { location, access, limits, at: clock.now(), by, run, ...(asks && { asks }) });
    return await runs.create(plan, begun);
  }

  /** What waits goes on waiting, for the next loop. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(all.map(({ claim }) => claim[Symbol.asyncDispose]()));
  }
}
