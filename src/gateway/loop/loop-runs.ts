/**
 * What one loop carries out, and what an earlier loop was at when it died.
 *
 *   loop.ts → live-world.ts → [loop-runs.ts] → loop-claims.ts, turn/runs/execute-run.ts, turn/runs/take-up-run.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApplyReport } from "../../apply/apply-report.ts";
import { isOdoroboError, type OdoroboError } from "../../model/errors.ts";
import type { ObservedState } from "../../model/observed-state.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { whoami } from "../../platform/whoami.ts";
import { endOf } from "../../run/decide.ts";
import { reportOf } from "../../run/resume.ts";
import type { KnownRun, RunClaim } from "../../run/run-store.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import { CTRL_C, executeRun } from "../../turn/runs/execute-run.ts";
import { takeUpRun } from "../../turn/runs/take-up-run.ts";
import { seenAgain } from "../../turn/saved-plan.ts";
import { type Holder, showHolder } from "../revision/loop-state.ts";
import { endOfReport } from "./end-of-report.ts";
import type { LoopClaims, LoopRunsOptions } from "./loop-claims.ts";
import type { ApplyEnd, ApplyOrder, RunListener } from "./parts.ts";

/** How often it is tried to write again where there was no room. */
const ROOM_MS = 2_000;

/** As long as a plan waits for a report. */
const ANSWER_MS = 10_000;

const NOT_BEGUN = { run: null, undone: [], because: null } as const;

export class LoopRuns {
  readonly #options: LoopRunsOptions;
  readonly #claims: LoopClaims;

  constructor(options: LoopRunsOptions, claims: LoopClaims) {
    this.#options = options;
    this.#claims = claims;
  }

  /** Another loop has the fleet, asks by itself and goes by what it sees: what we were at, or asked about, is nobody's any more. */
  async leave({ run, planned }: ApplyOrder, heldBy: Holder): Promise<ApplyEnd> {
    if (planned !== null && this.#claims.held(run) === undefined) return { ...NOT_BEGUN, outcome: "held", heldBy };
    return await this.giveUp(run, `${showHolder(heldBy)} has the fleet`);
  }

  /** A run of an earlier loop is not carried on: what it did stays done, and what is left is planned anew. */
  async giveUp(run: string, reason: string): Promise<ApplyEnd> {
    const found = await this.#claims.claimed(run);
    if (found?.claim)
      await this.#claims.end(found.claim, found.state.steps.size > 0 ? "aborted" : "replaced", reason, null);
    return { ...NOT_BEGUN, outcome: "stale" };
  }

  async apply(order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    const { run, planned, approvedBy } = order;
    if (planned === null) return await this.#takeUp(order, listener);
    const waiting = this.#claims.held(run)?.claim;
    if (waiting === undefined) {
      await using claim = await this.#claims.create(planned, { run, approvedBy });
      try {
        return await this.#execute(claim, planned, order, listener);
      } catch (error) {
        if (!isOdoroboError(error, "PLAN_STALE")) throw error;
        return { ...NOT_BEGUN, outcome: "stale" };
      }
    }
    try {
      const { access, signal } = this.#options;
      const seen = await seenAgain(planned, access, signal);
      // Answered here, before it could be written down that it waits.
      if (waiting.state().wish === "ask" && approvedBy !== null)
        waiting.append({ event: "approved", at: this.#options.clock.now(), by: approvedBy });
      this.#claims.letGo(run);
      await using claim = waiting;
      return await this.#execute(claim, seen, order, listener);
    } catch (error) {
      const isKept = this.#claims.held(run) !== undefined && approvedBy !== null && isOdoroboError(error, "PLAN_STALE");
      const silent = isKept ? await this.#silentOf(planned) : [];
      if (silent.length === 0) return await this.#notBegun(waiting, error);
      return away(silent);
    }
  }

  /** Nodes that the plan needs, and that say nothing now. */
  async #silentOf({ plan, agents }: PlannedFleet): Promise<readonly string[]> {
    const { access, signal } = this.#options;
    const within = AbortSignal.any([signal, AbortSignal.timeout(access.answerMs ?? ANSWER_MS)]);
    const nodes = [...new Set(plan.steps.map(({ node }) => node))];
    const isSilent = (node: (typeof nodes)[number]) =>
      agents
        .of(node)
        .report(within)
        .then(
          () => false,
          () => true,
        );
    const silent = await Promise.all(nodes.map(isSilent));
    return nodes.filter((_, index) => silent[index]);
  }

  async #notBegun(claim: RunClaim, error: unknown): Promise<ApplyEnd> {
    if (this.#claims.held(claim.id) === undefined) throw error;
    // Asked to stop: the next loop carries it out.
    if (this.#options.signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (!isOdoroboError(error, "PLAN_STALE")) {
      await this.#claims.end(claim, "failed", message, null);
      throw error;
    }
    await this.#claims.end(claim, "replaced", message, null);
    return { ...NOT_BEGUN, outcome: "stale" };
  }

  /** A run that a loop began, or was to begin, that is no more. */
  async #takeUp(order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    const found = await this.#claims.claimed(order.run);
    if (found === null) return { ...NOT_BEGUN, outcome: "stale" };
    this.#claims.letGo(order.run);
    if (found.claim === null) {
      const plan = await this.#options.runs.plan(order.run);
      return { run: order.run, ...toEnd(found.state, reportOf(plan, found.state)) };
    }
    await using claim = found.claim;
    const { clock } = this.#options;
    const at = clock.now();
    const state = claim.state();
    const by = whoami();
    if (state.wish === "ask") {
      // Its approval was kept by us and not by its journal: the machine went down in between.
      if (order.approvedBy === null) return await this.#stale(claim, "nobody has approved it");
      claim.append({ event: "approved", at, by: order.approvedBy });
    } else if (state.wish === "pause") {
      if (state.by !== CTRL_C) return { run: claim.id, ...endOfReport(reportOf(claim.plan, state), state.by) };
      claim.append({ event: "resumed", at, by });
    } else if (state.wish === "abort") {
      const end = endOf(state, at);
      if (end !== null) claim.append(end);
      return { run: claim.id, ...endOfReport(reportOf(claim.plan, claim.state()), state.by) };
    } else claim.append({ event: "taken-up", at, by });
    return await this.#carryOn(claim, order, listener);
  }

  async #carryOn(claim: RunClaim, order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    const { location, access, clock, signal, hardSignal } = this.#options;
    const isBegun = claim.state().steps.size > 0;
    try {
      const fleet = await order.fleet();
      await using taken = await takeUpRun(claim, { location, access, clock, fleet }, signal);
      const [moved] = taken.refused.values();
      if (!isBegun && moved !== undefined) {
        const silent = silentIn(taken.observed, claim.plan);
        if (silent.length > 0 && order.approvedBy !== null) return away(silent);
        return await this.#stale(claim, moved.message);
      }
      const { fleet: read, observed, agents, refused } = taken;
      const onEvent = (event: Parameters<RunListener>[0]) => listener(event, claim.id);
      const parts = { claim, desired: read.desired, observed, agents, clock, signal, hardSignal, onEvent, refused };
      return this.#endOf(claim, await executeRun(parts));
    } catch (error) {
      if (signal.aborted) throw error;
      if (isOdoroboError(error, "FILE_UNWRITABLE")) return await this.#whenThereIsRoom(claim, order, listener, error);
      const message = error instanceof Error ? error.message : String(error);
      if (!isBegun && isOdoroboError(error, "PLAN_STALE")) return await this.#stale(claim, message);
      // What it did stays done; the next plan sees what is left.
      if (claim.state().outcome === null) await this.#claims.end(claim, "failed", message, null);
      throw error;
    }
  }

