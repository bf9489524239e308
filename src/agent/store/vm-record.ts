/**
 * What the agent remembers of one VM: `<data>/vms/<name>/record.json`.
 *
 * One file is either a VM or its tombstone, so that going from one to the other is a single atomic write: there is no
 * moment at which a crash could leave both, or neither. Texts that may be secret lie beside it (`vm-store.ts`), not in it.
 */
import type { ErrorBody } from "../../model/errors.ts";
import type { Digest, Instant, NodeName, VmName } from "../../model/names.ts";
import type {
  DriftedField,
  GuestEvent,
  MigrationState,
  OpenForward,
  RestartState,
  StalledState,
  VmReport,
} from "../../model/observed-state.ts";
import type { DiskOrigin, VmSpec } from "../../model/vm-spec.ts";
import type { OperationDetail, OperationKind } from "../../wire/operations.ts";
import type { ImageNotes } from "../storage/disk-storage.ts";
import type { ProcessHandle } from "../supervisor/supervisor.ts";

export const RECORD_FORMAT = 1;

interface RecordHead {
  readonly format: typeof RECORD_FORMAT;
  readonly name: VmName;
  readonly fleet: string | null;
  readonly generation: number;
  readonly serial: number;
  /** What the files in the disk folder were made as. Never forgotten before the purge: it tells whether a file is still the disk that a spec means. */
  readonly ownDisks: Readonly<Record<string, DiskOrigin>>;
  /** What the overlays among them were made over; of those that an earlier agent made, from their next boot on. */
  readonly images?: ImageNotes;
  /** The operation that was begun and is not known to have ended. */
  readonly unfinished: UnfinishedOperation | null;
  /** Oldest first, at most REMEMBERED_OPERATIONS. */
  readonly completed: readonly CompletedOperation[];
  // Given at the first boot, and kept with the disks. Records of earlier agents have none.
  /** Of the guest's machine (SMBIOS). */
  readonly uuid?: string;
  /** By which cloud-init knows what it has set up; what the manifest adds to it is not in it. */
  readonly instanceId?: string;
  /** Ports of the node that were chosen for its forwards: it gets the same ones at each boot. Left out: none. */
  readonly hostPorts?: readonly OpenForward[];
}

/** A VM that was applied. */
export interface VmRecord extends RecordHead {
  readonly state: "present";
  readonly commit: string | null;
  readonly spec: VmSpec;
  readonly specDigest: Digest;
  readonly appliedAt: Instant;
  /** As last known for sure. `starting` and `stopping` are never written: they follow from `unfinished`. */
  readonly phase: "stopped" | "running" | "paused" | "crashed";
  readonly endedBy: VmReport["endedBy"];
  readonly reason: string | null;
  readonly ready: boolean | null;
  /** Means something only while it is ready. */
  readonly readySince?: Instant;
  readonly since: Instant;
  /** As last seen, so that the same drift is news only once. */
  readonly drift: readonly DriftedField[];
  /** Set before a guest is started, cleared after it ended. */
  readonly guest: GuestRecord | null;
  // Records of earlier agents have none of the following.
  readonly lastEvent?: GuestEvent | null;
  /** Null: nobody but who asks starts it. */
  readonly restart?: RestartRecord | null;
  /** `destination`: its process waits for the guest. `source`: the guest left, or may have left: it is not started here. */
  readonly migration?: MigrationState | null;
  /** While two agents move it: what each of them has said, and does not take back. `migration` says it to people. */
  readonly move?: Departure | Arrival | null;
  /** With `migration.stage` left: what it left here, and who says when that may go. Left out by agents of before: then a person does. */
  readonly left?: LeftBehind;
  /** Moves that were called off without the other node having heard of it: it is told until it has. Left out: none. */
  readonly calledOff?: readonly Departure[];
  /** With `paused`: its hypervisor stopped it, and nobody else. */
  readonly stalled?: StalledState | null;
  /** Where the guest differed from the spec last applied when that was applied, and differs still: nobody else's doing. */
  readonly owed?: readonly Owed[];
}

export interface Owed {
  /** As in `model/fields.ts`. */
  readonly path: string;
  readonly since: Instant;
}

export interface RestartRecord extends RestartState {
  /** In which boot of the host it was decided: another boot is another question (ADR 0013). */
  readonly hostBootId: string;
}

