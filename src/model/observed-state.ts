/** What the agents say. Made by `observe/`, read by `reconcile/`. */

import type { Looks } from "./boot/boot-needs.ts";
import type { ErrorCode } from "./errors.ts";
import type { VmHistory } from "./history.ts";
import type { Digest, Instant, NodeName, VmName } from "./names.ts";
import type { HypervisorKind, VmSpec } from "./vm-spec.ts";

/**
 * A whole fleet as seen once. The world has three values: a VM is present (in a report), absent (no node that answered
 * has it and none is silent) or unknown (a node that may have it is silent).
 */
export interface ObservedState {
  readonly at: Instant;
  /** One entry for each node of the manifests, sorted by name. */
  readonly nodes: readonly ObservedNode[];
}

/** What we could not see is a value. We start nothing elsewhere for a VM whose node is silent. */
export type ObservedNode =
  /** `looks`: what its agent answered about files and bridges that this plan needs; left out: it was not asked. */
  | { readonly name: NodeName; readonly reach: "answered"; readonly report: NodeReport; readonly looks?: Looks }
  | { readonly name: NodeName; readonly reach: "silent"; readonly error: string; readonly code?: ErrorCode };

/** One agent's whole truth in one answer (`GET /v1/report`). */
export interface NodeReport {
  readonly apiVersion: 1;
  readonly at: Instant;
  readonly node: NodeIdentity;
  readonly capacity: Capacity;
  readonly hypervisors: readonly HypervisorReport[];
  /** Sorted by name. */
  readonly vms: readonly VmReport[];
  /** Deleted VMs whose disks are still kept, sorted by name. */
  readonly tombstones: readonly Tombstone[];
  /** Operations that were begun and are not known to have ended. */
  readonly unfinished: readonly JournalEntry[];
  /**
   * VMs that are here, but whose record on the node cannot be read or does not explain what runs: neither absent nor safe to
   * touch, so nothing is planned for them, here or elsewhere. Sorted by name; left out when there is none.
   */
  readonly unreadable?: readonly UnreadableVm[];
  /** How many VMs are there of which not even the name can be read: whatever is seen nowhere may be one of them. Left out when there is none. */
  readonly illegible?: number;
  /** What applies have told this node about the fleets it belongs to; left out when there is none. */
  /** How long things took here lately, also of VMs that have left; left out: nothing is known. Sorted by name. */
  readonly history?: readonly VmHistory[];
  readonly whereabouts?: readonly Whereabouts[];
  /** What it has fetched, or is fetching, sorted by digest; left out where there is none, and by agents that fetch nothing. */
  readonly images?: readonly CachedImage[];
  /** Networks that its agent makes, or only rules of; left out where there is none. Sorted by bridge. */
  readonly networks?: readonly NetworkReport[];
  /** What it would need for networks that odorobo makes and has not, for people; left out where there is nothing, and by agents of before. */
  readonly lacks?: readonly string[];
  /** Who keeps the guests' processes: `systemd`, `spawn`. For people. */
  readonly supervisor?: string;
}

/** An image of an agent's cache. */
export interface CachedImage {
  /** As the manifests called it when it was fetched. */
  readonly name: string;
  /** `sha256:…` of the file as it is fetched. */
  readonly digest: string;
  readonly state: "ready" | "fetching" | "converting";
  /** Fetched so far; of one that is ready: what it takes of the node's disk. */
  readonly bytes: number;
  /** To fetch; null: nobody says. */
  readonly totalBytes: number | null;
}

/**
 * Where a fleet's VMs are, as the last apply knew it before it began. Agents keep it for one another: a node that leaves
 * the manifests takes its VMs out of sight, and they must not be started elsewhere because of that.
 */
export interface Whereabouts {
  readonly fleet: string;
  /** Of the observation that it was worked out from, by the clock of whoever applied. */
  readonly at: Instant;
  /** Raised by each apply that has something to tell: the highest counts. Left out by an odorobo that went by `at`. */
  readonly serial?: number;
  readonly homes: Readonly<Record<VmName, NodeName>>;
  /**
   * All nodes of the fleet, sorted. A node that comes back after a restart and knows that it is the only one may start its VMs
   * by itself. Left out by an odorobo that did not say so yet.
   */
  readonly nodes?: readonly NodeName[];
  /**
   * Ids of the nodes as they were last seen. A node that has another one has another data folder: a VM that is missing from it
   * is not gone. Left out by an odorobo that did not say so yet.
   */
  readonly ids?: Readonly<Record<NodeName, string>>;
  /** The ids of VMs' homes as they had been, where `ids` has a newer one and nobody has seen the VM since. Left out where there is none. */
  readonly missingSince?: Readonly<Record<VmName, string>>;
}

