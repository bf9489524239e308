/**
 * The runs of one loop: those that wait for an answer, the one that is carried out, and those that an earlier loop was at when it died.
 *
 *   loop.ts → live-world.ts → [loop-runs.ts] → run/run-store.ts, turn/runs/execute-run.ts, turn/runs/take-up-run.ts
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApplyReport } from "../../apply/apply-report.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { whoami } from "../../platform/whoami.ts";
import { decide, endOf, type RunOrder } from "../../run/decide.ts";
import type { RunOutcome } from "../../run/journal.ts";
import { reportOf } from "../../run/resume.ts";
import type { KnownRun, RunClaim, RunStore } from "../../run/run-store.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { FleetLocation } from "../../turn/read-fleet.ts";
import { toLimits } from "../../turn/runs/apply-plan.ts";
import { begunRun } from "../../turn/runs/begun-run.ts";
import { toAppend } from "../../turn/runs/command-run.ts";
import { CTRL_C, executeRun } from "../../turn/runs/execute-run.ts";
import { takeUpRun } from "../../turn/runs/take-up-run.ts";
import { lookAgain, seenAgain } from "../../turn/saved-plan.ts";
import { type Holder, showHolder } from "../revision/loop-state.ts";
import { endOfReport } from "./end-of-report.ts";
import type { Answers, ApplyEnd, ApplyOrder, Asked, AskOrder, RunListener, Withdrawal } from "./parts.ts";

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
/** How often it is tried to write again where there was no room. */
const ROOM_MS = 2_000;

const NOT_BEGUN = { run: null, undone: [], because: null } as const;

export class LoopRuns implements AsyncDisposable {
  readonly #options: LoopRunsOptions;
  /** Nobody else can answer or carry out those. */
  readonly #claims = new Map<string, { readonly claim: RunClaim; readonly obey: (order: RunOrder) => void }>();
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor(options: LoopRunsOptions) {
    this.#options = options;
  }

  /** Somebody is at one of the fleet's, which is none of ours. Nobody is at one that only waits. */
  async other(fleet: string, ours: string): Promise<KnownRun | null> {
    const { runs } = await this.#options.runs.list();
    const isInTheWay = ({ id, isExecuted, state }: KnownRun) =>
      isExecuted && id !== ours && state.begun.fleet === fleet && state.wish !== "ask" && !this.#claims.has(id);
    return runs.find(isInTheWay) ?? null;
  }

