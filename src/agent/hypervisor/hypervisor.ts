/**
 * A hypervisor is a compiler and a connection. To add one: a folder beside this file with `compile.ts` (spec → LaunchCommand,
 * pure), a client for its control socket and a `driver.ts` that implements this interface; then one line in `agent/main.ts`.
 */

import type { Duplex } from "node:stream";
import type { Digest, Instant } from "../../model/names.ts";
import type {
  ChangeRule,
  HypervisorReport,
  LiveConfig,
  MigrationProgress,
  Movable,
  StalledState,
} from "../../model/observed-state.ts";
import type { HypervisorKind, VmSpec } from "../../model/vm-spec.ts";
import type { LaunchCommand, VmPaths } from "../launch-command.ts";
import type { SerialPort } from "../serial-port.ts";

export interface Hypervisor {
  readonly kind: HypervisorKind;
  /** `placeholder`: disks are small stand-in files (noop); `real`: the agent makes overlays and volumes. */
  readonly disks: "real" | "placeholder";
  /**
   * What a boot of this input fixes for the life of the guest and cannot be told from its spec later: JSON, kept with the guest's record and
   * handed in as `LaunchInput.machine` from then on. After `probe`. Pure. Left out: nothing.
   */
  machineOf?(vm: LaunchInput): unknown;
  /** After `probe`: it opens a disk as what its bytes look like, whatever it is told, and follows what they name. Left out: never. */
  guessesFormats?(): boolean;
  /** The absolute paths that a snapshot folder names. Rejects with BAD_REQUEST when it cannot be read. Left out: it names none. */
  snapshotPaths?(folder: string): Promise<readonly string[]>;
  /** What is here, or null when it is not (no binary). Never rejects for "not here". */
  probe(signal: AbortSignal): Promise<HypervisorReport | null>;
  /**
   * Pure: same input, same command. Null: this hypervisor needs no process (noop).
   * Throws UNSUPPORTED for what this hypervisor cannot do at all.
   */
  compile(vm: LaunchInput): LaunchCommand | null;
  /**
   * After the process was started, or when an agent finds it again: opens the control connection.
   * `fresh`: the process was just launched for this input (noop begins its guest's life here). Rejects with HYPERVISOR_UNAVAILABLE.
   */
  connect(vm: LaunchInput, options: ConnectOptions): Promise<RunningVm>;
  /**
   * How a guest ended whose process is gone, by what it left in its run folder: for an agent that was not there. Null: nothing
   * tells. Left out: nothing ever does.
   */
  lastWord?(vm: LaunchInput): Promise<GuestEnd | null>;
  /** What a process that ended before it answered had said last, in the words of the spec; null: nothing better than that. Pure. */
  explainStart?(spec: VmSpec, words: string): string | null;
  /**
   * The process was just launched for this input and is to take in a guest that comes from another host. Resolves when it
   * listens. `url` is empty where the caller leaves it to the hypervisor. Left out: this hypervisor cannot.
   */
  receive?(vm: LaunchInput, options: { readonly url: string; readonly signal: AbortSignal }): Promise<IncomingGuest>;
  /**
   * The process was launched for this input, with the `machine` that the guest has where it comes from, and is to take it in from another
   * agent, which steers. `again`: it was told so by an agent before this one. Left out: this hypervisor cannot.
   */
  admit?(vm: LaunchInput, options: { readonly again: boolean; readonly signal: AbortSignal }): Promise<Admission>;
}

/** A process that takes a guest in. The guest never runs in it before `take`; until then the process may be killed at any time. */
export interface Admission extends AsyncDisposable {
  /** Where what comes through a channel of this name goes. Throws BAD_REQUEST for one that this guest does not have. */
  connect(channel: string, stream: Duplex): void;
  /** The disks are copied and nobody writes to them from outside any more. */
  releaseDisks(signal: AbortSignal): Promise<void>;
  /** Resolves when all of the guest is here and stands still; rejects with HYPERVISOR_FAILED when it never will. */
  whole(signal: AbortSignal): Promise<void>;
  /** Lets it run, or with `paused` stand as it stood; it is this connection's from now on. HYPERVISOR_FAILED: it did not run, not for a moment. */
  take(options: { readonly paused: boolean }, signal: AbortSignal): Promise<RunningVm>;
}

