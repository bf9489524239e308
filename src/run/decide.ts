/**
 * What is to be done about a run when somebody wants something of it: from its journal and whether anybody executes it, alone.
 *
 *   state.ts → [decide.ts] → whoever keeps runs (turn/, an agent, a gateway)
 *
 * Pure: no I/O, no clock. A run has no lock: whoever executes it is known to be there or not by something that dies with it,
 * and should two ever do so at once, agents take each step's id once.
 *
 *              pause                    abort
 *   running ──────────► pausing ─► paused ─────► aborted
 *      ▲  │ executor is gone           │ resume
 *      │  ▼                            ▼
 *      └─ stranded ◄─ attach, resume ─► running ─► done, failed
 *
 *            approve
 *   waiting ─────────► approved ─► running
 *      └─ refuse, abort ─► refused
 */
import type { ErrorCode } from "../model/errors.ts";
import type { Instant } from "../model/names.ts";
import type { RunEvent } from "./journal.ts";
import type { RunState } from "./state.ts";

export interface RunCommand {
  readonly kind: "attach" | "pause" | "resume" | "abort" | "approve" | "refuse";
  readonly at: Instant;
  readonly by: string;
  /** Of `refuse`, for people. */
  readonly reason?: string | undefined;
}

/** What is said to whoever executes a run. */
export type RunOrder = Pick<RunCommand, "by" | "reason"> & {
  readonly kind: "pause" | "abort" | "approve" | "refuse";
};

/** Who executes the run: the one who asks this, another, or nobody. */
export type Executor = "self" | "other" | "nobody";

export type RunDecision =
  /** Write these down, then begin what can begin. */
  | { readonly next: "execute"; readonly append: readonly RunEvent[] }
  /** Write these down; nothing begins any more. */
  | { readonly next: "stop"; readonly append: readonly RunEvent[] }
  /** Write these down. Whoever is at it goes on from there; nobody: whoever takes it up. */
  | { readonly next: "note"; readonly append: readonly RunEvent[] }
  /** Its executor is told the same, and decides. */
  | { readonly next: "tell" }
  /** Look on until the executor is gone, then ask again. */
  | { readonly next: "follow" }
  /** All there is to know stands in the journal. */
  | { readonly next: "report" }
  | { readonly next: "refuse"; readonly code: ErrorCode; readonly message: string; readonly hint: string };

export function decide(state: RunState, command: RunCommand, executor: Executor): RunDecision {
  switch (command.kind) {
    case "attach":
      return decideAttach(state, command, executor);
    case "resume":
      return decideResume(state, command, executor);
    case "pause":
      return decidePause(state, command, executor);
    case "abort":
      return state.wish === "ask" && state.outcome === null
        ? decideRefuse(state, command, executor)
        : decideAbort(state, command, executor);
    case "approve":
      return decideApprove(state, command, executor);
    case "refuse":
      return decideRefuse(state, command, executor);
  }
}

const NOTHING: RunDecision = { next: "stop", append: [] };

function decideApprove(state: RunState, { at, by }: RunCommand, executor: Executor): RunDecision {
  if (state.outcome !== null) return over(state, noLongerAsked(state));
  if (state.wish !== "ask")
    return state.approvedBy === null ? notWaiting(state, "it began without being asked about") : NOTHING_TO_NOTE;
  if (executor === "other") return { next: "tell" };
  return { next: "note", append: [{ event: "approved", at, by }] };
}

function decideRefuse(state: RunState, { at, by, reason }: RunCommand, executor: Executor): RunDecision {
  if (state.outcome === "refused") return NOTHING_TO_NOTE;
  if (state.outcome !== null) return over(state, noLongerAsked(state));
  if (state.wish !== "ask") {
    const { approvedBy } = state;
    return notWaiting(state, approvedBy === null ? "it began without being asked about" : `${approvedBy} approved it`);
  }
  if (executor === "other") return { next: "tell" };
  const why = reason === undefined ? {} : { reason };
  return { next: "note", append: [{ event: "ended", at, outcome: "refused", by, ...why }] };
}

