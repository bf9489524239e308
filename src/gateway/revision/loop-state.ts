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
  /** Somebody else's run, which has the fleet. */
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
    };

/** A plan that waits for a person, and is applied as it is or not at all. */
export interface Asked {
  readonly revision: RevisionId;
  readonly plan: PlanFacts;
  readonly isWhole: boolean;
  readonly approvedBy: string | null;
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
  | { readonly event: "planned"; readonly revision: RevisionId; readonly plan: PlanFacts }
  | { readonly event: "unplannable"; readonly revision: RevisionId; readonly because: Because }
  | {
      readonly event: "ended";
      readonly revision: RevisionId;
      readonly plan: string;
      /** Null: nothing of it was begun. */
      readonly run: string | null;
      /**
       * `stopped`: a person paused or aborted it. `stale`: a VM has moved on since the plan was made. `held`: somebody else's
       * run has the fleet, of which `run` is the id.
       */
      readonly outcome: "done" | "failed" | "stopped" | "stale" | "held";
      /** VMs of which not all was done. */
      readonly undone: readonly VmName[];
      readonly because: Because | null;
    }
  | { readonly event: "look"; readonly why: string }
  | { readonly event: "released" }
  | { readonly event: "approve" | "decline"; readonly revision: RevisionId; readonly plan: string; readonly by: string }
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
    }
  | { readonly act: "ask"; readonly revision: RevisionId; readonly plan: PlanFacts }
  | { readonly act: "tell"; readonly told: Told };

export type Told =
  /** It stands otherwise than before. */
  | { readonly kind: "revision"; readonly revision: Revision }
  | { readonly kind: "drift"; readonly reverted: readonly ChangeFacts[]; readonly left: readonly ChangeFacts[] }
  /** Keeping guests at the revision in force did not work. */
  | { readonly kind: "trouble"; readonly revision: RevisionId; readonly because: Because }
  | { readonly kind: "void"; readonly revision: RevisionId; readonly plan: string; readonly by: string }
  | { readonly kind: "held"; readonly run: string };

/** When `decide` wants to be asked again though nothing happened; null: never. */
export function wakeAt({ look, notBefore, opens }: LoopState): Instant | null {
  const times = [look === null ? null : notBefore, opens].filter((each) => each !== null).sort();
  return times[0] ?? null;
}
