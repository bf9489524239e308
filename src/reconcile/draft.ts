/** What the difference of one VM comes to, before it is known where: a change where it is, or a home to be found. */
import type { Amount } from "../model/capacity.ts";
import type { ChangeClass } from "../model/change-class.ts";
import type { Action, Reason, RejectedChain, SeenVm } from "../model/changes.ts";
import type { DesiredVm, SourcePosition } from "../model/desired-state.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { HypervisorReport } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { KeptDisks } from "./locate-vms.ts";

/** What a VM that exists needs. */
export interface Draft {
  readonly name: VmName;
  readonly node: NodeName;
  readonly action: Action;
  readonly class: ChangeClass;
  readonly reasons: readonly Reason[];
  /** Milder ways that would not do; left out: none. */
  readonly rejected?: readonly RejectedChain[];
  readonly seen: SeenVm;
  /** The spec to give it first; null: it has the right one. */
  readonly put: VmSpec | null;
  readonly power: "boot" | "reboot" | "shutdown" | "pause" | "resume" | "delete" | null;
  /** It is stopped for its node's maintenance, and nobody starts it before that is over. */
  readonly staysDown: boolean;
  /** After the reboot it stands still again: its node is in maintenance. */
  readonly restsAfter: boolean;
  /** What it holds of its node now and afterwards. */
  readonly before: Amount;
  readonly after: Amount;
  /** How it could do all that on another node. */
  readonly departure: Departure;
  readonly group: string | null;
  readonly source: SourcePosition | null;
}

/** How a VM could go to another node: what is needed to tell whether that node can take it. */
export type Departure =
  | {
      readonly kind: "able";
      readonly vm: DesiredVm;
      /** As desired. */
      readonly spec: VmSpec;
      readonly remains: readonly KeptDisks[];
      /** What it is sent with, and by what. */
      readonly applied: VmSpec;
      readonly by: HypervisorReport;
      readonly how: Manner;
    }
  /** `why`: the end of a sentence, `it is paused`. */
  | { readonly kind: "rooted"; readonly why: string };

/**
 * - `live`: as it runs. `orCold`: were there no other way, it could be stopped for it.
 * - `cold`: off, with its disks. `runs`: it is stopped for that, because of `why` (the end of a sentence).
 */
export type Manner =
  | { readonly mode: "live"; readonly orCold: boolean }
  | { readonly mode: "cold"; readonly runs: boolean; readonly why: string };

/** A VM that goes to another node with what it has. */
export interface Travel {
  readonly how: Manner;
  readonly applied: VmSpec;
  readonly by: HypervisorReport;
  /** What is done to it once it is there, at least nothing. */
  readonly draft: Draft;
}

/** A VM that needs a home: it is new, or it must leave the one it has (`from`). */
export interface Homeless {
  readonly vm: DesiredVm;
  readonly spec: VmSpec;
  readonly keptDisks: KeptDisks | null;
  /** Of all its former lives, and of others' VMs of its name. */
  readonly remains: readonly KeptDisks[];
  readonly from: { readonly seen: SeenVm; readonly held: Amount; readonly stays: boolean } | null;
  /** Generations that nodes report of it though it lives nowhere: it is made above them. Left out: none. */
  readonly above?: number;
  /** It goes there with what it has; null: it is made there. */
  readonly moves: Travel | null;
  readonly reasons: readonly Reason[];
  /** Milder ways that would not do; left out: none. */
  readonly rejected?: readonly RejectedChain[];
}
