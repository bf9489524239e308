/** What the loop needs of the world, as small interfaces: sources, agents and clocks of another kind come in here. */
import type { ApplyEvent } from "../../apply/apply-report.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant, VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import type { LoopEvent, LoopState, Told } from "../revision/loop-state.ts";
import type { RevisionId } from "../revision/revision.ts";

export interface ReadRevision {
  readonly fleet: Fleet;
  readonly isDoubtful: boolean;
}

export interface SeenRevision {
  readonly id: RevisionId;
  /** For people: what made us look. */
  readonly what: string;
  /** Null: no git. */
  readonly commit: string | null;
}

/** Where revisions come from: a folder that is watched, a repository that is polled. */
export interface RevisionSource {
  /** The first one at once, then each that may be another. Ends by rejecting with the signal's reason. */
  revisions(signal: AbortSignal): AsyncIterable<SeenRevision>;
  /**
   * `since`: the commit of the revision in force; null: there is none, or no git. Rejects as `loadFleet` does, and with
   * SOURCE_REWOUND when its history does not contain `since`.
   */
  read(id: RevisionId, since: string | null, signal: AbortSignal): Promise<ReadRevision>;
}

/** Why there may be revisions that we do not see: what is in force is kept at meanwhile. */
export interface SourceTrouble {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly since: Instant;
}

export type ApplyEnd = Pick<Extract<LoopEvent, { readonly event: "ended" }>, "run" | "outcome" | "undone" | "because">;

export type RunListener = (event: ApplyEvent, run: string) => void;

export interface World {
  /** Before the first plan of a revision, and when it comes into force. */
  know(fleet: Fleet, signal: AbortSignal): Promise<void>;
  /** Rejects as `planFleet` does. */
  plan(fleet: Fleet, leaveOut: readonly VmName[], signal: AbortSignal): Promise<PlannedFleet>;
  /** As a run. Never rejects for what became of its steps. */
  apply(planned: PlannedFleet, approvedBy: string | null, onEvent: RunListener): Promise<ApplyEnd>;
  /** Resolves when nobody executes that run any more. */
  released(run: string, signal: AbortSignal): Promise<void>;
  /** Each reason to look at the fleet again, of the agents of the fleet last known. Ends as `revisions`. */
  changes(signal: AbortSignal): AsyncIterable<string>;
}

export interface LoopParts {
  readonly source: RevisionSource;
  readonly world: World;
  readonly clock: Clock;
  /** Null: it is not to be taken up again. */
  readonly memory: LoopMemory | null;
}

/** What a loop remembers over kill -9. */
export interface LoopMemory {
  /** Null: nothing is remembered, or it cannot be understood. */
  load(): Promise<LoopState | null>;
  /** Kept when this returns, which is before anything is done of what was decided. Throws FILE_UNWRITABLE. */
  keep(state: LoopState): void;
}

/** One that is told what is to be seen of a loop. Each method may do nothing; none may throw or wait. */
export interface LoopWatcher {
  told(told: Told, at: string): void;
  /** A plan waits for an answer, as that run; null: it could not be kept as one. */
  asked(revision: RevisionId, planned: PlannedFleet, run: string | null): void;
  /** After each decision. */
  changed(state: LoopState): void;
  /** A plan was made, of what the agents said. */
  seen?(planned: PlannedFleet): void;
  applying?(event: ApplyEvent, run: string): void;
  /** Null: it is well again. */
  source?(trouble: SourceTrouble | null): void;
}