/** A running guest's way to another node. Where both ends are agents; `GuestAbilities.migrate` is the way by hand. */
export interface OutgoingGuest {
  /** The `machine` as it is now, with what was plugged in since the boot: for the process that takes the guest in. */
  describe(signal: AbortSignal): Promise<unknown>;
  /**
   * Sends it: memory, and what `disks` names. Resolves when nothing is left to send and it stands still here. Rejects when that cannot be, or
   * with the signal's reason: then `stay` is called.
   */
  send(passage: Passage, signal: AbortSignal): Promise<Sent>;
  /** Calls off what was begun, by whomever, and lets it run on as it did: here, and as far as it depends on this side nowhere else. */
  stay(options: { readonly paused: boolean }, signal: AbortSignal): Promise<void>;
}

export interface Passage {
  /** Disks whose bytes have to go, too. `shallow`: what is below them is there already. */
  readonly disks: readonly { readonly name: string; readonly shallow: boolean }[];
  readonly downtimeMs: number;
  /** For memory, once disks are there; then it is ended, with why. */
  readonly timeoutMs: number;
  readonly bandwidthMiBps: number | null;
  /** To the other node: `memory`, or `disk.NAME`. */
  open(channel: string): Promise<Duplex>;
  /** The disks are copied to the last byte: the other side lets go of them. */
  disksDone(): Promise<void>;
  /**
   * For a hypervisor whose process would let the guest run on by itself when the connection ends: stops that process as it stands, whatever
   * becomes of this agent. It is thawed before `stay`, or killed. Resolves when nothing of it runs, also when it is gone. Rejects with
   * HYPERVISOR_FAILED, or with the signal's reason: then it goes on.
   */
  freeze(signal: AbortSignal): Promise<void>;
  progress(now: MigrationProgress): void;
}

export interface Sent {
  readonly bytes: number;
  readonly downtimeMs: number | null;
}

export interface ConnectOptions {
  readonly fresh: boolean;
  /** With `fresh`: the guest comes from this snapshot folder instead of booting. UNSUPPORTED where `snapshot` is. */
  readonly fromSnapshot?: string;
  readonly signal: AbortSignal;
}

export interface IncomingGuest {
  /** As the sender has to give it, port included: `tcp:0.0.0.0:49152`. */
  readonly url: string;
  /** Resolves when the guest runs here; rejects with HYPERVISOR_FAILED when it will not: then only the end of the process helps. */
  readonly arrived: Promise<RunningVm>;
}

export interface LaunchInput {
  readonly name: string;
  readonly spec: VmSpec;
  readonly paths: VmPaths;
  /** Contents by digest, for the seed image. */
  readonly files: ReadonlyMap<Digest, string>;
  /** Of the machine, for one that is about to start. Left out: the hypervisor's own choice. */
  readonly uuid?: string;
  /** For the seed image of one that is about to start. */
  readonly instanceId?: string;
  /** As `machineOf` said at the guest's boot. Left out: it has not booted, or an agent booted it that noted nothing. */
  readonly machine?: unknown;
  /** It is launched to take in a guest, and not to boot one. */
  readonly incoming?: true;
  /** By the name of an image disk: the files that its overlay opens. Left out of one: the image's path. */
  readonly images?: Readonly<Record<string, readonly string[]>>;
}

export type GuestStatus = { readonly phase: "running" | "paused"; readonly stalled?: Stall } | GuestEnd;

/** With `paused`: the hypervisor stopped the guest because something it wrote could not be written. `resume` tries that again. */
export type Stall = Pick<StalledState, "disks" | "noRoom">;

/** The guest is off; the process may linger (`-no-shutdown`) so that nobody has to guess why. */
export interface GuestEnd {
  readonly phase: "off";
  readonly endedBy: "guest" | "failure";
  readonly reason: string;
  /** It runs on another host now, whoever sent it there: nobody may start it here. */
  readonly hasMoved?: true;
}

