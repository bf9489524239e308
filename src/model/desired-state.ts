/** What the manifests say, resolved. Made by `manifest/`, read by `reconcile/`. */
import type { ChangeClass } from "./change-class.ts";
import type { Digest, Instant, NodeName, VmName } from "./names.ts";
import type { SourcePosition } from "./source-position.ts";
import type { VmSpec } from "./vm-spec.ts";
import type { Window } from "./windows/window.ts";

export type { SourcePosition } from "./source-position.ts";

export interface DesiredState {
  readonly fleet: FleetSettings;
  /** Sorted by name, as are the lists below. */
  readonly nodes: readonly DesiredNode[];
  readonly vms: readonly DesiredVm[];
  readonly groups: readonly Group[];
  /** Texts that specs refer to by digest (cloud-init user data). They may hold secrets: sent to agents, never shown or stored in a plan. */
  readonly files: ReadonlyMap<Digest, string>;
  /** Of everything above: equal digests mean equal desired states. */
  readonly digest: Digest;
}

export interface FleetSettings {
  readonly name: string;
  readonly policy: FleetPolicy;
}

export interface FleetPolicy {
  /** No change may be worse than this. null: everything but `replace`, which loses local disks and must be asked for. */
  readonly maxClass: ChangeClass | null;
  /** What may be done to guests that are there, of the classes for which somebody has said so. */
  readonly disruption?: Readonly<Partial<Record<DisruptiveClass, DisruptionRule>>>;
  /** Of those who have none nearer to them. */
  readonly windows?: readonly Window[];
  /**
   * More VMs destroyed or replaced than the larger of the two needs `--allow-destroy N`. `count` null: nobody has said one, so it
   * is at most DEFAULT_DESTROY_COUNT, and in a small fleet no more than a third of it.
   */
  readonly destroyGuard: { readonly percent: number; readonly count: number | null };
  readonly parallelism: { readonly total: number; readonly perNode: number };
  /** Guests that move at the same time, in all and with one node at either end; null: as parallelism allows. */
  readonly moves?: { readonly total: number | null; readonly perNode: number | null };
  /** Of those who make plans and applies by themselves; left out: DEFAULT_GATEWAY_POLICY. */
  readonly gateway?: GatewayPolicy;
}

/** What `odorobo watch` and a gateway may do by themselves, within all that holds for everybody. */
export interface GatewayPolicy {
  /** Changes up to this class are made without asking. */
  readonly auto: ChangeClass;
  /** What waits for an approval, whatever `auto` says. What neither names is refused. Null: all that is worse than `auto`. */
  readonly approve: readonly ChangeClass[] | null;
  /** Nothing is done, whoever approves it. */
  readonly suspend: boolean;
  /** Guests are disturbed without asking only in these. Left out: at any time. Never empty. */
  readonly windows?: readonly Window[];
  /** What becomes of guests that somebody else changed. */
  readonly healDrift: "revert" | "report" | "off";
}

export const DEFAULT_GATEWAY_POLICY: GatewayPolicy = {
  auto: "live",
  approve: null,
  suspend: false,
  healDrift: "revert",
};

export const DISRUPTIVE_CLASSES = ["live", "pause", "migrate", "reboot", "replace", "destroy"] as const;
export type DisruptiveClass = (typeof DISRUPTIVE_CLASSES)[number];

export interface DisruptionRule {
  /** `window`: only while a window of its VM is open. */
  readonly says: "allow" | "window" | "refuse";
  readonly source: SourcePosition | null;
}

/** Five of fifty are a day's work, five of six are the fleet: see `destroyGuard.count`. */
export const DEFAULT_DESTROY_COUNT = 5;

/** Guards as the product promises them: 10 % of the fleet's VMs, or 5 but no more than a third of them, whichever is larger. */
export const DEFAULT_POLICY: FleetPolicy = {
  maxClass: null,
  destroyGuard: { percent: 10, count: null },
  parallelism: { total: 64, perNode: 8 },
};