export interface NetworkReport {
  readonly name: string;
  readonly bridge: string;
  /** NICs on it here. */
  readonly guests: number;
  readonly mtu?: number;
  /** The bridge's own, with prefix lengths. */
  readonly addresses?: readonly string[];
  /** For people: why it does not stand; null: it does. */
  readonly problem: string | null;
}

export interface UnreadableVm {
  readonly name: VmName;
  /** For people: what is wrong with which file, or what runs that should not. */
  readonly problem: string;
  /** A guest of this VM runs there that the agent has no record of, and does not touch. Left out where its record cannot be read. */
  readonly held?: boolean;
}

export interface NodeIdentity {
  readonly name: NodeName;
  /** Made once per data folder; two manifests that reach the same id reach the same agent. */
  readonly id: string;
  readonly agentVersion: string;
  /** Changes at every start of the host. */
  readonly bootId: string;
  readonly startedAt: Instant;
}

/** What the host has, before the manifests' `reserved` and `overcommit`. */
export interface Capacity {
  readonly cpus: number;
  readonly memoryMiB: number;
}

export interface HypervisorReport {
  readonly kind: HypervisorKind;
  readonly version: string;
  /** How guests' code runs, where that is a question: `kvm` on the CPU, `tcg` emulated and many times slower. For people. */
  readonly accelerator?: "kvm" | "tcg";
  /** Newer than any that odorobo was tried with: it is used all the same. */
  readonly untried?: true;
  readonly capabilities: HypervisorCapabilities;
}

/**
 * What this hypervisor in this version on this host can do, as data, so that "can't" is found at plan time.
 * A kind that a node does not list is not there.
 */
export interface HypervisorCapabilities {
  /** Which changes a running guest takes without a reboot. Headroom is the VM's own and stands in its `live.max…`. */
  readonly live: {
    readonly cpusUp: boolean;
    readonly cpusDown: boolean;
    readonly memoryUp: boolean;
    readonly memoryDown: boolean;
    readonly diskGrow: boolean;
    readonly diskAttach: boolean;
    readonly diskDetach: boolean;
    readonly nicAttach: boolean;
    readonly nicDetach: boolean;
    /** Ports of the node to the guest's, on a NIC that it has. Left out: they cannot be changed while it runs. */
    readonly forwards?: boolean;
  };
  readonly pause: boolean;
  /** One end at a time, by hand. */
  readonly migrate: boolean;
  /** How two agents move its guests between them; left out by agents that cannot, or did not say so yet. */
  readonly moves?: {
    /** While they run. */
    readonly live: boolean;
    /** With disks that the agent keeps on its node: their bytes go along. */
    readonly ownDisks: boolean;
    /** While they are off, with disks that the agent keeps. Left out by agents that cannot. */
    readonly cold?: boolean;
  };
  readonly bootKinds: readonly ("firmware" | "kernel")[];
  /** URL schemes of external disks, and the own kinds: `image`, `blank`, `file`, `nbd`, `rbd`, `iscsi`. */
  readonly diskKinds: readonly string[];
  readonly nicKinds: readonly ("user" | "bridge" | "none")[];
  readonly cloudInit: boolean;
  /** Names of the firmware that is here, `default` included; left out: it does not say. Paths are looked at when they are asked for. */
  readonly firmware?: readonly string[];
  /** The most that one guest may have, room for growth included; left out: it does not say. */
  readonly limits?: { readonly cpus?: number; readonly memoryMiB?: number };
}

/**
 * - `stopped`: defined, not running: never started, powered off, or shut down. `endedBy` says which.
 * - `starting`, `stopping`: an operation is under way.
 * - `running`, `paused`: as the hypervisor says.
 * - `crashed`: it ran and its process ended, or its boot failed, without anybody asking. `reason` says what is known.
 */
export const PHASES = ["stopped", "starting", "running", "paused", "stopping", "crashed"] as const;
export type Phase = (typeof PHASES)[number];

