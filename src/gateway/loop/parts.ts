/** What the loop needs of the world, as small interfaces: sources, agents and clocks of another kind come in here. */
import type { VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import type { LoopEvent, LoopState, Told } from "../revision/loop-state.ts";
import type { RevisionId } from "../revision/revision.ts";

export interface ReadRevision {
  readonly fleet: Fleet;
  readonly isDoubtful: boolean;
}

/** Where revisions come from: a folder that is watched, a repository that is polled. */
export interface RevisionSource {
  /** The first one at once, then each that may be another. Ends by rejecting with the signal's reason. */
  revisions(signal: AbortSignal): AsyncIterable<{ readonly id: RevisionId; readonly what: string }>;
  /** Rejects as `loadFleet` does. */
  read(id: RevisionId, signal: AbortSignal): Promise<ReadRevision>;
}

export type ApplyEnd = Pick<Extract<LoopEvent, { readonly event: "ended" }>, "run" | "outcome" | "undone" | "because">;

export interface World {
  /** Before the first plan of a revision, and when it comes into force. */
  know(fleet: Fleet, signal: AbortSignal): Promise<void>;
  /** Rejects as `planFleet` does. */
  plan(fleet: Fleet, leaveOut: readonly VmName[], signal: AbortSignal): Promise<PlannedFleet>;
  /** As a run. Never rejects for what became of its steps. */
  apply(planned: PlannedFleet, approvedBy: string | null): Promise<ApplyEnd>;
  /** Resolves when nobody executes that run any more. */
  released(run: string, signal: AbortSignal): Promise<void>;
  /** Each reason to look at the fleet again, of the agents of the fleet last known. Ends as `revisions`. */
  changes(signal: AbortSignal): AsyncIterable<string>;
}

export interface LoopParts {
  readonly source: RevisionSource;
  readonly world: World;
  readonly clock: Clock;
}

/** What is to be seen of a loop. */
export interface LoopWatcher {
  told(told: Told, at: string): void;
  /** A plan waits for an answer. */
  asked(revision: RevisionId, planned: PlannedFleet): void;
  /** After each decision. */
  changed(state: LoopState): void;
}