export interface DesiredNode {
  readonly name: NodeName;
  /** `http://host:port`, `https://host:port` or `unix:///path`. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Kept free for the host itself. */
  readonly reserved: { readonly cpus: number; readonly memoryMiB: number };
  /** Factor on what is left after `reserved`: cpus 4 sells each core four times. */
  readonly overcommit: { readonly cpus: number; readonly memory: number };
  /** Takes no new VMs; those it has stay. */
  readonly cordoned: boolean;
  /**
   * A person's word that the node is off and stays off. Only then may a silent node's VMs be started elsewhere.
   * Has no effect while the node answers.
   */
  readonly fenced: boolean;
  /** Null: none is planned. Whether it is under way is a question of the time: `model/maintenance.ts`. */
  readonly maintenance: Maintenance | null;
  /** When guests on it may be disturbed that have no windows nearer to them. */
  readonly windows?: readonly Window[];
  /** What gets through its link for guests that move, each way. Left out: nobody has said, so it is assumed. */
  readonly migrationMiBps?: number;
  readonly source: SourcePosition | null;
}

/** The node is to be worked on: meanwhile its VMs leave as their `onDrain` says, and none comes. */
export interface Maintenance {
  /** In UTC. Null: since ever. */
  readonly from: Instant | null;
  /** In UTC, and no longer part of it. Null: until the manifests no longer say so. */
  readonly until: Instant | null;
  /** For people. */
  readonly reason: string | null;
}

export interface DesiredVm {
  readonly name: VmName;
  readonly spec: VmSpec;
  readonly placement: Placement;
  /** When its guest may be disturbed; left out: see `plan/windows-of.ts`. */
  readonly windows?: readonly Window[];
  /** JSON pointers into the manifest (`/spec/cpus/count`) whose differences are left alone. */
  readonly ignore: readonly string[];
  /** Where the manifest's `metadata.name` stands. */
  readonly source: SourcePosition | null;
  /**
   * Where the value at a manifest pointer was written: in the VM's own document, else in its profile, else null (a default).
   * A function, because few of the many positions are ever asked for.
   */
  readonly whereIs: (pointer: string) => SourcePosition | null;
}

/** Where a VM may live: a constraint, not a host string. */
export interface Placement {
  /** Empty: any node. */
  readonly nodes: readonly NodeName[];
  /** Labels the node must have. Empty: any. */
  readonly selector: Readonly<Record<string, string>>;
  /** About labels of the node. Left out: none. */
  readonly nodeAffinity?: readonly NodeAffinityRule[];
  readonly affinity: readonly AffinityRule[];
  readonly antiAffinity: readonly AffinityRule[];
  /** Left out: none. */
  readonly spread?: readonly SpreadRule[];
}

/** Which labels are meant: all that are named have their value, and all expressions hold. */
export interface LabelMatch {
  readonly match: Readonly<Record<string, string>>;
  /** Left out: none. */
  readonly expressions?: readonly LabelExpression[];
}

/** `values`: of In and NotIn at least one, of Gt and Lt one whole number, of the others none. */
export interface LabelExpression {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values: readonly string[];
}

interface Wish {
  readonly required: boolean;
  /** Of one that is not required: how much it counts. Left out: 1. */
  readonly weight?: number;
}

export interface NodeAffinityRule extends LabelMatch, Wish {}

/** About labels of other VMs. `per`: `node`, or a node label key that names a domain (`rack`). */
export interface AffinityRule extends LabelMatch, Wish {
  readonly per: string;
}

/** VMs with these labels: no domain has more than `maxSkew` of them beyond the emptiest one that one of them could live in. */
export interface SpreadRule extends AffinityRule {
  readonly maxSkew: number;
}

export interface Group {
  readonly name: string;
  /** How many members one plan may have down at the same time. At least 1. */
  readonly maxUnavailable: number;
  readonly windows?: readonly Window[];
}