export interface VmReport {
  readonly name: VmName;
  /** The fleet that last applied it; null: made by hand. Another fleet's VMs are never touched. */
  readonly fleet: string | null;
  /** Raised by each applied spec. A PUT with an older one is refused. */
  readonly generation: number;
  /**
   * Raised by the agent at everything that happens to the VM: each operation that ended and each event (crash, guest power-off, drift seen).
   * Equal serials mean that nothing happened in between: this is what a saved plan checks.
   */
  readonly serial: number;
  readonly phase: Phase;
  /** How a stopped or crashed guest ended: by `operator` (us), by the `guest` itself, by `failure`; null while it runs or before it ever ran. */
  readonly endedBy: "operator" | "guest" | "failure" | null;
  /** For people: why it is in this phase. */
  readonly reason: string | null;
  /** null while there is no probe or no guest. */
  readonly ready: boolean | null;
  /** When it became ready; `since` is when it was booted. Left out while it is not, and by agents of before. */
  readonly readySince?: Instant;
  readonly since: Instant;
  /** The spec last applied, and the commit it came from. */
  readonly spec: VmSpec;
  readonly specDigest: Digest;
  readonly commit: string | null;
  readonly appliedAt: Instant;
  /** What the hypervisor runs right now, normalised to the spec's own terms; null while no process runs. */
  readonly live: LiveConfig | null;
  /** Where `live` differs from `spec`, in words of the spec: someone else changed it, or a reboot is still owed. */
  readonly drift: readonly DriftedField[];
  /** What odorobo itself has left to do in the running guest, sorted by path; left out when there is nothing. */
  readonly owed?: readonly OwedChange[];
  readonly pid: number | null;
  /** The last thing that befell the guest without odorobo having asked for it; left out when nothing ever did. */
  readonly lastEvent?: GuestEvent;
  /** The agent starts the guest again by itself, or has given that up; left out while there is nothing to tell. */
  readonly restart?: RestartState;
  /**
   * What this very guest takes now without an outage, and what it does not and why: the driver's live-change matrix with the
   * guest's own room in it. The first rule that fits counts; where none does, the hypervisor's capabilities are asked.
   * Left out while no guest runs, and by drivers that have nothing finer to say than their capabilities.
   */
  readonly changeRules?: readonly ChangeRule[];
  /** A migration that is under way here, or took it away from here. */
  readonly migration?: MigrationState;
  /** Of one that has moved away: what its disks here take of the node, and until when they are kept at least. Left out by agents of before. */
  readonly left?: { readonly bytes: number; readonly until: Instant };
  /** Left out while no guest runs, and by agents that did not say so yet: then the hypervisor's capability is asked. */
  readonly movable?: Movable;
  /** With `paused`: nobody paused it, its hypervisor did. Left out otherwise. */
  readonly stalled?: StalledState;
  /**
   * Names of the disks that its agent has made and keeps, sorted: only these have contents that a spec can no longer choose.
   * Left out by agents that did not say so yet: then each disk of the spec counts as made.
   */
  readonly disks?: readonly string[];
  /** Where it can be found, each with how that is known; declared ones first. Left out: nothing is known, or an agent of before. */
  readonly addresses?: readonly GuestAddress[];
  /** Ports of its node that lead to it now. Left out: none. */
  readonly forwards?: readonly OpenForward[];
  /** What its own disks were made over; left out where there is no such disk, or none that was noted yet. */
  readonly images?: readonly ImageBelow[];
}

export const ADDRESS_SOURCES = ["declared", "lease", "neighbour", "guest-agent", "forward"] as const;

export interface GuestAddress {
  /** Without a prefix length; of a `forward`: `127.0.0.1:2222`. */
  readonly address: string;
  /**
   * - `declared`: its manifest says so; whether its guest took it is another question.
   * - `lease`: a DHCP server of odorobo's gave it. `neighbour`: the node has heard from it. `guest-agent`: the guest says so.
   * - `forward`: an address and port of the node that leads to it.
   */
  readonly source: (typeof ADDRESS_SOURCES)[number];
  /** Null: the guest names it for none that its spec has. */
  readonly nic: string | null;
}

export interface OpenForward {
  readonly nic: string;
  readonly host: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
}

/** The image below a disk that holds only what its guest wrote. */
export interface ImageBelow {
  readonly disk: string;
  /** The file itself, links followed: it stays the disk's, wherever the image's path leads later. */
  readonly file: string;
  /** Where the image's path leads now, when that is another file: the next disk will be made over it. */
  readonly pathNow?: string;
  /** Why the disk cannot be used: other bytes are below it than it was made over. Left out while all is well. */
  readonly problem?: ImageProblem;
}

export interface ImageProblem {
  readonly code: "IMAGE_CHANGED" | "IMAGE_MISSING";
  /** For people: what was there, and what is. */
  readonly message: string;
  readonly hint: string;
}

export const GUEST_EVENT_KINDS = [
  "power-off",
  "reboot",
  "panic",
  "crash",
  "oom-kill",
  "host-reboot",
  "console-lost",
] as const;
export type GuestEventKind = (typeof GUEST_EVENT_KINDS)[number];

export interface GuestEvent {
  readonly kind: GuestEventKind;
  readonly at: Instant;
  /** For people: `killed by SIGKILL: the kernel had no memory left for it`. */
  readonly message: string;
  /** The last lines of the serial line and of the hypervisor's own output, oldest first, without control characters. */
  readonly console: readonly string[];
  readonly log: readonly string[];
}

