/** The world as it is: plans by `turn/`, applies as runs that everybody on this machine can see, and the agents' own events. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApplyEvent, ApplyReport } from "../../apply/apply-report.ts";
import { ERROR_CODES, isOdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import { whoami } from "../../platform/whoami.ts";
import type { RunStore } from "../../run/run-store.ts";
import { toLimits } from "../../turn/apply-plan.ts";
import { begunRun } from "../../turn/begun-run.ts";
import type { AgentAccess } from "../../turn/connect-agents.ts";
import { executeRun } from "../../turn/execute-run.ts";
import { HeldFleet } from "../../turn/held/held-fleet.ts";
import { type PlannedFleet, refuseEmptying } from "../../turn/plan-fleet.ts";
import type { Fleet, FleetLocation } from "../../turn/read-fleet.ts";
import { seenAgain } from "../../turn/saved-plan.ts";
import { AgentFollower } from "./follow-agents.ts";
import type { ApplyEnd, RunListener, World } from "./parts.ts";

export interface LiveWorldOptions {
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
  /** How often the fleet is looked at though nobody said anything. */
  readonly intervalMs: number;
}

/** How soon the end of somebody else's run is noticed, should nothing else tell of it. */
const RELEASE_MS = 500;

export class LiveWorld implements World {
  readonly #options: LiveWorldOptions;
  readonly #changes: string[] = [];
  #wake: (() => void) | null = null;
  readonly #held: HeldFleet;
  #follower: AgentFollower | null = null;
  #nodes: Fleet["desired"]["nodes"] = [];

  constructor(options: LiveWorldOptions) {
    this.#options = options;
    this.#held = new HeldFleet(options.access, options.clock);
  }

  async know({ desired }: Fleet): Promise<void> {
    this.#nodes = desired.nodes;
    this.#follower?.follow(desired.nodes);
  }

  async *changes(signal: AbortSignal): AsyncGenerator<string> {
    const note = (why: string) => {
      this.#changes.push(why);
      this.#wake?.();
    };
    await using held = this.#held;
    await using follower = new AgentFollower(this.#options.access, held.news, note);
    this.#follower = follower;
    follower.follow(this.#nodes);
    using _ = every(this.#options.intervalMs, () => {
      held.news.doubtAll();
      note("it is time to look again");
    });
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake, { once: true });
    for (;;) {
      signal.throwIfAborted();
      const why = this.#changes.splice(0).at(-1);
      if (why !== undefined) yield why;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  async plan(fleet: Fleet, leaveOut: readonly VmName[], signal: AbortSignal): Promise<PlannedFleet> {
    const selection = leaveOut.length === 0 ? null : { targets: [], excludes: leaveOut };
    const allowances = { maxClass: null, allowDestroy: null };
    const planned = await this.#held.plan(fleet, { selection, allowances }, signal);
    try {
      refuseEmptying(planned);
      return planned;
    } catch (error) {
      await planned[Symbol.asyncDispose]();
      throw error;
    }
  }

  async apply(planned: PlannedFleet, approvedBy: string | null, listener: RunListener): Promise<ApplyEnd> {
    const { runs, clock, location, access, who, signal, hardSignal } = this.#options;
    const { plan, fleet } = planned;
    const other = (await runs.list()).runs.find((run) => run.isExecuted && run.state.begun.fleet === plan.fleet);
    if (other !== undefined) return { run: other.id, outcome: "held", undone: [], because: null };
    try {
      const { agents, observed } = approvedBy === null ? planned : await seenAgain(planned, access, signal);
      const { desired } = fleet;
      const limits = toLimits(desired.fleet.policy, null);
      const approval = approvedBy === null ? "" : `, approved by ${approvedBy}`;
      const by = `odorobo ${who} of ${whoami()}${approval}`;
      await using claim = await runs.create(plan, begunRun(plan, { location, access, limits, at: clock.now(), by }));
      const onEvent = (event: ApplyEvent) => listener(event, claim.id);
      const report = await executeRun({ claim, desired, observed, agents, clock, signal, hardSignal, onEvent });
      return { run: claim.id, ...endOf(report, claim.state().by) };
    } catch (error) {
      if (isOdoroboError(error, "PLAN_STALE")) return { run: null, outcome: "stale", undone: [], because: null };
      throw error;
    } finally {
      // Not all that an apply does to agents is told by their events.
      this.#held.news.doubtAll();
    }
  }

  async released(run: string, signal: AbortSignal): Promise<void> {
    const { runs } = this.#options;
    for (;;) {
      const { isExecuted } = await runs.find(run);
      if (!isExecuted) return;
      await sleep(RELEASE_MS, undefined, { signal });
    }
  }
}

function endOf(report: ApplyReport, by: string): Omit<ApplyEnd, "run"> {
  const open = report.steps.filter(({ outcome }) => outcome !== "done");
  const undone = [...new Set(open.map(({ vm }) => vm))];
  if (report.outcome === "interrupted") {
    return { outcome: "stopped", undone, because: { code: "INTERRUPTED", message: `it was stopped by ${by}` } };
  }
  if (undone.length === 0) return { outcome: "done", undone, because: null };
  const error = open.find((step) => step.error !== null)?.error ?? null;
  const isStale = error !== null && ERROR_CODES[error.code].exit === 5 && report.counts.done === 0;
  if (isStale) return { outcome: "stale", undone, because: null };
  const skipped = open.find(({ skippedBecause }) => skippedBecause !== null)?.skippedBecause;
  return {
    outcome: "failed",
    undone,
    because: error ?? { code: null, message: skipped ?? "not all of it was done" },
  };
}

function every(milliseconds: number, act: () => void): Disposable {
  const timer = setInterval(act, milliseconds);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
