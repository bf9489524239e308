/**
 * The plan as an artefact: what `makePlan` returns, `--json` prints, `--out` saves, `report/` renders and `apply/` carries out.
 * One value, immutable, described by `schemas/plan.schema.json`. It holds no secrets: texts are present by digest only.
 */
import type { Amount } from "../model/capacity.ts";
import type { Action, Blocked, Change, SeenVm, Selection, Unknown, Waiting } from "../model/changes.ts";
import type { SourcePosition } from "../model/desired-state.ts";
import type { ErrorCode } from "../model/errors.ts";
import type { Digest, Instant, NodeName, VmName } from "../model/names.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import type { MoveTimes } from "../schedule/schedule-chains.ts";
import type { Step } from "../schedule/step.ts";

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
  /** When moves begin and end, as predicted; left out where nothing moves. */
  readonly times?: MoveTimes;
  /** How full the nodes are whose room changes; sorted by name. Left out: no node's does, or it is a plan of before. */
  readonly rooms?: readonly NodeRoom[];
  /** The maintenance that changes and blocked VMs speak of, by node; left out: none. */
  readonly maintenance?: readonly NodeInMaintenance[];
  /** In which order nodes in maintenance could be emptied, where not all of them can be at once; left out: they can. */
  readonly waves?: Waves;
  /** What we could not see and therefore leave alone, sorted by name. */
  readonly unknown: readonly Unknown[];
  /** VMs that need something which cannot be done; the rest of the plan stands. Sorted by name. */
  readonly blocked: readonly Blocked[];
  /** What waits for a window, sorted by name; left out where nothing does. */
  readonly waiting?: readonly Waiting[];
  /** Guards and budgets that forbid the whole plan. */
  readonly refusals: readonly Refusal[];
  /** True when applying it makes the fleet what the manifests say: nothing unknown, blocked or waiting, nothing left out by a target. */
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
  /** Left out of a plan for the world as it was seen. Such as `n3=down`: nobody may carry that one out. */
  readonly assumed?: readonly string[];
  /** Windows were left out of account, because that was asked for. */
  readonly outsideWindows?: true;
  /** What each VM that the plan touches looked like; null: it was not there. `apply plan.json` refuses when one has moved on. */
  readonly vms: Readonly<Record<VmName, SeenVm | null>>;
}

/** Each wave can be emptied while the nodes of the others are at work. */
export interface Waves {
  readonly waves: readonly (readonly NodeName[])[];
  /** Nodes that even alone are not emptied. */
  readonly stuck: readonly NodeName[];
}

/** What VMs take of a node. */
export interface NodeRoom {
  readonly node: NodeName;
  /** All that may be taken: its capacity less what is reserved, times the overcommit. */
  readonly of: Amount;
  readonly now: Amount;
  /** When all is done. */
  readonly after: Amount;
  /** On the way, where that is more than now and afterwards. */
  readonly fullest?: Amount;
}

export interface NodeInMaintenance {
  readonly node: NodeName;
  /** `n1 is in maintenance until 2026-01-02 06:00 UTC (new disks)`: the reasons of its VMs begin with it. */
  readonly text: string;
  readonly source: SourcePosition | null;
}

export type PlanSummary = Readonly<Record<Action | "unchanged" | "unknown" | "blocked", number>>;

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  /** Where the policy says so. */
  readonly source?: SourcePosition;
}
