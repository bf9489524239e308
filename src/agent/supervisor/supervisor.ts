/** Keeps hypervisor processes: starts, finds again, ends. Knows nothing of VMs beyond a name. */
import type { LaunchCommand } from "../launch-command.ts";

/**
 * Enough to find the process again after an agent restart without mistaking a reused pid for it.
 * Plain JSON, kept in the VM's record.
 */
export interface ProcessHandle {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: ticks after boot. With the boot id, names one process for ever. */
  readonly startTicks: number;
  readonly bootId: string;
  /** The systemd unit that it runs in; left out where there is none. */
  readonly unit?: string;
}

export interface Supervisor {
  /** For `doctor` and the log. */
  readonly kind: "spawn" | "systemd" | "in-memory";
  /** Starts the process detached, so that it outlives the agent. Resolves once it runs; rejects with HYPERVISOR_FAILED and the process's last words. */
  start(name: string, command: LaunchCommand, signal: AbortSignal): Promise<ProcessHandle>;
  /** A process of this VM's that runs although no record names it (the agent died between start and record), or null. */
  find(name: string, command: LaunchCommand): Promise<ProcessHandle | null>;
  /**
   * Processes of guests, whoever started them and whatever data folder they belong to, that work in a folder below this one
   * (absolute). Those of another supervisor too, as far as this process may look.
   */
  below(folder: string): Promise<readonly FoundProcess[]>;
  isRunning(handle: ProcessHandle): boolean;
  /**
   * Resolves when the process is gone, at once if it already is; rejects on abort. Code and signal are null where nobody
   * knows: an earlier agent was its parent, and no service manager kept them.
   */
  waitForExit(handle: ProcessHandle, signal: AbortSignal): Promise<ExitStatus>;
  /**
   * SIGTERM, and SIGKILL after `graceMs`; one that is frozen is killed as it stands. Resolves when it is gone. A process that is not ours is
   * never signalled.
   */
  stop(handle: ProcessHandle, graceMs: number): Promise<void>;
  /**
   * Stops the process where it stands, whatever becomes of this agent: until `thaw`, by any agent, nothing of it runs. Resolves when that is so,
   * also when it is gone. HYPERVISOR_FAILED: it cannot be stopped.
   */
  freeze(handle: ProcessHandle): Promise<void>;
  /** Lets one go on that was frozen; any other takes no notice. */
  thaw(handle: ProcessHandle): Promise<void>;
  /**
   * Gives a running process what `wanted` needs and `now` did not: another share of the node, paths, devices. Asked before
   * a guest is changed live. Left out: processes are not held to anything, so there is nothing to give.
   */
  adjust?(handle: ProcessHandle, now: LaunchCommand, wanted: LaunchCommand): Promise<void>;
}

export interface FoundProcess {
  readonly process: ProcessHandle;
  readonly workingFolder: string;
  /** As the `LaunchCommand` said that it was started by. */
  readonly outputFile: string;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: string | null;
  /** The kernel ended it for want of memory. Left out where nobody knows. */
  readonly outOfMemory?: boolean;
}
