/**
 * What differs, VM by VM, in the words that all of the flow shares: found by `reconcile/`, homed by `placement/`, ordered by
 * `schedule/`, kept in `plan/`, told by `report/`. Described by `schemas/plan.schema.json`; no secrets in it.
 */
import type { Amount } from "./capacity.ts";
import type { ChangeClass } from "./change-class.ts";
import type { SourcePosition } from "./desired-state.ts";
import type { Instant, NodeName, VmName } from "./names.ts";
import type { ImageProblem } from "./observed-state.ts";

/** A VM as an agent reported it: what a step is planned against. */
export interface SeenVm {
  readonly node: NodeName;
  readonly generation: number;
  readonly serial: number;
}

/** Patterns are names, globs (`web-*`) or labels (`app=web`). */
export interface Selection {
  readonly targets: readonly string[];
  readonly excludes: readonly string[];
}

/** What happens to a VM, in one word. */
export const ACTIONS = ["create", "boot", "update", "migrate", "reboot", "stop", "replace", "destroy"] as const;
export type Action = (typeof ACTIONS)[number];

/** Symbols users see before a change, as terraform's: the constant is the symbol. */
export const ACTION_SYMBOLS: Readonly<Record<Action, string>> = {
  create: "+",
  boot: ">",
  update: "~",
  migrate: "»",
  reboot: "!",
  stop: ".",
  replace: "∓",
  destroy: "-",
};

export interface Change {
  readonly kind: "VirtualMachine";
  readonly name: VmName;
  /** Where it is, or will be made. */
  readonly node: NodeName;
  /** For a replace that changes nodes: where it comes from. */
  readonly fromNode: NodeName | null;
  readonly action: Action;
  readonly class: ChangeClass;
  /** Why. Shown, never branched on. Never empty. */
  readonly reasons: readonly Reason[];
  /** How big it is once all is done; left out of one that goes, and in plans of before. */
  readonly size?: Amount;
  /** Milder ways to the same that would not do; left out where there is none. Shown, never branched on. */
  readonly rejected?: readonly RejectedChain[];
}

/** A milder way, and why it would not do. */
export interface RejectedChain {
  /** The classes of its acts, in order: `migrate`, `live`. */
  readonly chain: readonly ChangeClass[];
  /** Dotted path of the field it is about, or null when it is about the VM as a whole. */
  readonly field: string | null;
  /** The end of a sentence: `it is paused`. */
  readonly because: string;
}

/** A change that the plan does nothing for: its class is left to a window that is not open. */
export interface Waiting {
  readonly change: Change;
  readonly window: {
    /** Null, as `closes`: nobody has written a window for it. */
    readonly opens: Instant | null;
    readonly closes: Instant | null;
    /** For people: `Sun 02:00-04:00 UTC, of group web`. */
    readonly text: string;
    /** Where the window is written; without one, where the policy asks for it. */
    readonly source: SourcePosition | null;
  };
}

export interface Reason {
  /**
   * `git`: desired differs from last applied. `drift`: someone else changed it. `pending`: it was applied and waits for the guest, or for
   * its next boot. `state`: it does not run, or should not. `placement`: its home.
   */
  readonly because: "git" | "drift" | "pending" | "state" | "placement";
  /** Dotted path of the field, or null when it is about the VM as a whole. */
  readonly field: string | null;
  readonly from: unknown;
  readonly to: unknown;
  readonly class: ChangeClass;
  /** A sentence for people. Where the class could be milder elsewhere, it says why it is not. */
  readonly text: string;
  /** Where the manifests say so. */
  readonly source: SourcePosition | null;
}

export interface Unknown {
  readonly kind: "Node" | "VirtualMachine";
  readonly name: string;
  readonly node: NodeName | null;
  readonly because: string;
  /** What to do so that it is seen again. Of nodes alone. */
  readonly hint?: string;
}

export interface Blocked {
  readonly name: VmName;
  readonly code:
    | "PROTECTED"
    | "UNPLACEABLE"
    | "UNSUPPORTED"
    | "SHRINK"
    | "FOREIGN"
    | "TWO_HOMES"
    | "STALLED"
    | "NOT_MOVABLE"
    | ImageProblem["code"];
  readonly message: string;
  /** The same for whoever reads lines: what is the matter, then what each node says. Left out: it is one sentence. */
  readonly lines?: readonly string[];
  readonly hint: string;
  readonly source: SourcePosition | null;
  /** Ways that were tried and would not do; left out where none was. Shown, never branched on. */
  readonly rejected?: readonly RejectedChain[];
  /** Of one that fits nowhere: how many nodes each filter left, in the order in which they are asked. */
  readonly filters?: readonly PlacementFilter[];
  /** Of one that fits nowhere, or for which a rule does not hold: what cannot be had together. */
  readonly conflict?: PlacementConflict;
}

/**
 * What a node is asked, in this order. `nodes`: all there are. `candidates`: where its disks are, or any but the one it has to leave.
 * `able`: a hypervisor that can run it, or take it in. `files`: images, bridges and what else it needs of the node.
 */
export const PLACEMENT_FILTERS = [
  "nodes",
  "candidates",
  "placement",
  "answers",
  "open",
  "able",
  "files",
  "name",
  "anti-affinity",
  "affinity",
  "spread",
  "room",
] as const;
export type FilterName = (typeof PLACEMENT_FILTERS)[number];

/** Each counts the nodes that are left of those before. */
export interface PlacementFilter {
  readonly filter: FilterName;
  readonly left: number;
}

/** What each filter lets through, as the end of a sentence: `480 allowed by its placement`. */
export const FILTER_WORDS: Readonly<Record<FilterName, string>> = {
  nodes: "in the fleet",
  candidates: "to choose from",
  placement: "allowed by its placement",
  answers: "that answer",
  open: "that take newcomers",
  able: "whose hypervisor can run it",
  files: "with the files and bridges it needs",
  name: "where its name is free",
  "anti-affinity": "by anti-affinity",
  affinity: "by affinity",
  spread: "by spread",
  room: "with room",
};

/** Constraints that cannot be had together, while any of them fewer can: one at least has to change. Others may be in the way besides. */
export interface PlacementConflict {
  readonly constraints: readonly {
    readonly kind: "placement" | "others-placement" | "closed" | "immovable" | "room" | "rule";
    /** For people. */
    readonly text: string;
  }[];
  /** It takes for granted that the others stay where they are: the fleet is too big, or too much else is wrong, to try more. */
  readonly othersStay: boolean;
}