  async #stale(claim: RunClaim, reason: string): Promise<ApplyEnd> {
    await this.#claims.end(claim, "replaced", reason, null);
    return { ...NOT_BEGUN, outcome: "stale" };
  }

  async #execute(
    claim: RunClaim,
    { fleet: { desired }, observed, agents }: PlannedFleet,
    order: ApplyOrder,
    listener: RunListener,
  ): Promise<ApplyEnd> {
    const { clock, signal, hardSignal } = this.#options;
    const onEvent = (event: Parameters<RunListener>[0]) => listener(event, claim.id);
    try {
      const report = await executeRun({ claim, desired, observed, agents, clock, signal, hardSignal, onEvent });
      return this.#endOf(claim, report);
    } catch (error) {
      if (!isOdoroboError(error, "FILE_UNWRITABLE") || signal.aborted) throw error;
      return await this.#whenThereIsRoom(claim, order, listener, error);
    }
  }

  /** Nothing of it is in flight, and how far it has come is not all written down: it is carried on as one that was left. */
  async #whenThereIsRoom(
    claim: RunClaim,
    order: ApplyOrder,
    listener: RunListener,
    error: OdoroboError,
  ): Promise<ApplyEnd> {
    const { clock, signal } = this.#options;
    order.onTrouble({ code: error.code, message: error.message, hint: error.hint });
    for (;;) {
      await sleep(ROOM_MS, undefined, { signal });
      if (claim.state().outcome !== null) return this.#endOf(claim, reportOf(claim.plan, claim.state()));
      try {
        claim.append({ event: "taken-up", at: clock.now(), by: whoami() });
        break;
      } catch (again) {
        if (!isOdoroboError(again, "FILE_UNWRITABLE")) throw again;
      }
    }
    return await this.#carryOn(claim, order, listener);
  }

  #endOf(claim: RunClaim, report: ApplyReport): ApplyEnd {
    return { run: claim.id, ...endOfReport(report, claim.state().by) };
  }
}

/** The approval is kept, and so is the run. */
function away(silent: readonly string[]): ApplyEnd {
  const message = `${silent.join(", ")}, which ${silent.length === 1 ? "does" : "do"} not answer`;
  return { ...NOT_BEGUN, outcome: "away", because: { code: "AGENT_UNREACHABLE", message } };
}

function silentIn({ nodes }: ObservedState, { steps }: Plan): readonly string[] {
  const needed = new Set(steps.map(({ node }) => node));
  return nodes.filter(({ name, reach }) => reach === "silent" && needed.has(name)).map(({ name }) => name);
}

/** Of one that is over, whoever was at it. */
function toEnd({ outcome, by }: KnownRun["state"], report: ApplyReport): Omit<ApplyEnd, "run"> {
  if (outcome === "replaced") return { outcome: "stale", undone: [], because: null };
  return endOfReport(report, by);
}
