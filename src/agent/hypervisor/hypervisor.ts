/**
 * A hypervisor is a compiler and a connection. To add one: a folder beside this file with `compile.ts` (spec → LaunchCommand,
 * pure), a client for its control socket and a `driver.ts` that implements this interface; then one line in `agent/main.ts`.
 */

import type { Digest } from "../../model/names.ts";
import type { HypervisorReport, LiveConfig } from "../../model/observed-state.ts";
import type { HypervisorKind, VmSpec } from "../../model/vm-spec.ts";
import type { LaunchCommand, VmPaths } from "../launch-command.ts";

export interface Hypervisor {
  readonly kind: HypervisorKind;
  /** `placeholder`: disks are small stand-in files (noop); `real`: the agent makes overlays and volumes. */
  readonly disks: "real" | "placeholder";
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
  connect(vm: LaunchInput, options: { readonly fresh: boolean; readonly signal: AbortSignal }): Promise<RunningVm>;
}

export interface LaunchInput {
  readonly name: string;
  readonly spec: VmSpec;
  readonly paths: VmPaths;
  /** Contents by digest, for the seed image. */
  readonly files: ReadonlyMap<Digest, string>;
}

export type GuestStatus =
  | { readonly phase: "running" | "paused" }
  /** The guest is off; the process may linger (`-no-shutdown`) so that nobody has to guess why. */
  | { readonly phase: "off"; readonly endedBy: "guest" | "failure"; readonly reason: string };

/** A control connection to one guest. All methods reject with HYPERVISOR_FAILED or HYPERVISOR_UNAVAILABLE and honour the signal. */
export interface RunningVm extends AsyncDisposable {
  status(signal: AbortSignal): Promise<GuestStatus>;
  /** As the hypervisor says, normalised: for an unchanged guest it equals the spec it was booted with. */
  liveConfig(signal: AbortSignal): Promise<LiveConfig>;
  /** Asks the guest to power off; returns when the button was pressed, not when the guest is off. */
  powerButton(signal: AbortSignal): Promise<void>;
  pause(signal: AbortSignal): Promise<void>;
  resume(signal: AbortSignal): Promise<void>;
  /** Makes those differences between the running guest and `spec` true that can be made live; leaves the rest. */
  update(spec: VmSpec, signal: AbortSignal): Promise<void>;
  /** Ends the process from within, if there is a way; the supervisor kills what remains. */
  quit(signal: AbortSignal): Promise<void>;
  /** Raw serial line, if the guest has one: connect to this Unix socket. The agent is its only client. */
  readonly consoleSocket: string | null;
  /** Where the serial output is logged, whether an agent is there or not. */
  readonly consoleLog: string | null;
  /** Called when the guest's status may have changed (powered off, paused by someone else, connection lost). A hint to ask again. */
  onChange(listener: () => void): void;
}
