/**
 * Keeps hypervisor processes by direct spawn: detached, in a process group of their own, output to a file. They outlive
 * the agent; a later agent finds them by pid and start time, or by a mark in their environment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import { removeLeftovers } from "../../leftovers.ts";
import { storageError } from "../../storage-error.ts";
import type { ExitStatus, ProcessHandle, Supervisor } from "../supervisor.ts";
import { untilFrozen } from "../until-frozen.ts";
import { findByEnvironment, isStopped, processFacts, readHostBootId, startTicksOf } from "./proc.ts";
import { processesBelow } from "./processes-below.ts";

/**
 * Names the process in its environment by the one path that no other VM of no other agent has. An environment cannot be
 * matched by accident, as a command line can (an admin's `tail -f` on the same folder).
 */
const markOf = (command: LaunchCommand): string => `ODOROBO_OUTPUT_FILE=${command.outputFile}`;

/** How often processes of an earlier agent are looked at: the kernel tells only parents of an exit. */
const POLL_MS = 200;
/** While somebody waits for an end that was asked for. */
const STOPPING_POLL_MS = 20;
/** How long SIGKILL may take: a process in uninterruptible sleep (a dead disk) may not die at all. */
const KILL_PATIENCE_MS = 5000;

const NOT_KNOWN: ExitStatus = { code: null, signal: null };

export function createSpawnSupervisor(): Supervisor {
  const bootId = readHostBootId();
  const children = new Map<number, { readonly startTicks: number; readonly exited: Promise<ExitStatus> }>();

  const isRunning = (handle: ProcessHandle): boolean =>
    handle.bootId === bootId && processFacts(handle.pid)?.startTicks === handle.startTicks;

  async function waitForExit(handle: ProcessHandle, signal: AbortSignal, pollMs = POLL_MS): Promise<ExitStatus> {
    signal.throwIfAborted();
    const child = children.get(handle.pid);
    if (child?.startTicks === handle.startTicks && handle.bootId === bootId) return abortable(child.exited, signal);
    while (isRunning(handle)) await sleep(pollMs, undefined, { signal, ref: false });
    return NOT_KNOWN;
  }

  return {
    kind: "spawn",

    async start(name, command, signal) {
      signal.throwIfAborted();
      await removeLeftovers(name, command.staleFiles);
      const child = await launch(name, command);
      // Read in the same turn as the spawn: until the next one nobody has collected the process, however short its life.
      const pid = child.pid as number;
      const startTicks = startTicksOf(pid);
      if (startTicks === null) throw failed(name, command, "vanished right after its start", undefined);
      const exited = new Promise<ExitStatus>((resolve) =>
        child.once("exit", (code, exitSignal) => {
          resolve({ code, signal: exitSignal });
          // Kept for a moment only: those who wait have the promise, later ones need no more than "gone".
          setTimeout(() => children.get(pid)?.startTicks === startTicks && children.delete(pid), 60_000).unref();
        }),
      );
      children.set(pid, { startTicks, exited });
      child.unref();
      return { pid, startTicks, bootId };
    },

    async find(_name, command) {
      const pids = await findByEnvironment(markOf(command));
      const facts = new Map(
        pids.flatMap((pid) => {
          const each = processFacts(pid);
          return each === null ? [] : [[pid, each] as const];
        }),
      );
      // Helpers that the hypervisor started inherit the mark; the one whose parent has none is the hypervisor.
      for (const [pid, each] of facts) if (!facts.has(each.parent)) return { pid, startTicks: each.startTicks, bootId };
      return null;
    },

    below: (folder) => processesBelow(folder, bootId),
    isRunning,
    waitForExit: (handle, signal) => waitForExit(handle, signal),

    async stop(handle, graceMs) {
      for (const [signalName, patienceMs] of [
        ["SIGTERM", graceMs],
        ["SIGKILL", KILL_PATIENCE_MS],
      ] as const) {
        if (!isRunning(handle)) return;
        if (signalName === "SIGTERM" && isStopped(handle.pid)) continue;
        kill(handle.pid, signalName);
        if (await endsWithin(patienceMs, (signal) => waitForExit(handle, signal, STOPPING_POLL_MS))) return;
      }
      throw new OdoroboError("HYPERVISOR_FAILED", `process ${handle.pid} does not end, not even by SIGKILL`, {
        hint: "it hangs in the kernel, mostly on storage that does not answer: look at dmesg on the node",
      });
    },

    async freeze(handle) {
      if (!isRunning(handle)) return;
      kill(handle.pid, "SIGSTOP");
      await untilFrozen(handle, isRunning);
    },

    async thaw(handle) {
      if (isRunning(handle)) kill(handle.pid, "SIGCONT");
    },
  };
}

function launch(name: string, command: LaunchCommand): Promise<ChildProcess> {
  let output: number;
  try {
    output = openSync(command.outputFile, "a", 0o600);
  } catch (error) {
    throw storageError(`could not open ${command.outputFile} for the output of ${name}`, error);
  }
  const [key, value] = markOf(command).split(/=(.*)/s) as [string, string];
  return new Promise<ChildProcess>((resolve, reject) => {
    try {
      const child = spawn(command.executable, command.args, {
        cwd: command.workingFolder,
        // Nothing of the agent's own environment but the search path: it may hold the agent's secrets.
        env: { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...command.env, [key]: value },
        detached: true,
        stdio: ["ignore", output, output],
      });
      child.once("error", (error) => reject(failed(name, command, "could not be started", error)));
      if (child.pid !== undefined) resolve(child);
    } catch (error) {
      reject(failed(name, command, "could not be started", error));
    } finally {
      closeSync(output);
    }
  });
}

/** The whole group, so that helpers of the hypervisor end with it. Its leader was seen alive, so the group is ours. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

const failed = (name: string, command: LaunchCommand, what: string, cause: unknown): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `${command.executable} for ${name} ${what}`, {
    cause,
    hint: isErrno(cause, "ENOENT")
      ? `is ${command.executable} installed on the node?`
      : `look at ${command.outputFile}`,
  });

/** The timer holds the agent's own process: who stops a guest wants to see it ended. */
async function endsWithin(patienceMs: number, wait: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), patienceMs);
  try {
    await wait(patience.signal);
    return true;
  } catch (error) {
    if (patience.signal.aborted) return false;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise<Value>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
