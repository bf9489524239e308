/**
 * Where runs are kept, as seen by whoever executes or watches one. On this machine: `run-store/`; an agent or a gateway may keep
 * them elsewhere, and they look the same.
 */
import type { Instant } from "../model/names.ts";
import type { Plan } from "../plan/plan-document.ts";
import type { RunOrder } from "./decide.ts";
import type { RunBegun, RunEvent } from "./journal.ts";
import type { RunState } from "./state.ts";

export interface KnownRun {
  readonly id: string;
  readonly state: RunState;
  /** Somebody is at it right now. */
  readonly isExecuted: boolean;
}

/** Kept, but not to be understood: by a newer odorobo, or damaged. */
export interface UnreadableRun {
  readonly id: string;
  readonly problem: string;
}

export interface KnownRuns {
  /** Latest first. */
  readonly runs: readonly KnownRun[];
  readonly unreadable: readonly UnreadableRun[];
}

/** Held by the one who executes the run. It ends with the process, however that ends. */
export interface RunClaim extends AsyncDisposable {
  readonly id: string;
  readonly plan: Plan;
  /** With all that was appended. */
  state(): RunState;
  /**
   * What happens next to the run: in `state()` at once, and kept before `settled` resolves. Nothing is done because of it, and nobody is
   * told, before that. Throws FILE_UNWRITABLE.
   */
  append(event: RunEvent): void;
  /**
   * Resolves when all that was appended is kept, and this process may act on it now. At once where runs are kept in a file; where they
   * are kept by others it may take as long as they are away. Rejects when it is another's to act by now.
   */
  settled(): Promise<void>;
  /** What others want of the run from here on. What `listener` throws is their error. */
  onCommand(listener: (order: RunOrder) => void): void;
}

export type Seat =
  /** Until it is disposed of, or the process ends. */
  | ({ readonly kind: "ours" } & AsyncDisposable)
  /** Null: it is just being taken, or let go. */
  | { readonly kind: "taken"; readonly by: string | null; readonly since: Instant | null };

export interface RunStore {
  /** Runs are carried out and written by another process, of another machine say: all that is wanted of them goes there, by `tell`. */
  isElsewhere(): boolean;
  /** The plan and the journal's first event are kept when this resolves. */
  create(plan: Plan, begun: RunBegun): Promise<RunClaim>;
  list(): Promise<KnownRuns>;
  /** Rejects with NOT_FOUND or RUN_UNREADABLE. `id` may be the beginning of one. */
  find(id: string): Promise<KnownRun>;
  plan(id: string): Promise<Plan>;
  /** Null: another executes it. */
  claim(id: string): Promise<RunClaim | null>;
  /** Everything in the journal, then what is added, until its executor is gone. */
  follow(id: string, signal: AbortSignal): AsyncIterable<RunEvent>;
  /** Tells the executor; false: there is none. Rejects with its refusal. */
  tell(id: string, order: RunOrder): Promise<boolean>;
  /** What one process at a time may have. `by`: for whoever finds it taken. Rejects with FILE_UNWRITABLE. */
  seat(name: string, by: string, at: Instant): Promise<Seat>;
}
