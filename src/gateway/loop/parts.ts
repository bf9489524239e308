/** What the loop needs of the world, as small interfaces: sources, agents and clocks of another kind come in here. */
import type { ApplyEvent } from "../../apply/apply-report.ts";
import type { ErrorCode } from "../../model/errors.ts";
import type { Instant, VmName } from "../../model/names.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RunOrder } from "../../run/decide.ts";
import type { PlannedFleet } from "../../turn/plan-fleet.ts";
import type { Fleet } from "../../turn/read-fleet.ts";
import {
  type Act,
  type Holder,
  type LoopEvent,
  type LoopState,
  showHolder,
  type Told,
} from "../revision/loop-state.ts";
import type { Because, Revision, RevisionId } from "../revision/revision.ts";

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
  /**
   * Before the first revision, where an earlier loop has seen some: their ids are given to nothing else, and those of git can be read again.
   * Left out: its ids are the same in every process.
   */
  recall?(revisions: readonly Pick<Revision, "id" | "commit" | "standing">[]): void;
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
  /** How many looks in a row have failed. */
  readonly looks: number;
}

export type ApplyEnd = Pick<
  Extract<LoopEvent, { readonly event: "ended" }>,
  "run" | "outcome" | "undone" | "because" | "heldBy"
>;

export interface AskOrder {
  readonly run: string;
  readonly revision: RevisionId;
  /** Null: an earlier loop made the plan, and asked about it. */
  readonly planned: PlannedFleet | null;
  /** What that revision says. Rejects when it cannot be read any more. */
  readonly fleet: () => Promise<Fleet>;
}

export interface ApplyOrder extends Omit<AskOrder, "revision"> {
  readonly approvedBy: string | null;
  /** It does not go on for a while, and does when that is over. */
  readonly onTrouble: (because: Because) => void;
}

export type Asked =
  /** `planned` null: what it would do cannot be shown here any more. */
  | { readonly kind: "waits"; readonly planned: PlannedFleet | null }
  | { readonly kind: "approved" | "refused"; readonly by: string; readonly reason?: string | undefined }
  /** Nobody is asked by it. */
  | { readonly kind: "gone" };

export interface Answers {
  /** Why an answer counts for nothing; null: it counts. */
  whyVoid(): string | null;
  /** It stands in the run's journal. */
  answered(answer: "approve" | "decline", by: string, reason?: string): void;
}

export type Withdrawal = Omit<Extract<Act, { readonly act: "withdraw" }>, "act">;

export type RunListener = (event: ApplyEvent, run: string) => void;

/** Of one loop, and closed by it. */
export interface World extends AsyncDisposable {
  /** Before the first plan of a revision, and when it comes into force. */
  know(fleet: Fleet, signal: AbortSignal): Promise<void>;
  /** Rejects as `planFleet` does, and with `HeldElsewhere`. */
  plan(fleet: Fleet, leaveOut: readonly VmName[], signal: AbortSignal): Promise<PlannedFleet>;
  /**
   * Before anything else. Runs of earlier loops that nobody is at are ended, but for those that are remembered. `holder`: the same for
   * every loop with the same memory; null: there is none.
   */
  begin(memory: { readonly remembered: ReadonlySet<string>; readonly holder: string | null }): Promise<void>;
  /** The id that a new run will have. */
  newRun(): string;
  /** As a run, the one of that id. Never rejects for what became of its steps. */
  apply(order: ApplyOrder, onEvent: RunListener): Promise<ApplyEnd>;
  /** As a run that waits until it is approved, refused or withdrawn. Rejects with FILE_UNWRITABLE when it cannot be kept. */
  ask(order: AskOrder, answers: Answers): Promise<Asked>;
  /** Somebody answers here. False: the run is kept nowhere. Throws as its executor's door does. */
  order(run: string, order: RunOrder): boolean;
  /** Of one that is over, nothing changes. */
  withdraw(withdrawal: Withdrawal): Promise<void>;
  /** Resolves when that one does not have the fleet any more. */
  released(holder: Holder, signal: AbortSignal): Promise<void>;
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

/** Another loop turns that fleet. */
export class HeldElsewhere extends Error {
  readonly holder: Holder;

  constructor(holder: Holder) {
    super(showHolder(holder));
    this.holder = holder;
  }
}

/** What a loop remembers over kill -9. */
export interface LoopMemory {
  /** Of whoever has this memory, now and later. No two memories have the same. */
  holder(): string;
  /** Resolves when nobody else has it, and keeps it so until it is disposed of. `onHeld`: somebody has. */
  own(signal: AbortSignal, onHeld: (holder: Holder) => void): Promise<AsyncDisposable>;
  /** Null: nothing is remembered, or it cannot be understood. */
  load(): Promise<LoopState | null>;
  /**
   * Kept when this returns, or when what it returns resolves: nothing is done before of what was decided. Throws, or rejects, with
   * FILE_UNWRITABLE, or because it is another's to remember by now.
   */
  keep(state: LoopState): void | Promise<void>;
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