  async released(run: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { isExecuted } = await this.#options.runs.find(run);
      if (!isExecuted) return;
      await sleep(RELEASE_MS, undefined, { signal });
    }
  }

  ask(order: AskOrder, answers: Answers): Promise<Asked> {
    const asking =
      order.planned === null ? this.#askAgain(order, answers) : this.#askFirst(order, order.planned, answers);
    this.#asking.set(order.run, asking);
    return asking.finally(() => this.#asking.delete(order.run));
  }

  async #askFirst({ run, revision }: AskOrder, planned: PlannedFleet, answers: Answers): Promise<Asked> {
    const claim = await this.#create(planned, { run, asks: { revision }, approvedBy: null });
    this.#listen(claim, answers);
    return { kind: "waits", planned };
  }

  /** One that a loop asked about that is no more. */
  async #askAgain({ run, fleet }: AskOrder, answers: Answers): Promise<Asked> {
    const found = await this.#claimed(run);
    if (found === null) return { kind: "gone" };
    const { state, claim } = found;
    if (state.outcome === "replaced") return { kind: "gone" };
    if (state.outcome === "refused" || state.outcome === "aborted" || state.wish === "abort")
      return { kind: "refused", by: state.by, reason: state.reason ?? undefined };
    if (claim !== null) this.#listen(claim, answers);
    // Whatever became of it: it was approved, and its end is heard when it is to be applied.
    if (state.wish !== "ask" || claim === null) return { kind: "approved", by: state.approvedBy ?? state.by };
    const { access, clock, location, signal } = this.#options;
    const { plan } = claim;
    const path = `the run ${run}`;
    const planned = await fleet()
      .then((each) => lookAgain(plan, { path, access, clock, location, fleet: each }, signal, () => {}))
      .catch(() => null);
    return { kind: "waits", planned };
  }

  #listen(claim: RunClaim, answers: Answers): void {
    const { clock } = this.#options;
    const obey = (order: RunOrder) => {
      const events = toAppend(decide(claim.state(), { ...order, at: clock.now() }, "self"));
      if (events.length === 0) return;
      const isApproval = order.kind === "approve";
      const why = answers.whyVoid();
      if (why !== null)
        throw new OdoroboError("RUN_NOT_WAITING", `the run ${claim.id} does not wait for an answer: ${why}`, {
          hint: "nothing of it is done; odorobo runs list shows what waits now",
        });
      for (const event of events) claim.append(event);
      answers.answered(isApproval ? "approve" : "decline", order.by, order.reason);
    };
    this.#claims.set(claim.id, { claim, obey });
    claim.onCommand(obey);
  }

  /** As if it came from elsewhere; false: it is kept nowhere, and only the loop knows of it. Throws what there is against it. */
  order(run: string, order: RunOrder): boolean {
    const known = this.#claims.get(run);
    known?.obey(order);
    return known !== undefined;
  }

  async withdraw({ run, outcome, by, reason }: Withdrawal): Promise<void> {
    await this.#asking.get(run)?.catch(() => {});
    const claim = this.#claims.get(run)?.claim ?? (await this.#claimed(run))?.claim ?? null;
    if (claim !== null) await this.#end(claim, outcome, reason, by);
  }

  async #end(claim: RunClaim, outcome: RunOutcome, reason: string, by: string | null): Promise<void> {
    this.#claims.delete(claim.id);
    try {
      const at = this.#options.clock.now();
      if (claim.state().outcome === null)
        claim.append({ event: "ended", at, outcome, reason, ...(by === null ? {} : { by }) });
    } finally {
      await claim[Symbol.asyncDispose]();
    }
  }

  /** Null: there is no such run. Without a claim: it is over. While others are at it, it is waited for. */
  async #claimed(run: string): Promise<{ readonly claim: RunClaim | null; readonly state: KnownRun["state"] } | null> {
    const { runs, signal } = this.#options;
    const ours = this.#claims.get(run)?.claim;
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

  async #create(
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

  /** Another loop has the fleet, asks by itself and goes by what it sees: what we were at, or asked about, is nobody's any more. */
  async leave({ run, planned }: ApplyOrder, heldBy: Holder): Promise<ApplyEnd> {
    if (planned !== null && !this.#claims.has(run)) return { ...NOT_BEGUN, outcome: "held", heldBy };
    return await this.giveUp(run, `${showHolder(heldBy)} has the fleet`);
  }

  /** A run of an earlier loop is not carried on: what it did stays done, and what is left is planned anew. */
  async giveUp(run: string, reason: string): Promise<ApplyEnd> {
    const found = await this.#claimed(run);
    if (found?.claim) await this.#end(found.claim, found.state.steps.size > 0 ? "aborted" : "replaced", reason, null);
    return { ...NOT_BEGUN, outcome: "stale" };
  }

  async apply(order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    const { run, planned, approvedBy } = order;
    if (planned === null) return await this.#takeUp(order, listener);
    const waiting = this.#claims.get(run)?.claim;
    if (waiting === undefined) {
      await using claim = await this.#create(planned, { run, approvedBy });
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
      this.#claims.delete(run);
      await using claim = waiting;
      return await this.#execute(claim, seen, order, listener);
    } catch (error) {
      return await this.#notBegun(waiting, error);
    }
  }

  async #notBegun(claim: RunClaim, error: unknown): Promise<ApplyEnd> {
    if (!this.#claims.has(claim.id)) throw error;
    // Asked to stop: the next loop carries it out.
    if (this.#options.signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (!isOdoroboError(error, "PLAN_STALE")) {
      await this.#end(claim, "failed", message, null);
      throw error;
    }
    await this.#end(claim, "replaced", message, null);
    return { ...NOT_BEGUN, outcome: "stale" };
  }

  /** A run that a loop began, or was to begin, that is no more. */
  async #takeUp(order: ApplyOrder, listener: RunListener): Promise<ApplyEnd> {
    const found = await this.#claimed(order.run);
    if (found === null) return { ...NOT_BEGUN, outcome: "stale" };
    this.#claims.delete(order.run);
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
      if (!isBegun && moved !== undefined) return await this.#stale(claim, moved.message);
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
      if (claim.state().outcome === null) await this.#end(claim, "failed", message, null);
      throw error;
    }
  }

  async #stale(claim: RunClaim, reason: string): Promise<ApplyEnd> {
    await this.#end(claim, "replaced", reason, null);
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

  /** What waits goes on waiting, for the next loop. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#claims.values()];
    this.#claims.clear();
    await Promise.all(all.map(({ claim }) => claim[Symbol.asyncDispose]()));
  }
}

/** Of one that is over, whoever was at it. */
function toEnd({ outcome, by }: KnownRun["state"], report: ApplyReport): Omit<ApplyEnd, "run"> {
  if (outcome === "replaced") return { outcome: "stale", undone: [], because: null };
  return endOfReport(report, by);
}
