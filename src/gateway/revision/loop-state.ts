/** All that the loop of one fleet remembers. A value: the same state and events, the same acts. */
import type { Digest, Instant, VmName } from "../../model/names.ts";
import type { ChangeFacts, PlanFacts } from "./plan-facts.ts";
import type { Because, Revision, RevisionId } from "./revision.ts";

export interface LoopState {
  /** Oldest first: all that are not over, the one in force, and the latest that ended. */
  readonly revisions: readonly Revision[];
  /** The last one that was not refused: what guests are kept at. */
  readonly inForce: RevisionId | null;
  readonly reading: RevisionId | null;
  /** A fleet has one at a time. */
  readonly turn: Turn | null;
  readonly asked: Asked | null;
  /** Why the world is to be looked at again; null: there is no reason to. */
  readonly look: string | null;
  /** Who else has the fleet, for people: their run, or their loop. */
  readonly heldBy: string | null;
  /** Applies and plans of the revision in force that failed, one after another. */
  readonly failures: number;
  /** After a failure: when to look again at the earliest. */
  readonly notBefore: Instant | null;
  /** When the next window opens that something waits for. */
  readonly opens: Instant | null;
  /** What was last told of drift. */
  readonly drift: readonly string[];
}

export type Turn =
  | {
      readonly kind: "planning";
      readonly revision: RevisionId;
      /** Drift that is not reverted, and what a person turned down. */
      readonly left: readonly VmName[];
      /** What is to be asked for when the rest is done. */
      readonly aside: readonly VmName[];
      /** What is left to the policy's windows. */
      readonly later: readonly VmName[];
      /** All that is left is asked for at once: the rest hangs on what must be asked for. */
      readonly isTogether: boolean;
    }
  | {
      readonly kind: "applying";
      readonly revision: RevisionId;
      readonly plan: PlanFacts;
      /** It leaves no change of the revision out. */
      readonly isWhole: boolean;
      readonly approvedBy: string | null;
      /** The id that its run has, or would have had. */
      readonly run: string;
    };

/** A plan that waits for a person, and is applied as it is or not at all. */
export interface Asked {
  readonly revision: RevisionId;
  readonly plan: PlanFacts;
  readonly isWhole: boolean;
  readonly approvedBy: string | null;
  /** The run that waits. */
  readonly run: string;
  /** Approved, and an agent that it needs is silent: when it is tried again, if nothing is heard before. Left out: at once. */
  readonly notBefore?: Instant;
}

export const NOTHING_SEEN: LoopState = {
  revisions: [],
  inForce: null,
  reading: null,
  turn: null,
  asked: null,
  look: null,
  heldBy: null,
  failures: 0,
  notBefore: null,
  opens: null,
  drift: [],
};

/** What comes in. `seen` and `look` from outside, the rest answers acts. */
export type LoopEvent =
  | { readonly event: "seen"; readonly revision: RevisionId; readonly what: string; readonly commit: string | null }
  | ({ readonly event: "read"; readonly revision: RevisionId; readonly digest: Digest } & Pick<
      Revision,
      "policy" | "isDoubtful"
    >)
  | { readonly event: "unreadable"; readonly revision: RevisionId; readonly because: Because }
  /** `run`: the id that a run of it will have, of no run before. */
  | { readonly event: "planned"; readonly revision: RevisionId; readonly plan: PlanFacts; readonly run: string }
  /** It was not planned: somebody else turns the fleet. */
  | { readonly event: "held"; readonly revision: RevisionId; readonly by: Holder }
  | { readonly event: "unplannable"; readonly revision: RevisionId; readonly because: Because }
  | {
      readonly event: "ended";
      readonly revision: RevisionId;
      readonly plan: string;
      /** Null: nothing of it was begun. */
      readonly run: string | null;
      /**
       * `stopped`: a person paused or aborted it. `stale`: a VM has moved on since the plan was made. `held`: somebody else's
       * run has the fleet, of which `run` is the id. `away`: what was approved needs an agent that is silent; its run is there still.
       */
      readonly outcome: "done" | "failed" | "stopped" | "stale" | "held" | "away";
      /** VMs of which not all was done. */
      readonly undone: readonly VmName[];
      readonly because: Because | null;
      /** Of `held`. */
      readonly heldBy?: Holder;
    }
  /** What was asked about is kept nowhere, or was ended by others: it is asked anew. */
  | { readonly event: "unasked"; readonly revision: RevisionId; readonly plan: string }
  /** The loop was ended in the middle, and this is the next one with the same memory. */
  | { readonly event: "taken-up" }
  | { readonly event: "look"; readonly why: string }
  | { readonly event: "released" }
  | {
      readonly event: "approve" | "decline";
      readonly revision: RevisionId;
      readonly plan: string;
      readonly by: string;
      /** In their words, if they gave one. */
      readonly reason?: string | undefined;
    }
  /** Time has passed. */
  | { readonly event: "tick" };

export type Act =
  | { readonly act: "read"; readonly revision: RevisionId }
  | { readonly act: "plan"; readonly revision: RevisionId; readonly leaveOut: readonly VmName[] }
  /** The very plan that was made under this id. */
  | {
      readonly act: "apply";
      readonly revision: RevisionId;
      readonly plan: PlanFacts;
      readonly approvedBy: string | null;
      readonly run: string;
    }
  | { readonly act: "ask"; readonly revision: RevisionId; readonly plan: PlanFacts; readonly run: string }
  /** The run that waits ends: nobody wants it any more, or somebody turned it down. */
  | {
      readonly act: "withdraw";
      readonly run: string;
      readonly outcome: "refused" | "replaced";
      readonly by: string | null;
      readonly reason: string;
    }
  | { readonly act: "tell"; readonly told: Told };

export type Told =
  /** It stands otherwise than before. `again`: as it did, and whoever began this loop may not have been told. */
  | { readonly kind: "revision"; readonly revision: Revision; readonly again?: true }
  | { readonly kind: "drift"; readonly reverted: readonly ChangeFacts[]; readonly left: readonly ChangeFacts[] }
  /** Keeping guests at the revision in force did not work. */
  | { readonly kind: "trouble"; readonly revision: RevisionId; readonly because: Because }
  | { readonly kind: "void"; readonly revision: RevisionId; readonly plan: string; readonly by: string }
  | ({ readonly kind: "held" } & Holder)
  /** Nothing new is begun before what the loop remembers can be written down. */
  | { readonly kind: "unkept"; readonly because: Because };

/** Who else has the fleet. */
export interface Holder {
  /** Null: none of it is under way. */
  readonly run: string | null;
  /** For people: `odorobo watch of me@laptop, process 4711`. */
  readonly by: string | null;
  readonly since: Instant | null;
}

export function showHolder({ run, by, since }: Holder): string {
  const who = [run === null ? null : `the run ${run}`, by].filter((each) => each !== null).join(" of ");
  return `${who === "" ? "somebody else" : who}${since === null ? "" : `, since ${since}`}`;
}

/** A state that was kept, for the next loop: what the last one was at is not under way any more, but for what is a run. */
export const awakened = (state: LoopState): LoopState => ({
  ...state,
  reading: null,
  heldBy: null,
  turn: state.turn?.kind === "planning" ? null : state.turn,
});

/** When `decide` wants to be asked again though nothing happened; null: never. */
export function wakeAt({ look, notBefore, opens, asked }: LoopState): Instant | null {
  const times = [look === null ? null : notBefore, opens, asked?.notBefore ?? null]
    .filter((each) => each !== null)
    .sort();
  return times[0] ?? null;
}