const NOTHING_TO_NOTE: RunDecision = { next: "note", append: [] };
/** Of a run that an answer comes too late for. */
const noLongerAsked = ({ steps }: RunState): string =>
  `${steps.size === 0 ? "nothing of it is done" : "what it did stays done"}; odorobo runs list shows what waits now`;

const notWaiting = ({ begun: { run } }: RunState, why: string): RunDecision => ({
  next: "refuse",
  code: "RUN_NOT_WAITING",
  message: `the run ${run} does not wait for an answer: ${why}`,
  hint: `odorobo runs abort ${run} stops it`,
});

const waits = ({ begun: { run } }: RunState): RunDecision => ({
  next: "refuse",
  code: "RUN_WAITING",
  message: `the run ${run} waits for an approval, and nothing of it has begun`,
  hint: `odorobo runs show ${run} shows what it would do; odorobo runs approve ${run}, or runs refuse`,
});

function decideAttach(state: RunState, { at, by }: RunCommand, executor: Executor): RunDecision {
  if (state.outcome !== null) return { next: "report" };
  if (executor !== "nobody") return { next: "follow" };
  switch (state.wish) {
    case "ask":
      return { next: "report" };
    case "run":
      return { next: "execute", append: [{ event: "taken-up", at, by }] };
    case "pause":
      return { next: "report" };
    case "abort":
      // Its executor was lost before it could say so.
      return { next: "stop", append: ended(state, at) };
  }
}

function decideResume(state: RunState, command: RunCommand, executor: Executor): RunDecision {
  const { at, by } = command;
  if (state.outcome !== null || state.wish === "abort")
    return over(state, "a run that is over is not carried on: make a new plan, odorobo plan");
  if (state.wish === "ask") return waits(state);
  // While it is being paused its executor has to come to an end first.
  if (executor !== "nobody") return { next: "follow" };
  if (state.wish === "run") return decideAttach(state, command, executor);
  return { next: "execute", append: [{ event: "resumed", at, by }] };
}

function decidePause(state: RunState, { at, by }: RunCommand, executor: Executor): RunDecision {
  if (state.outcome !== null || state.wish === "abort") return over(state, "nothing of it begins any more");
  if (state.wish === "ask") return waits(state);
  if (state.wish === "pause") return NOTHING;
  if (executor === "other") return { next: "tell" };
  return { next: "stop", append: [{ event: "paused", at, by }] };
}

function decideAbort(state: RunState, { at, by }: RunCommand, executor: Executor): RunDecision {
  if (state.outcome === "aborted") return NOTHING;
  if (state.outcome !== null) return over(state, "what was done stays done; odorobo plan shows what is left");
  if (executor === "other") return { next: "tell" };
  const aborted: RunEvent[] = state.wish === "abort" ? [] : [{ event: "aborted", at, by }];
  // With nobody at it, there is nothing to wait for.
  return {
    next: "stop",
    append: executor === "nobody" ? [...aborted, ...ended({ ...state, wish: "abort" }, at)] : aborted,
  };
}

function ended(state: RunState, at: Instant): RunEvent[] {
  const end = endOf(state, at);
  return end === null ? [] : [end];
}

function over({ begun, outcome, by, reason }: RunState, hint: string): RunDecision {
  const why = reason === null ? "" : ` (${reason})`;
  const whom = outcome === "refused" ? ` by ${by}` : "";
  const how = outcome === null ? `is being aborted by ${by}` : `has ended: ${outcome}${whom}${why}`;
  return { next: "refuse", code: "RUN_OVER", message: `the run ${begun.run} ${how}`, hint };
}

/** How a run ends that nobody is at any more: by what became of its steps, whatever was asked meanwhile. Null: it is carried on later. */
export function endOf(state: RunState, at: Instant): RunEvent | null {
  if (state.outcome !== null || state.wish === "ask") return null;
  const endings = [...state.steps.values()].filter((each) => each.kind === "ended");
  if (endings.length < state.begun.steps)
    return state.wish === "abort" ? { event: "ended", at, outcome: "aborted" } : null;
  const isDone = endings.every(({ event }) => event.event === "step-succeeded");
  return { event: "ended", at, outcome: isDone ? "done" : "failed" };
}
