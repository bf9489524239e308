/**
 * The plan as an artefact: what `makePlan` returns, `--json` prints, `--out` saves, `report/` renders and `apply/` carries out.
 * One value, immutable, described by `schemas/plan.schema.json`. It holds no secrets: texts are present by digest only.
 */
import type { ChangeClass } from "../model/change-class.ts";
import type { SourcePosition } from "../model/desired-state.ts";
import type { ErrorCode } from "../model/errors.ts";
import type { Digest, Instant, NodeName, VmName } from "../model/names.ts";
import type { ImageProblem } from "../model/observed-state.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { Step } from "./step.ts";

/** Raised when an older reader would misread the document. A reader refuses every other version. */
export const PLAN_VERSION = 1;

export interface Plan {
  readonly kind: "Plan";
  readonly version: typeof PLAN_VERSION;
  /** Digest of everything below but the times: equal ids, equal plans. */
  readonly id: string;
  readonly fleet: string;
  readonly base: PlanBase;
  readonly summary: PlanSummary;
  /** Everything that differs, sorted by name. VMs that are as they should be are only counted. */
  readonly changes: readonly Change[];
  /** In an order that respects `after`. */
  readonly steps: readonly Step[];
  /** What we could not see and therefore leave alone, sorted by name. */
  readonly unknown: readonly Unknown[];
  /** VMs that need something which cannot be done; the rest of the plan stands. Sorted by name. */
  readonly blocked: readonly Blocked[];
  /** Guards and budgets that forbid the whole plan. */
  readonly refusals: readonly Refusal[];
  /** True when applying it makes the fleet what the manifests say: nothing unknown, nothing blocked, nothing left out by a target. */
  readonly complete: boolean;
  /** True when there is something to do and nothing forbids it. */
  readonly applyable: boolean;
  /** The specs that createVm and updateVm steps refer to. */
  readonly specs: Readonly<Record<VmName, VmSpec>>;
}

export interface PlanBase {
  /** Where the manifests came from, for people: a folder, or repository and ref. */
  readonly source: string;
  readonly commit: string | null;
  readonly desiredDigest: Digest;
  readonly observedDigest: Digest;
  readonly observedAt: Instant;
  /** Which VMs the plan was narrowed to; null: all. */
  readonly selection: Selection | null;
  /** What each VM that the plan touches looked like. `apply plan.json` refuses when one has moved on. */
  readonly vms: Readonly<Record<VmName, SeenVm | null>>;
}

/** Null in the map: it was not there. */
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

export type PlanSummary = Readonly<Record<Action | "unchanged" | "unknown" | "blocked", number>>;

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
}

export interface Reason {
  /** `git`: desired differs from last applied. `drift`: someone else changed it. `state`: it does not run, or should not. `placement`: its home. */
  readonly because: "git" | "drift" | "state" | "placement";
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
  readonly hint: string;
  readonly source: SourcePosition | null;
}

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}
