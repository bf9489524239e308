/** What a gateway answers to its page (`schemas/gateway-*.schema.json`, `schemas/me.schema.json`): who looks, what is there, what it is to be. */
import type { ChangeClass } from "../../model/change-class.ts";
import type { Action, Blocked, Change, Unknown, Waiting } from "../../model/changes.ts";
import type { DesiredVm, Maintenance } from "../../model/desired-state.ts";
import type { Instant, NodeName, VmName } from "../../model/names.ts";
import type { DriftedField, OwedChange, Phase, VmReport } from "../../model/observed-state.ts";
import type { Role } from "../../model/role.ts";
import type { SourcePosition } from "../../model/source-position.ts";
import type { Because, ForgeLinks, ShownRevision } from "./gateway-documents.ts";

/** How somebody came in. `session`: signed in by token or certificate before; `oidc`: by the provider that `gateway.yaml` names. */
export type Entrance = "token" | "certificate" | "loopback" | "socket" | "session" | "oidc";

export interface Me {
  readonly kind: "Me";
  readonly version: 1;
  /** By the gateway's clock: whoever shows how long ago something was goes by this, not by their own. */
  readonly now: Instant;
  readonly name: string;
  readonly role: Role;
  readonly by: Entrance;
  /** When the session ends; null: it is none. */
  readonly until: Instant | null;
}

/** Which ways in there are; told to everybody. */
export interface SignIn {
  readonly kind: "SignIn";
  readonly version: 1;
  /** A token is asked for, and may be exchanged for a session. */
  readonly token: boolean;
  /** A client certificate is asked for. */
  readonly certificate: boolean;
  /** Where a browser is sent to, and how the button is called; null: nobody is asked who people are. */
  readonly oidc: { readonly start: string; readonly name: string } | null;
}

export interface SignedOut {
  readonly kind: "SignedOut";
  readonly version: 1;
  /** Where the provider ends its own session, for a browser to go to; null: there is nothing more to end. */
  readonly next: string | null;
}

export interface NodeAmount {
  readonly cpus: number;
  readonly memoryMiB: number;
  /** Null: agents do not say. */
  readonly diskMiB: number | null;
}

export interface NodeRow {
  readonly name: NodeName;
  readonly reach: "answers" | "silent";
  /** Since when it is silent; null: it answers. */
  readonly since: Instant | null;
  /** Why it is silent, for people. */
  readonly error: string | null;
  /** What it has; null: it never said so to this gateway. Of a silent one: as it was said last. */
  readonly capacity: NodeAmount | null;
  /** What VMs may take of that: less what is reserved, times the overcommit. */
  readonly room: NodeAmount | null;
  /** What VMs hold, those included that should run and do not. */
  readonly used: NodeAmount | null;
  /** Never below 0. */
  readonly free: NodeAmount | null;
  readonly cordoned: boolean;
  readonly fenced: boolean;
  readonly maintenance: (Maintenance & { readonly isUnderWay: boolean }) | null;
  /** That live there; of a silent one: that did. */
  readonly vms: number;
  readonly running: number;
  readonly agentVersion: string | null;
  readonly hypervisors: readonly { readonly kind: string; readonly version: string }[];
}

/** What is seen of one fleet, at one moment: each part says which `tag` it is of, and is the same as long as that is. */
interface OfFleet {
  readonly version: 1;
  /** Of the gateway's entry. */
  readonly fleet: string;
  readonly now: Instant;
  /** When the agents were asked last. */
  readonly seenAt: Instant;
}

export interface GatewayNodes extends OfFleet {
  readonly kind: "GatewayNodes";
  readonly tag: string;
  /** Sorted by name. */
  readonly nodes: readonly NodeRow[];
}

/**
 * `absent`: it should be, and is nowhere. `unknown`: a node that has it, or may, is silent. `unreadable`: it is on its node, whose record of
 * it cannot be read.
 */
export type RowPhase = Phase | "absent" | "unknown" | "unreadable";

export interface VmAddress {
  readonly address: string;
  /** `declared`: the manifests say so. Others are of who has seen it: `lease`, `guest-agent`, … */
  readonly source: string;
}

export interface VmRow {
  readonly name: VmName;
  /** Null: nowhere, or nobody knows. */
  readonly node: NodeName | null;
  readonly group: string | null;
  readonly phase: RowPhase;
  /** Null: nobody looks, or it does not run. */
  readonly ready: boolean | null;
  /** The manifests name it. If not, it is to be deleted. */
  readonly named: boolean;
  /** Something was applied to it and waits for the guest, or for its next boot. */
  readonly pending: boolean;
  /** Somebody else changed it: what putting that right does to the guest; `none`: it is left so. Null: nobody did. */
  readonly drift: ChangeClass | null;
  /** What the last plan would do with it; null: nothing. */
  readonly change: { readonly action: Action; readonly class: ChangeClass } | null;
  /** It waits for a window, or cannot be done. */
  readonly held: "waiting" | "blocked" | null;
  /** As it has them; of one that is nowhere: as it should. 0: not known. */
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly addresses: readonly VmAddress[];
}

