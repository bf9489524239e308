/**
 * A supervisor whose processes exist only in a table: for tests of everything above it. It behaves as the spawn supervisor
 * does, which one and the same test file shows. The table is apart from the supervisor, because processes outlive agents.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import type { ExitStatus, ProcessHandle, Supervisor } from "../supervisor.ts";

interface FakeProcess {
  readonly handle: ProcessHandle;
  readonly name: string;
  readonly command: LaunchCommand;
  ended: ExitStatus | null;
  readonly listeners: Set<() => void>;
}

export class ProcessTable {
  readonly #processes = new Map<number, FakeProcess>();
  readonly #frozen = new Set<number>();
  readonly bootId: string;
  #lastPid = 1000;
  #ticks = 0;

  constructor(bootId: string) {
    this.bootId = bootId;
  }

  /** Those that run now. */
  running(): readonly { readonly name: string; readonly pid: number; readonly command: LaunchCommand }[] {
    return [...this.#processes.values()]
      .filter((each) => each.ended === null)
      .map(({ name, handle, command }) => ({ name, pid: handle.pid, command }));
  }

  spawn(name: string, command: LaunchCommand): ProcessHandle {
    const handle = { pid: ++this.#lastPid, startTicks: ++this.#ticks, bootId: this.bootId };
    this.#processes.set(handle.pid, { handle, name, command, ended: null, listeners: new Set() });
    return handle;
  }

  /** As `kill -SIGNAL` by somebody, or the process's own end. */
  end(pid: number, status: ExitStatus): void {
    const each = this.#processes.get(pid);
    if (!each || each.ended) return;
    each.ended = status;
    for (const listener of each.listeners) listener();
  }

  handle(pid: number): ProcessHandle {
    const process = this.#processes.get(pid);
    if (process === undefined) throw new Error(`there was never a process ${pid}`);
    return process.handle;
  }

  get(handle: ProcessHandle): FakeProcess | null {
    const each = this.#processes.get(handle.pid);
    return each && each.handle.startTicks === handle.startTicks && handle.bootId === this.bootId ? each : null;
  }

  freeze(handle: ProcessHandle): void {
    this.#frozen.add(handle.pid);
  }

  thaw(handle: ProcessHandle): void {
    if (this.get(handle) !== null) this.#frozen.delete(handle.pid);
  }

  isFrozen = (handle: ProcessHandle): boolean => this.#frozen.has(handle.pid);

  find(command: LaunchCommand): ProcessHandle | null {
    for (const each of this.#processes.values())
      if (each.ended === null && each.command.outputFile === command.outputFile) return each.handle;
    return null;
  }
}

export function createInMemorySupervisor(table: ProcessTable): Supervisor {
  const children = new Set<number>();
  const isRunning = (handle: ProcessHandle): boolean => table.get(handle)?.ended === null;

  return {
    kind: "in-memory",
    async start(name, command, signal) {
      signal.throwIfAborted();
      if (command.executable === "missing")
        throw new OdoroboError("HYPERVISOR_FAILED", `${command.executable} for ${name} could not be started`);
      const handle = table.spawn(name, command);
      children.add(handle.pid);
      return handle;
    },
    async find(_name, command) {
      return table.find(command);
    },
    async below(folder) {
      return table
        .running()
        .filter(({ command }) => command.workingFolder.startsWith(`${folder}/`))
        .map(({ pid, command }) => ({
          process: table.handle(pid),
          workingFolder: command.workingFolder,
          outputFile: command.outputFile,
        }));
    },
    isRunning,
    waitForExit(handle, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const process = table.get(handle);
        const status = (): ExitStatus =>
          (children.has(handle.pid) ? process?.ended : null) ?? { code: null, signal: null };
        if (!process || process.ended) return resolve(status());
        const onEnd = () => {
          signal.removeEventListener("abort", onAbort);
          process.listeners.delete(onEnd);
          resolve(status());
        };
        const onAbort = () => {
          process.listeners.delete(onEnd);
          reject(signal.reason);
        };
        process.listeners.add(onEnd);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
    async stop(handle) {
      if (isRunning(handle))
        table.end(handle.pid, { code: null, signal: table.isFrozen(handle) ? "SIGKILL" : "SIGTERM" });
    },
    async freeze(handle) {
      if (isRunning(handle)) table.freeze(handle);
    },
    async thaw(handle) {
      table.thaw(handle);
    },
  };
}