export interface GuestRecord {
  /** Null for a hypervisor without a process, and between the decision to start one and the moment it runs. */
  readonly process: ProcessHandle | null;
  /** Guests do not outlive the boot of the host they were started in. */
  readonly hostBootId: string;
  /** What the guest was started with plus what was changed live since: what a reconnecting hypervisor is told. */
  readonly bootedSpec: VmSpec;
  /** Sizes of the log files before this boot: what was written since stands behind them. */
  readonly logSizes: Readonly<Record<string, number>>;
  /** See `Hypervisor.machineOf`; not there in records of earlier agents. */
  readonly machine?: unknown;
  /** A person asked it to power off, or drove it past odorobo: however it ends, the agent does not start it again by itself. */
  readonly handled?: "power-button" | "api";
}

/** On the node that the guest leaves. */
export interface Departure {
  readonly role: "source";
  /**
   * - `sending`: the guest is ours. The other node does not let it run, and an agent that finds this in its journal calls the move off.
   * - `given`: it is the other node's, unless that says, and has written down, that it never had it and never will. It does not run here meanwhile.
   */
  readonly stage: "sending" | "given";
  readonly to: { readonly node: NodeName; readonly address: string; readonly fingerprint: string | null };
  /** Of the ticket, which lies beside the record as secret texts do. */
  readonly ticket: Digest;
  readonly since: Instant;
  /** As it stood when it set out: so it goes on, wherever. */
  readonly paused: boolean;
  /** It is off, and its disks are sent: an agent that finds this in its journal goes on with them. Left out: it is moved as it runs. */
  readonly mode?: "cold";
  /** With `mode`: the most of the link that it may take. */
  readonly bandwidthMiBps?: number;
  readonly sentBytes?: number;
  readonly downtimeMs?: number | null;
}

/** Of a VM that has moved away. */
export interface LeftBehind {
  readonly to: Departure["to"];
  /** Of the move: its text is kept, to ask with. */
  readonly ticket: Digest;
  readonly since: Instant;
  /** The id of the data folder that took it in; null: its agent did not say. */
  readonly keeper: string | null;
  /** Those whose bytes went along, sorted. */
  readonly disks: readonly string[];
  /** What all of its disks here take of this node's, when it left. */
  readonly bytes: number;
}

/** On the node that it comes to. */
export interface Arrival {
  readonly role: "destination";
  /**
   * - `expected`, `arriving`, `whole`: it is the other node's, and never runs here. Can be refused at any time, for good.
   * - `taken`: it is ours, whatever the other node says or does not say.
   */
  readonly stage: "expected" | "arriving" | "whole" | "taken";
  readonly from: NodeName;
  readonly ticket: Digest;
  readonly since: Instant;
  /** When nobody is waited for any more; means nothing once it has set out. */
  readonly expiresAt: Instant;
  /** What this record was before, and is again if the guest does not come; null: there was none. */
  readonly before: StoredVm | null;
  /** It comes off, with its disks, and is off when it is here: an agent that finds this waits for the rest of them. Left out: it comes running. */
  readonly mode?: "cold";
  /** As it stood when it set out; left out before that is known. */
  readonly paused?: boolean;
}

/** Between two agents: what is done about it is the business of `lifecycle/migration`. */
export const isOnItsWay = ({ move }: Pick<VmRecord, "move">): boolean => !!move && move.stage !== "taken";

/** A deleted VM whose disks are kept. */
export interface TombstoneRecord extends RecordHead {
  readonly state: "tombstone";
  readonly deletedAt: Instant;
  readonly retainUntil: Instant;
  /** Names of the disks that are kept. */
  readonly disks: readonly string[];
}

/** A VM whose record cannot be read, or does not explain what runs. It is here, and nothing is done to it. */
export interface UnreadableRecord {
  readonly state: "unreadable";
  readonly name: VmName;
  readonly problem: string;
  /** A guest of it runs that no record explains; left out where it is the record that cannot be read. */
  readonly held?: true;
}

export type StoredVm = VmRecord | TombstoneRecord;

export interface UnfinishedOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly graceSeconds: number | null;
  readonly begunAt: Instant;
  /** The run that it is a step of; left out where a person asked, or an agent of before wrote it. */
  readonly run?: string;
}

export interface CompletedOperation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly error: ErrorBody | null;
  readonly detail?: OperationDetail;
  // Agents of before wrote neither.
  readonly run?: string;
  /** When it ended. */
  readonly at?: Instant;
}

/** 64 is more than one apply ever asks of one VM; a caller that repeats an older id has lost interest long ago. */
export const REMEMBERED_OPERATIONS = 64;