export interface RestartState {
  /** Starts in a row that did not last. */
  readonly attempts: number;
  /** When the next one is due; null: given up, or one is under way. */
  readonly nextAt: Instant | null;
  readonly givenUp: boolean;
}

export interface ChangeRule {
  /**
   * As in `model/fields.ts`, or what is below it: `cpus.count`, `memory.size`, `passthrough.fs`, `passthrough.balloon.size`,
   * `passthrough.fs.share1` (items by id, tag, …). `*` is any item of a list: `disks.*`, `passthrough.fs.*.iommu`. A rule also fits what is
   * below its path.
   */
  readonly path: string;
  /** `raise` and `lower` a number or a disk's size, `add` and `remove` an item, `change` anything else about it, `any`: all of these. */
  readonly change: "raise" | "lower" | "add" | "remove" | "change" | "any";
  readonly class: "live" | "reboot" | "replace";
  /** For people: why not milder, or what is needed of the guest. */
  readonly note: string | null;
  /** Only between these, and only by a multiple of that (MiB, a count, or as `passthrough` writes it). Else: the next rule that fits. */
  readonly min?: number;
  readonly max?: number;
  readonly multipleOf?: number;
}

/** A guest that stands still because something it wrote to a disk could not be written. */
export interface StalledState {
  /** Names of the disks, sorted; empty when its hypervisor does not say which. */
  readonly disks: readonly string[];
  /** There was no room: its agent lets it go on by itself as soon as there is. Otherwise the disk failed. */
  readonly noRoom: boolean;
  readonly since: Instant;
}

export interface MigrationState {
  readonly role: "source" | "destination";
  readonly since: Instant;
  /** Where the guest comes in, or goes to: `tcp:10.0.0.2:49152`; `node n2` where two agents move it. */
  readonly url: string;
  /** The node at the other end, where two agents move it; left out of a migration by hand. */
  readonly peer?: NodeName;
  /** Left out of a migration by hand. */
  readonly stage?: MigrationStage;
}

/**
 * - destination: `expected` (room is kept, nothing has come) → `arriving` → `whole` (all of it is here and stands still until its source says
 *   that it is ours) → no migration any more.
 * - source: `sending` (it is ours) → `given` (whether it runs there only the other node knows) → `left`.
 */
export type MigrationStage = "expected" | "arriving" | "whole" | "sending" | "given" | "left";

/** Whether one running guest can be moved while it runs. */
export type Movable = { readonly live: true } | { readonly live: false; readonly why: string };

/** How far a move has come; of `running` operations. */
export interface MigrationProgress {
  readonly stage: "preparing" | "disks" | "memory" | "handing-over" | "settling";
  /** Memory and disks, so far. */
  readonly sentBytes: number;
  readonly remainingBytes: number | null;
  readonly bytesPerSecond: number | null;
  /** What the guest writes to its memory meanwhile: above `bytesPerSecond` it never ends by itself. */
  readonly dirtyBytesPerSecond: number | null;
}

/** The part of a spec that a running hypervisor can be asked about. */
export interface LiveConfig {
  readonly cpus: { readonly count: number; readonly max: number };
  readonly memory: { readonly sizeMiB: number; readonly maxMiB: number };
  readonly boot: VmSpec["boot"];
  readonly disks: VmSpec["disks"];
  readonly nics: VmSpec["nics"];
  readonly cloudInit: VmSpec["cloudInit"];
  readonly passthrough: VmSpec["passthrough"];
}

/** A part of the last applied spec that the running guest does not have yet. `path` as in `model/fields.ts`. */
export interface OwedChange {
  readonly path: string;
  readonly since: Instant;
  /**
   * The guest was asked to let go of this device and has not: its process holds it, with file and tap, until the guest lets go
   * or boots anew. Asking again is of no use.
   */
  readonly held: boolean;
}

/** `path` as in `model/fields.ts`: dotted, list items by name: `cpus.count`, `disks.root`. */
export interface DriftedField {
  readonly path: string;
  readonly applied: unknown;
  readonly live: unknown;
}

export interface Tombstone {
  readonly name: VmName;
  readonly fleet: string | null;
  readonly generation: number;
  readonly serial: number;
  readonly deletedAt: Instant;
  readonly retainUntil: Instant;
  /** Disk names that are kept. */
  readonly disks: readonly string[];
}

export interface JournalEntry {
  /** Of an apply: the step's id. */
  readonly id: string;
  /** The apply that it is a step of; left out where a person asked, and by agents of before. */
  readonly run?: string;
  readonly vm: VmName;
  readonly kind: string;
  readonly begunAt: Instant;
}