export interface GatewayVms extends OfFleet {
  readonly kind: "GatewayVms";
  readonly tag: string;
  /** Only what is another since that tag, which was asked for; null: all of them. */
  readonly since: string | null;
  /** Sorted by name. */
  readonly vms: readonly VmRow[];
  /** Names that are no longer there. Without `since`: empty. */
  readonly gone: readonly VmName[];
}

/** A place in the manifests, and where a browser finds it; null: no forge that is known has it. */
export interface LinkedPosition extends SourcePosition {
  readonly link: string | null;
}

export interface GatewayVm extends OfFleet {
  readonly kind: "GatewayVm";
  readonly name: VmName;
  readonly row: VmRow;
  /** Null: the manifests do not name it. */
  readonly desired:
    | (Pick<DesiredVm, "spec" | "placement" | "ignore" | "windows"> & {
        readonly source: LinkedPosition | null;
        readonly revision: string | null;
        readonly commit: string | null;
      })
    | null;
  /** As its agent says; of a silent node's: as it said last, with `since`. Null: it was never seen here. */
  readonly live: { readonly report: VmReport; readonly node: NodeName; readonly silentSince: Instant | null } | null;
  /** What somebody else changed. */
  readonly drift: readonly DriftedField[];
  /** What was applied and waits. */
  readonly pending: readonly OwedChange[];
  /** The record of it on its node cannot be read, and why. */
  readonly unreadable: string | null;
  /** Of the last plan; all null: it is as it should be, or nothing was planned yet. */
  readonly plan: {
    readonly id: string | null;
    readonly change: Change | null;
    readonly waiting: Waiting | null;
    readonly blocked: Blocked | null;
    readonly unknown: Unknown | null;
  };
  /** Where a browser finds the places that `plan` speaks of. */
  readonly links: ForgeLinks | null;
}

export interface GatewayVmEvents {
  readonly kind: "GatewayVmEvents";
  readonly version: 1;
  readonly fleet: string;
  readonly now: Instant;
  readonly vm: VmName;
  readonly node: NodeName;
  /** False: there were more than these. What was before its agent began is not remembered. */
  readonly isComplete: boolean;
  /** Oldest first. */
  readonly events: readonly { readonly at: string; readonly kind: string; readonly message: string }[];
}

export interface HistoryEntry {
  /** Null: no git, as of a folder that is watched. */
  readonly commit: string | null;
  /** When it was committed, or seen. */
  readonly at: Instant;
  readonly subject: string;
  readonly author: string | null;
  readonly link: string | null;
  /** `first`: nothing older is known of it here. `unreadable`: its manifests had mistakes. */
  readonly what: "first" | "added" | "changed" | "removed" | "unreadable";
  /** Dotted paths of the spec's fields that changed, where that is known; at most 20. */
  readonly fields: readonly string[];
  /** As the gateway knows it; null: it was never one of its revisions, or too long ago. */
  readonly revision: Pick<ShownRevision, "id" | "standing" | "at"> | null;
}

export interface HistoryRun {
  readonly id: string;
  readonly at: Instant;
  readonly by: string;
  readonly approvedBy: string | null;
  readonly status: string;
  readonly commit: string | null;
  /** Titles of its steps for this VM, and how they ended: null: not yet. */
  readonly steps: readonly { readonly title: string; readonly outcome: "done" | "failed" | "skipped" | null }[];
}

export interface GatewayVmHistory {
  readonly kind: "GatewayVmHistory";
  readonly version: 1;
  readonly fleet: string;
  readonly now: Instant;
  readonly vm: VmName;
  /** Latest first, as are the runs. */
  readonly entries: readonly HistoryEntry[];
  readonly runs: readonly HistoryRun[];
  /** False: there is more than was looked at. */
  readonly isComplete: boolean;
  /** Why commits are missing; null: none are. */
  readonly because: Because | null;
}

/** `event: fleet` of /v1/events: at most one a second. What is null has to be read. */
export interface FleetNews {
  readonly event: "fleet";
  readonly tag: string;
  /** What `vms` and `gone` are changes since; null: read all. */
  readonly since: string | null;
  readonly vms: readonly VmRow[] | null;
  readonly gone: readonly VmName[];
  readonly nodes: readonly NodeRow[] | null;
}
