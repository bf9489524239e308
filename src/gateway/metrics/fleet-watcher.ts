/** Counts what one fleet's loop tells of. */
import type { ApplyEvent } from "../../apply/apply-report.ts";
import { ACTIONS } from "../../model/changes.ts";
import type { Clock } from "../../platform/clock.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import { Healing } from "../loop/healing.ts";
import type { LoopWatcher, SourceTrouble } from "../loop/parts.ts";
import { type LoopState, NOTHING_SEEN, type Told } from "../revision/loop-state.ts";
import { type RevisionId, STANDINGS } from "../revision/revision.ts";
import type { Instruments } from "./instruments.ts";

/** Of a plan's summary. */
const COUNTED = [...ACTIONS, "unchanged", "unknown", "blocked"] as const;

export class FleetWatcher implements LoopWatcher {
  readonly #fleet: string;
  readonly #instruments: Instruments;
  readonly #clock: Clock;
  readonly #healing = new Healing();
  readonly #runs = new Set<string>();
  #state: LoopState = NOTHING_SEEN;
  /** Since when each revision is known, in ms since 1970. */
  readonly #seenAt = new Map<RevisionId, number>();
  #planningSinceMs: number | null = null;
  #nodes: readonly string[] = [];

  constructor(fleet: string, instruments: Instruments, clock: Clock) {
    this.#fleet = fleet;
    this.#instruments = instruments;
    this.#clock = clock;
    // What has not happened yet is 0, so that the first time is an increase.
    for (const outcome of ["done", "failed", "interrupted"]) instruments.runs.inc({ fleet, outcome }, 0);
    for (const handling of ["reverted", "left"]) instruments.drifts.inc({ fleet, handling }, 0);
    instruments.healed.inc({ fleet }, 0);
    instruments.running.set({ fleet }, 0);
    instruments.sourceUp.set({ fleet }, 1);
  }

  told(told: Told): void {
    const { troubles, drifts, reached } = this.#instruments;
    const fleet = this.#fleet;
    this.#healing.told(told);
    if (told.kind === "revision") {
      if (!told.again) reached.inc({ fleet, standing: told.revision.standing });
    } else if (told.kind === "trouble") troubles.inc({ fleet, code: told.because.code ?? "none" });
    else if (told.kind === "drift") {
      drifts.inc({ fleet, handling: "reverted" }, told.reverted.length);
      drifts.inc({ fleet, handling: "left" }, told.left.length);
    }
  }

  asked(): void {}