/** A control connection to one guest. All methods reject with HYPERVISOR_FAILED or HYPERVISOR_UNAVAILABLE and honour the signal. */
export interface RunningVm extends AsyncDisposable {
  status(signal: AbortSignal): Promise<GuestStatus>;
  /** As the hypervisor says, normalised: for an unchanged guest it equals the spec it was booted with. */
  liveConfig(signal: AbortSignal): Promise<LiveConfig>;
  /** Asks the guest to power off; returns when the button was pressed, not when the guest is off. */
  powerButton(signal: AbortSignal): Promise<void>;
  pause(signal: AbortSignal): Promise<void>;
  resume(signal: AbortSignal): Promise<void>;
  /**
   * Makes those differences between the running guest and `spec` true that can be made live; leaves the rest. A device that the
   * guest does not let go of is no failure: it is held.
   */
  update(spec: VmSpec, signal: AbortSignal): Promise<void>;
  /** Ends the process from within, if there is a way; the supervisor kills what remains. */
  quit(signal: AbortSignal): Promise<void>;
  /** Raw serial line, if the guest has one. The agent is its only reader. */
  readonly serial: SerialPort | null;
  /** Who writes `consoleLog`: the hypervisor, whether an agent is there or not, or the agent from what it reads. */
  readonly loggedBy: "hypervisor" | "agent";
  readonly consoleLog: string | null;
  /** Called when the guest's status may have changed (powered off, paused by someone else, connection lost). A hint to ask again. */
  onChange(listener: () => void): void;
  /** What the guest did or what befell it, also while no agent was there if the hypervisor remembers. Left out: it cannot tell. */
  onEvent?(listener: (event: HypervisorEvent) => void): void;
  /** What this very guest takes now without an outage. Left out: nothing finer than the capabilities. */
  changeRules?(signal: AbortSignal): Promise<readonly ChangeRule[]>;
  /** Whether this very guest can go to another node while it runs. Left out: as its capability says. */
  movable?(): Movable;
  /**
   * Devices that the guest was asked to let go of and has not, as its process has them now. They are in `liveConfig` as well:
   * what they stand on is in use. Left out: a guest of this hypervisor lets go at once.
   */
  heldDevices?(signal: AbortSignal): Promise<readonly HeldDevice[]>;
  /** What only some hypervisors can; a method that is left out is UNSUPPORTED. */
  readonly abilities: GuestAbilities;
}

export interface HeldDevice {
  /** As in `model/fields.ts`: `disks.data`, `nics.eth1`, `passthrough.fs`. */
  readonly path: string;
  /** When the guest was asked. */
  readonly since: Instant;
}

export interface HypervisorEvent {
  readonly kind: "reboot" | "panic" | "power-off";
  /** For people. */
  readonly message: string;
}

/** Beyond what every hypervisor can. Paths are absolute and were checked against the allowed roots. */
export interface GuestAbilities {
  nmi?(signal: AbortSignal): Promise<void>;
  /** To `file`, which must not exist. */
  coredump?(file: string, signal: AbortSignal): Promise<void>;
  /** To `folder`, which exists and is empty. Pauses around it, and resumes what ran, whatever happens. */
  snapshot?(folder: string, signal: AbortSignal): Promise<void>;
  setBalloon?(sizeMiB: number, signal: AbortSignal): Promise<void>;
  /** By device id, as the hypervisor names and counts. */
  counters?(signal: AbortSignal): Promise<GuestCounters>;
  /** Resolves when the guest has left and its process may be ended; rejects when it runs on here. */
  migrate?(to: { readonly url: string; readonly local: boolean }, signal: AbortSignal): Promise<void>;
  readonly depart?: OutgoingGuest;
  /** The hypervisor's own API, unfiltered: whoever calls has checked that the caller may. */
  raw?(request: RawRequest, signal: AbortSignal): Promise<RawAnswer>;
}

export type GuestCounters = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface RawRequest {
  readonly method: string;
  /** Below the API's root, with the query: `vm.info`. */
  readonly path: string;
  readonly body: Uint8Array | null;
  /** The guest may run on another host afterwards (`vm.send-migration`): then its end here is no reason to start it here again. */
  readonly mayMove?: boolean;
}

export interface RawAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: Uint8Array;
}
