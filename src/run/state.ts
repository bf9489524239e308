/** What a journal comes to: a fold over its events. Pure, and the same for whoever reads it. */
import type { Instant } from "../model/names.ts";
import type { RunBegun, RunEvent, RunOutcome } from "./journal.ts";

/** Steps that never began are in none of these. */
export type StepProgress =
  /** Begun and not known to have ended. */
  { readonly kind: "in-flight"; readonly since: Instant } | { readonly kind: "ended"; readonly event: StepEnded };

export type StepEnded = Extract<RunEvent, { readonly event: "step-succeeded" | "step-failed" | "step-skipped" }>;

export interface RunState {
  readonly begun: RunBegun;
  /** By step id, in the order of the journal. */
  readonly steps: ReadonlyMap<string, StepProgress>;
  /** What was asked of the run last. `abort` is not taken back. `ask`: it waits for an approval, and nothing of it begins. */
  readonly wish: "ask" | "run" | "pause" | "abort";
  /** Who asked for that. */
  readonly by: string;
  /** Null: nobody, or nobody was asked. */
  readonly approvedBy: string | null;
  readonly outcome: RunOutcome | null;
  /** Why it ended so, where somebody said. */
  readonly reason: string | null;
  /** Of the last event. */
  readonly at: Instant;
}

/** Null: it does not begin as a journal does. */
export function stateOf(events: Iterable<RunEvent>): RunState | null {
  const fold = new JournalFold();
  for (const event of events) fold.add(event);
  return fold.state;
}

/** Event by event. Those that make no sense after the others change nothing; `steps` of states that were given out go on with it. */
export class JournalFold {
  readonly #steps = new Map<string, StepProgress>();
  #state: RunState | null = null;
  #isNone = false;

  /** Null: nothing was added yet, or what was does not begin as a journal does. */
  get state(): RunState | null {
    return this.#state;
  }

  add(event: RunEvent): void {
    if (this.#state !== null) {
      if (this.#state.outcome === null) this.#state = advance(this.#state, event, this.#steps);
    } else if (event.event === "begun" && !this.#isNone) {
      this.#state = {
        begun: event,
        steps: this.#steps,
        wish: event.version === 2 ? "ask" : "run",
        by: event.by,
        approvedBy: null,
        outcome: null,
        reason: null,
        at: event.at,
      };
    } else this.#isNone = true;
  }
}

/** `steps` is `state.steps`, to be written to: a run of ten thousand steps is not copied at each. */
function advance(state: RunState, event: RunEvent, steps: Map<string, StepProgress>): RunState {
  const { at } = event;
  switch (event.event) {
    case "begun":
      return state;
    case "taken-up":
      return { ...state, at };
    case "step-started":
      if (steps.get(event.step)?.kind !== "ended") steps.set(event.step, { kind: "in-flight", since: at });
      return { ...state, at };
    case "step-succeeded":
    case "step-failed":
    case "step-skipped":
      if (steps.get(event.step)?.kind !== "ended") steps.set(event.step, { kind: "ended", event });
      return { ...state, at };
    case "paused":
      return state.wish === "run" ? { ...state, wish: "pause", by: event.by, at } : state;
    case "resumed":
      return state.wish === "pause" ? { ...state, wish: "run", by: event.by, at } : state;
    case "aborted":
      return state.wish === "abort" ? state : { ...state, wish: "abort", by: event.by, at };
    case "approved":
      return state.wish === "ask" ? { ...state, wish: "run", by: event.by, approvedBy: event.by, at } : state;
    case "ended":
      return { ...state, outcome: event.outcome, by: event.by ?? state.by, reason: event.reason ?? null, at };
    default:
      // A newer odorobo may have more to tell, and what matters to us is above.
      return state;
  }
}

/**
 * In one word, for people and programs. `stranded`: it should go on, and nobody executes it. `waiting`: for an approval.
 * `approved`: it has that, and nothing was begun yet.
 */
export type RunStatus =
  | "waiting"
  | "approved"
  | "running"
  | "pausing"
  | "paused"
  | "aborting"
  | "stranded"
  | RunOutcome;

export function statusOf({ outcome, wish, approvedBy, steps }: RunState, isExecuted: boolean): RunStatus {
  if (outcome !== null) return outcome;
  if (wish === "ask") return "waiting";
  if (wish === "run" && approvedBy !== null && steps.size === 0) return "approved";
  if (!isExecuted) return wish === "pause" ? "paused" : "stranded";
  return ({ run: "running", pause: "pausing", abort: "aborting" } as const)[wish];
}