  changed(state: LoopState): void {
    const known = new Set(state.revisions.map(({ id }) => id));
    for (const { id, at } of state.revisions) if (!this.#seenAt.has(id)) this.#seenAt.set(id, Date.parse(at));
    for (const id of this.#seenAt.keys()) if (!known.has(id)) this.#seenAt.delete(id);
    // Another turn than before: a plan is being made from now on.
    if (state.turn?.kind === "planning" && state.turn !== this.#state.turn)
      this.#planningSinceMs = this.#clock.monotonicMs();
    this.#instruments.healed.inc({ fleet: this.#fleet }, this.#healing.healed(state).length);
    this.#state = state;
  }

  seen({ plan, observed }: PlannedFleet): void {
    const { plans, planned, planChanges, planSteps, planRefusals, planWaiting } = this.#instruments;
    const fleet = this.#fleet;
    if (this.#planningSinceMs !== null)
      plans.observe({ fleet }, (this.#clock.monotonicMs() - this.#planningSinceMs) / 1_000);
    this.#planningSinceMs = null;
    planned.set({ fleet }, Date.parse(this.#clock.now()) / 1_000);
    for (const action of COUNTED) planChanges.set({ fleet, action }, plan.summary[action]);
    planSteps.set({ fleet }, plan.steps.length);
    planRefusals.set({ fleet }, plan.refusals.length);
    planWaiting.set({ fleet }, plan.waiting?.length ?? 0);
    this.#showNodes(observed.nodes.map(({ name, reach }) => ({ name, isUp: reach === "answered" })));
  }

  applying(event: ApplyEvent, run: string): void {
    const { runs, runSeconds, running, steps, stepSeconds, retries } = this.#instruments;
    const fleet = this.#fleet;
    if (event.event === "started") this.#runs.add(run);
    if (event.event === "step-retried") retries.inc({ fleet });
    if (event.event === "step-ended") {
      const { kind, outcome, milliseconds } = event.report;
      steps.inc({ fleet, kind, outcome });
      if (outcome !== "skipped") stepSeconds.observe({ kind }, milliseconds / 1_000);
    }
    if (event.event === "ended") {
      const { outcome, startedAt, endedAt } = event.report;
      this.#runs.delete(run);
      runs.inc({ fleet, outcome });
      // A clock that was set back made no run end before it began.
      runSeconds.observe({ fleet }, Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)) / 1_000);
    }
    running.set({ fleet }, this.#runs.size);
  }

  source(trouble: SourceTrouble | null): void {
    const { sourceUp, sourceTroubles } = this.#instruments;
    sourceUp.set({ fleet: this.#fleet }, trouble === null ? 1 : 0);
    if (trouble !== null) sourceTroubles.inc({ fleet: this.#fleet, code: trouble.code });
  }

  /** What depends on the time, and what is a state: before it is told to somebody. */
  refresh(): void {
    const { revisions, newest, lag, approvals, approvalSeconds, drift, failures, held } = this.#instruments;
    const fleet = this.#fleet;
    const { revisions: known, asked, drift: drifted, failures: failed, heldBy } = this.#state;
    const last = known.at(-1);
    for (const standing of STANDINGS) {
      revisions.set({ fleet, standing }, known.filter((each) => each.standing === standing).length);
      newest.set({ fleet, standing }, last?.standing === standing ? 1 : 0);
    }
    // One that says what the one in force says is as far as that one.
    const meant = last?.standing === "unchanged" ? (known.find(({ id }) => id === this.#state.inForce) ?? last) : last;
    // One that failed stays that, also when what was left of it was done later: then nothing fails any more.
    const isPutRight = meant?.standing === "failed" && meant.id === this.#state.inForce && failed === 0;
    const isApplied = meant === undefined || isPutRight || ["applied", "unchanged"].includes(meant.standing);
    lag.set({ fleet }, isApplied ? 0 : this.#secondsSince(this.#seenAt.get(meant.id) ?? null));
    const waiting = asked !== null && asked.approvedBy === null ? asked.revision : null;
    const since = known.find(({ id }) => id === waiting)?.at ?? null;
    approvals.set({ fleet }, waiting === null ? 0 : 1);
    approvalSeconds.set({ fleet }, this.#secondsSince(since === null ? null : Date.parse(since)));
    drift.set({ fleet }, drifted.length);
    failures.set({ fleet }, failed);
    held.set({ fleet }, heldBy === null ? 0 : 1);
  }

  #secondsSince(ms: number | null): number {
    return ms === null ? 0 : Math.max(0, (Date.parse(this.#clock.now()) - ms) / 1_000);
  }

  /** Nodes that have left the manifests have no series any more. */
  #showNodes(nodes: readonly { readonly name: string; readonly isUp: boolean }[]): void {
    const { nodeUp, nodes: counts } = this.#instruments;
    const fleet = this.#fleet;
    const names = nodes.map(({ name }) => name);
    const now = new Set(names);
    for (const node of this.#nodes) if (!now.has(node)) nodeUp.remove({ fleet, node });
    for (const { name, isUp } of nodes) nodeUp.set({ fleet, node: name }, isUp ? 1 : 0);
    counts.set({ fleet, reach: "answered" }, nodes.filter(({ isUp }) => isUp).length);
    counts.set({ fleet, reach: "silent" }, nodes.filter(({ isUp }) => !isUp).length);
    this.#nodes = names;
  }
}
