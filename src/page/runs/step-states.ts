/** What became of each step so far, from the journal. Pure. */
import type { StepReport } from "../../apply/apply-report.ts";
import type { RunState } from "../../run/state.ts";
import type { StepNow } from "../plan/schedule.tsx";

const TO_COME: StepNow = { state: "to-come", since: null, milliseconds: null, said: null };

/** Of steps that nothing was told of: to come. */
export function stepStates(state: RunState, ids: readonly string[]): ReadonlyMap<string, StepNow> {
  return new Map(ids.map((id) => [id, stateOf(state, id)]));
}

function stateOf({ steps }: RunState, id: string): StepNow {
  const progress = steps.get(id);
  if (progress === undefined) return TO_COME;
  if (progress.kind === "in-flight") return { ...TO_COME, state: "in-flight", since: progress.since };
  const { event } = progress;
  switch (event.event) {
    case "step-succeeded":
      return {
        state: "done",
        since: null,
        milliseconds: event.noop ? null : event.milliseconds,
        said: event.warnings?.join(" ") ?? (event.noop ? "it was so already" : null),
      };
    case "step-failed":
      return { state: "failed", since: null, milliseconds: event.milliseconds, said: sayError(event.error) };
    case "step-skipped":
      return { state: "skipped", since: null, milliseconds: null, said: event.skippedBecause };
  }
}

const sayError = (error: StepReport["error"]): string | null =>
  error === null ? null : `${error.message} (${error.code})${error.hint == null ? "" : `. ${error.hint}`}`;

export interface Counts {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly inFlight: number;
}

export function countSteps(states: ReadonlyMap<string, StepNow>): Counts {
  const counts = { done: 0, failed: 0, skipped: 0, inFlight: 0 };
  for (const { state } of states.values()) {
    if (state === "in-flight") counts.inFlight++;
    else if (state !== "to-come") counts[state]++;
  }
  return counts;
}
