/**
 * The contract between those who apply and an agent: bodies of `/v1`. Routes are in `routes.ts`, the client in `client.ts`.
 *
 * Every act has an id chosen by the caller. Sending the same id again gives the outcome of the first time: a cut
 * connection or a second run never makes an agent do a thing twice.
 */
import type { ErrorBody } from "../model/errors.ts";
import type { Digest, Instant, NodeName, VmName } from "../model/names.ts";
import type { MigrationProgress, Tombstone, VmReport } from "../model/observed-state.ts";
import type { Disk, Nic, VmSpec } from "../model/vm-spec.ts";

/** What the caller saw when it decided. An agent that sees otherwise answers 409 and does nothing. Null: no condition (a person at the keyboard). */
export interface Expectation {
  readonly generation: number;
  readonly serial: number;
}

/**
 * PUT /v1/vms/{name}. Defines the VM or gives it a new spec; live changes are made at once, the rest waits for a reboot.
 * Older generation: 409 STALE_GENERATION. Same generation and same spec: no-op. Same generation, other spec: 409 too.
 * A tombstoned VM comes back with its retained disks.
 */
export interface PutVmRequest {
  readonly id: string;
  readonly fleet: string | null;
  readonly commit: string | null;
  readonly generation: number;
  readonly spec: VmSpec;
  /** The texts that the spec refers to by digest. Never reported back. */
  readonly files: Readonly<Record<Digest, string>>;
  readonly expect: Expectation | null;
  /** A running guest is left as it is: its reboot is next, and gives it all of it. */
  readonly defer?: true;
  /** Which run this is a step of. Crosses the wire as a header (`RUN_HEADER`): in a body an agent of before would refuse it. */
  readonly run?: string;
}

/** POST /v1/vms/{name}/operations */
export type OperationRequest = {
  readonly id: string;
  readonly expect: Expectation | null;
  /** On whose behalf. Another fleet's VM is never touched: 409 FLEET_MISMATCH. Null or absent: a person at the keyboard. */
  readonly fleet?: string | null;
  /** As in PutVmRequest. */
  readonly run?: string;
} & OperationArgs;

export type OperationArgs =
  | { readonly kind: "boot" }
  /** ACPI power button, then after the grace the process is ended. graceSeconds 0: at once. null: the spec's own. */
  | { readonly kind: "shutdown"; readonly graceSeconds: number | null }
  /** Shutdown and boot with the spec as last applied. */
  | { readonly kind: "reboot"; readonly graceSeconds: number | null }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  /** Stops the guest if it runs and leaves a tombstone; disks are retained. Refused while `protect` is remembered. */
  | { readonly kind: "delete"; readonly graceSeconds: number | null }
  /** Removes a tombstone and its disks, for good. The only way to lose bytes before the retention ends. */
  | { readonly kind: "purge" }
  /** Presses the ACPI power button and does not wait for the guest. */
  | { readonly kind: "power-button" }
  /** A non-maskable interrupt: a guest that hangs dumps or panics, as its kernel is set up. */
  | { readonly kind: "nmi" }
  /** Writes the guest's memory and registers to a file on the node, below an allowed root. */
  | { readonly kind: "coredump"; readonly file: string }
  /** Writes the guest's state to an empty folder on the node, below an allowed root. Paused around it. Disks are not in it. */
  | { readonly kind: "snapshot"; readonly folder: string }
  /** Starts a VM that is off from a snapshot instead of booting it. */
  | { readonly kind: "restore"; readonly folder: string }
  /** By hand, in the running guest only: the spec stays, so the next plan shows the difference. What is null stays as it is. */
  | ({ readonly kind: "resize" } & Resize)
  | { readonly kind: "attach"; readonly device: AttachableDevice }
  | { readonly kind: "detach"; readonly device: { readonly list: "disks" | "nics"; readonly name: string } }
  /** Starts an empty process that waits for a guest; done when it listens. url null: a free port on every address. */
  | { readonly kind: "migrate-receive"; readonly url: string | null }
  /** Done when the guest has left; failed when it runs on here. */
  | { readonly kind: "migrate-send"; readonly url: string; readonly local: boolean }
  /**
   * The first half of a move between two agents, asked of the one that the guest goes to: it looks whether the guest can live there,
   * keeps room for it (its report counts it from now on) until `detail.expiresAt`, and lets in who shows the ticket. `expect` null:
   * it has no VM of this name, or one that left. Asked again with another id before the guest has set out: the new ticket counts.
   */
  | {
      readonly kind: "expect-guest";
      readonly from: NodeName;
      readonly ticket: string;
      readonly generation: number;
      readonly spec: VmSpec;
      /** `cold`: it comes off, with its disks. Left out: as it runs. */
      readonly mode?: "live" | "cold";
    }
  /**
   * The second half, asked of the agent that has the guest: done when the guest runs there and is let go of here, failed when it runs on here.
   * `cold`: of a VM that is off, and is off there afterwards; its disks are compared over there before it is let go of here. Goes on by itself
   * after a break, also of this agent.
   */
  | {
      readonly kind: "migrate";
      readonly to: MigrationTarget;
      readonly mode: "live" | "cold";
      /** The most of the link that it may take. Null or left out: as much as there is. */
      readonly bandwidthMiBps?: number | null;
    }
  /** Ends a `migrate` that is under way, as long as the guest can stay: it runs on here. Done when the VM is in one place, `after` says whether here. */
  | { readonly kind: "cancel-migration" };

export interface MigrationTarget {
  readonly node: NodeName;
  /** Of its agent, as the node that has the guest reaches it. */
  readonly address: string;
  /** As `expect-guest` was given it. A secret: in no record, log or report. */
  readonly ticket: string;
  /** As `expect-guest` answered it: no agent that shows another certificate is talked to. Null: it has none. */
  readonly fingerprint: string | null;
}

export interface Resize {
  readonly cpus: number | null;
  readonly memoryMiB: number | null;
  readonly balloonMiB: number | null;
  readonly disk: { readonly name: string; readonly sizeMiB: number } | null;
}

export type AttachableDevice =
  | { readonly list: "disks"; readonly disk: Disk }
  | { readonly list: "nics"; readonly nic: Nic };

export type OperationKind = "create" | "update" | OperationArgs["kind"];

/** What PUT, POST and GET /v1/operations/{id} answer. */
export interface OperationResult {
  readonly id: string;
  readonly vm: VmName;
  readonly kind: OperationKind;
  readonly outcome: "running" | "done" | "failed";
  /** Nothing had to be done: it was so already. */
  readonly noop: boolean;
  readonly error: ErrorBody | null;
  /** The VM as it now is; null when it is gone. */
  readonly after: VmReport | null;
  /** What is kept of a VM that is gone; left out when there is nothing. */
  readonly tombstone?: Tombstone;
  /** Left out when the outcome says it all. */
  readonly detail?: OperationDetail;
  /** Of a `migrate` with outcome `running`. */
  readonly progress?: MigrationProgress;
}

/** What an operation has to tell beyond its outcome. */
export interface OperationDetail {
  /** Where a `migrate-receive` listens. `0.0.0.0` in it is every address of the node: the sender has to give one of them. */
  readonly url?: string;
  /** What went wrong without undoing the act: hooks that failed after it. For people. */
  readonly warnings?: readonly string[];
  /** Of an `expect-guest`: SHA-256 of the certificate that this agent shows, in hex; left out where it has none. */
  readonly fingerprint?: string;
  /** Of an `expect-guest`: until when the guest may set out. */
  readonly expiresAt?: Instant;
  /** Of a `migrate`. */
  readonly migration?: {
    readonly seconds: number;
    /** Memory and disks. */
    readonly sentBytes: number;
    /** How long the guest stood still, until the other node said that it runs; null: its hypervisor does not say. */
    readonly downtimeMs: number | null;
    /** Of a VM that was off: by the name of the disk, the checksum of its file that both nodes worked out. */
    readonly checksums?: Readonly<Record<string, string>>;
  };
}

/** One line of `GET /v1/events` (SSE; the event's `id:` is `sequence`, resume with Last-Event-ID). */
export interface AgentEvent {
  readonly sequence: number;
  readonly at: string;
  readonly kind: "phase" | "operation" | "drift" | "reset";
  readonly vm: VmName | null;
  /** For people. */
  readonly message: string;
}
