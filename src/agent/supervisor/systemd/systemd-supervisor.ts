/**
 * Keeps hypervisor processes as transient units of systemd: `odorobo-ch@web-1.service`. They outlive the agent, each has a
 * control group and a sandbox of its own, and systemd remembers how they ended.
 *
 *   lifecycle → [systemd-supervisor.ts] → manager.ts → bus.ts
 *
 * Whether a process runs is asked of /proc (at once, and without a bus); what became of it, of systemd. So a bus that is
 * gone keeps nobody from seeing or ending a guest, it only keeps new ones from starting.
 *
 * Invariants: one unit for each VM, whose environment names its owner; a unit of somebody else is never stopped.
 */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import { removeLeftovers } from "../../leftovers.ts";
import { isStopped, processFacts, readHostBootId } from "../spawn/proc.ts";
import { inFolder, MARK, processesBelow } from "../spawn/processes-below.ts";
import type { ExitStatus, FoundProcess, ProcessHandle, Supervisor } from "../supervisor.ts";
import { untilFrozen } from "../until-frozen.ts";
import { describeEarlyEnd, exitStatusOf } from "./exit-status.ts";
import { type GuestUser, grantAccess } from "./grant-access.ts";
import { groupsOf, openOutput, resolveExecutable, searchPath } from "./host-side.ts";
import { isMasked, isUnitThere, SystemdManager, type UnitState } from "./manager.ts";
import { deviceProperties, pathsOf } from "./sandbox.ts";
import { escapeInstance, unitName } from "./unit-name.ts";
import { markOf, shareProperties, unitProperties } from "./unit-properties.ts";

export interface SystemdSettings {
  /** D-Bus address of the service manager: `unix:path=/run/dbus/system_bus_socket`. */
  readonly bus: string;
  /** What the units' names begin with, and the slice that they lie in. */
  readonly prefix?: string;
  /** Whom guests run as; null: as whoever the service manager runs as. */
  readonly user: GuestUser | null;
  /** Folders of which each process sees only what is its own. */
  readonly hidden: readonly string[];
  readonly log: Logger;
}

/** Ends are heard of, not polled for; this is for the signal that got lost with its bus. */
const POLL_MS = 1_000;
const STOPPING_POLL_MS = 20;
/** systemd learns of an end a moment after the kernel does. */
const REAP_PATIENCE_MS = 2_000;
const KILL_PATIENCE_MS = 5_000;
/** How long what remains of an ended unit is kept for those who have not asked yet how it ended. */
const KEEP_ENDED_MS = 30_000;
/** A unit that was stopped is forgotten a moment later. */
const FORGET_PATIENCE_MS = 5_000;

const NOT_KNOWN: ExitStatus = { code: null, signal: null };

export function createSystemdSupervisor(settings: SystemdSettings): Supervisor & AsyncDisposable {
  return new SystemdSupervisor(settings);
}

/** Null when a service manager answers there, else why not. */
export async function isSystemdThere(bus: string): Promise<Error | null> {
  try {
    await using manager = new SystemdManager(bus);
    await manager.version();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

class SystemdSupervisor implements Supervisor, AsyncDisposable {
  readonly kind = "systemd";
  readonly #settings: SystemdSettings;
  readonly #prefix: string;
  readonly #manager: SystemdManager;
  readonly #bootId = readHostBootId();
  /** Of units that are about to be forgotten, or are. */
  readonly #ends = new Map<string, ExitStatus>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(settings: SystemdSettings) {
    this.#settings = settings;
    this.#prefix = settings.prefix ?? "odorobo";
    this.#manager = new SystemdManager(settings.bus);
  }

  async start(name: string, command: LaunchCommand, signal: AbortSignal): Promise<ProcessHandle> {
    signal.throwIfAborted();
    const { user, hidden } = this.#settings;
    const unit = this.#unitOf(name, command);
    const executable = resolveExecutable(name, command.executable);
    const whole = { ...command, executable };
    await this.#makeWay(name, unit, command);
    await removeLeftovers(name, command.staleFiles);
    if (user !== null) await grantAccess(whole, user, hidden);
    // Made here, so that it is the agent's and nobody else can read it.
    openOutput(name, command);
    signal.throwIfAborted();
    const properties = unitProperties({
      instance: escapeInstance(name),
      command: whole,
      slice: `${this.#prefix}.slice`,
      confinement: { user, deviceGroups: groupsOf(command.needs), hidden: hidden.filter((path) => existsSync(path)) },
      searchPath: searchPath(),
    });
    const state = await this.#run(unit, properties, name, command);
    const handle = this.#handleOf(unit, state);
    if (handle === null) {
      const end = await this.#reaped(unit, state);
      await this.#forget(unit);
      throw failed(name, command, describeEarlyEnd(end));
    }
    if (signal.aborted) {
      await this.stop(handle, 0);
      throw signal.reason;
    }
    return handle;
  }

  async find(name: string, command: LaunchCommand): Promise<ProcessHandle | null> {
    const unit = this.#unitOf(name, command);
    const state = await this.#manager.state(unit);
    return isOurs(state, command) ? this.#handleOf(unit, state) : null;
  }

  async below(folder: string): Promise<readonly FoundProcess[]> {
    const root = await realpath(folder).catch(() => folder);
    const found = new Map((await processesBelow(folder, this.#bootId)).map((each) => [each.process.pid, each]));
    // What /proc does not let us look into, its unit tells. A bus that is gone keeps nobody from seeing the rest.
    const units = await this.#manager.unitsLike(`${this.#prefix}-*@*.service`).catch((error: unknown) => {
      this.#settings.log.warn({ err: error }, "could not ask systemd for the units of guests");
      return [];
    });
    for (const unit of units) {
      const state = await this.#manager.state(unit);
      const process = this.#handleOf(unit, state);
      const mark = state.environment.find((each) => each.startsWith(`${MARK}=`));
      if (process === null || mark === undefined) continue;
      const workingFolder = found.get(process.pid)?.workingFolder ?? inFolder(state.workingFolder, folder, root);
      if (workingFolder !== null)
        found.set(process.pid, { process, workingFolder, outputFile: mark.slice(MARK.length + 1) });
    }
    return [...found.values()];
  }

  isRunning(handle: ProcessHandle): boolean {
    return handle.bootId === this.#bootId && processFacts(handle.pid)?.startTicks === handle.startTicks;
  }

  async waitForExit(handle: ProcessHandle, signal: AbortSignal): Promise<ExitStatus> {
    signal.throwIfAborted();
    const known = this.#ends.get(keyOf(handle));
    if (known !== undefined) return known;
    if (handle.bootId !== this.#bootId) return NOT_KNOWN;
    await this.#untilGone(handle, signal, POLL_MS);
    return this.#howItEnded(handle, signal);
  }

  async stop(handle: ProcessHandle, graceMs: number): Promise<void> {
    if (this.isRunning(handle)) {
      const unit = await this.#unitWith(handle);
      const steps: readonly (readonly [NodeJS.Signals, number, number])[] = [
        ["SIGTERM", SIGTERM, graceMs],
        ["SIGKILL", SIGKILL, KILL_PATIENCE_MS],
      ];
      let isGone = false;
      for (const [name, number, patienceMs] of steps) {
        if (!this.isRunning(handle)) break;
        // With SIGTERM systemd sends SIGCONT: it would go on for a moment.
        if (number === SIGTERM && isStopped(handle.pid)) continue;
        await this.#signal(handle, unit, name, number);
        isGone = await this.#endsWithin(handle, patienceMs);
        if (isGone) break;
      }
      if (!isGone && this.isRunning(handle))
        throw new OdoroboError("HYPERVISOR_FAILED", `process ${handle.pid} does not end, not even by SIGKILL`, {
          hint: "it hangs in the kernel, mostly on storage that does not answer: look at dmesg on the node",
        });
    }
    await this.#collect(handle).catch((error: unknown) => {
      this.#settings.log.warn({ err: error, unit: handle.unit }, "could not clean up after a guest's unit");
    });
  }

  async freeze(handle: ProcessHandle): Promise<void> {
    if (!this.isRunning(handle)) return;
    await this.#signal(handle, await this.#unitWith(handle), "SIGSTOP", SIGSTOP);
    await untilFrozen(handle, (each) => this.isRunning(each));
  }

  async thaw(handle: ProcessHandle): Promise<void> {
    if (this.isRunning(handle)) await this.#signal(handle, await this.#unitWith(handle), "SIGCONT", SIGCONT);
  }

  async adjust(handle: ProcessHandle, now: LaunchCommand, wanted: LaunchCommand): Promise<void> {
    const unit = await this.#unitWith(handle);
    if (unit === null) return;
    const { user, hidden } = this.#settings;
    const added = {
      ...wanted.needs,
      reads: wanted.needs.reads.filter((path) => !now.needs.reads.includes(path)),
      writes: wanted.needs.writes.filter((path) => !now.needs.writes.includes(path)),
    };
    if (user !== null) await grantAccess({ ...wanted, needs: added }, user, hidden);
    const properties = [...shareProperties(wanted.needs)];
    // While it runs nothing is taken away: what is detached may be in use for a moment yet.
    const devices = [...new Set([...now.needs.devices, ...wanted.needs.devices])];
    if (devices.length > now.needs.devices.length) properties.push(...deviceProperties({ ...wanted.needs, devices }));
    await this.#manager.setProperties(unit, properties);
    const paths = pathsOf({ ...wanted, needs: added }, hidden);
    const isNew = (path: string) => added.reads.includes(path) || added.writes.includes(path);
    for (const path of [...paths.writable, ...paths.openForWriting].filter(isNew)) await this.#show(unit, path, false);
    for (const path of paths.readable.filter(isNew)) await this.#show(unit, path, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.#manager[Symbol.asyncDispose]();
  }

  /** To a process that runs. What is not there is the hypervisor's to complain about. */
  async #show(unit: string, path: string, readOnly: boolean): Promise<void> {
    if (!existsSync(path)) return;
    try {
      await this.#manager.bindMount(unit, path, readOnly);
    } catch (cause) {
      throw new OdoroboError("HYPERVISOR_FAILED", `the running process of ${unit} could not be let at ${path}`, {
        cause,
        hint: "its next boot has it: odorobo vm reboot",
      });
    }
  }

  #unitOf(name: string, command: Pick<LaunchCommand, "kind">): string {
    return unitName(this.#prefix, command.kind ?? "vm", name);
  }

  /** Whatever remains of an earlier life goes. */
  async #makeWay(name: string, unit: string, command: LaunchCommand): Promise<void> {
    const state = await this.#manager.state(unit);
    if (state.load === "masked") throw masked(name, unit);
    if (state.active === "inactive" && state.load === "not-found") return;
    if (state.mainPid !== 0 && !isOurs(state, command)) {
      throw new OdoroboError("HYPERVISOR_FAILED", `${unit} is not this agent's, so ${name} cannot be started`, {
        hint: "another agent of this node has a VM of that name: give one of them another name",
      });
    }
    // Nobody knows of it, or it would not be started: left over by a start that was cut short.
    await this.#forget(unit);
  }

  /** Resolves when the program was executed, and perhaps ended again already. */
  async #run(
    unit: string,
    properties: ReturnType<typeof unitProperties>,
    name: string,
    command: LaunchCommand,
  ): Promise<UnitState> {
    const until = performance.now() + FORGET_PATIENCE_MS;
    for (;;) {
      try {
        const result = await this.#manager.startTransient(unit, properties);
        const state = await this.#manager.state(unit);
        // What ran and ended is told from what never ran by the caller; `unknown`: the bus went away meanwhile.
        if (result === "done" || result === "unknown" || state.mainPid !== 0) return state;
        await this.#forget(unit);
        throw failed(name, command, describeEarlyEnd(state));
      } catch (error) {
        if (isMasked(error)) throw masked(name, unit);
        if (isUnitThere(error) && performance.now() < until) {
          await sleep(STOPPING_POLL_MS);
          continue;
        }
        if (isOdoroboError(error, "SUPERVISOR_UNAVAILABLE")) return this.#rescue(unit, command, error);
        if (isOdoroboError(error)) throw error;
        throw failed(name, command, "systemd refused its unit", error);
      }
    }
  }

  /** The bus went away while the unit was started: it may run, and a process that nobody knows of must not remain. */
  async #rescue(unit: string, command: LaunchCommand, error: OdoroboError): Promise<UnitState> {
    const state = await this.#manager.state(unit).catch(() => null);
    if (state !== null && isOurs(state, command) && state.mainPid !== 0) return state;
    throw error;
  }

  /** What systemd says once it has seen the end of a process that the kernel has ended already. */
  async #reaped(unit: string, seen: UnitState): Promise<UnitState> {
    let state = seen;
    const until = performance.now() + REAP_PATIENCE_MS;
    while (state.exitCode === 0 && state.lastPid !== 0 && performance.now() < until) {
      await sleep(STOPPING_POLL_MS);
      state = await this.#manager.state(unit);
    }
    return state;
  }

  #handleOf(unit: string, state: UnitState): ProcessHandle | null {
    if (state.mainPid === 0) return null;
    const facts = processFacts(state.mainPid);
    if (facts === null) return null;
    return { pid: state.mainPid, startTicks: facts.startTicks, bootId: this.#bootId, unit };
  }

  /** The unit that this process is the main process of; null: none, or nobody can say. */
  async #unitWith(handle: ProcessHandle): Promise<string | null> {
    if (handle.unit === undefined || !this.isRunning(handle)) return null;
    const state = await this.#manager.state(handle.unit).catch(() => null);
    return state?.mainPid === handle.pid ? handle.unit : null;
  }

  /** Without a bus, or for a process that an agent without systemd had started: by its own hand. */
  async #signal(handle: ProcessHandle, unit: string | null, name: NodeJS.Signals, number: number): Promise<void> {
    if (unit !== null) {
      const sent = await this.#manager.kill(unit, number).then(
        () => true,
        () => false,
      );
      if (sent) return;
    }
    try {
      // Its group: a service begins a session, and so does a spawned process.
      process.kill(-handle.pid, name);
    } catch {
      // Gone meanwhile.
    }
  }

  async #untilGone(handle: ProcessHandle, signal: AbortSignal, pollMs: number): Promise<void> {
    while (this.isRunning(handle)) await this.#changeOf(handle, signal, pollMs);
  }

  async #changeOf(handle: ProcessHandle, signal: AbortSignal, pollMs: number): Promise<void> {
    const changed = new AbortController();
    const forget = handle.unit === undefined ? () => {} : this.#manager.onChange(handle.unit, () => changed.abort());
    try {
      await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, changed.signal]), ref: false });
    } catch {
      signal.throwIfAborted();
    } finally {
      forget();
    }
  }

  async #endsWithin(handle: ProcessHandle, patienceMs: number): Promise<boolean> {
    const patience = new AbortController();
    // The timer holds the agent's own process: who stops a guest wants to see it ended.
    const timer = setTimeout(() => patience.abort(), patienceMs);
    try {
      await this.#untilGone(handle, patience.signal, STOPPING_POLL_MS);
      return true;
    } catch (error) {
      if (patience.signal.aborted) return !this.isRunning(handle);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #howItEnded(handle: ProcessHandle, signal: AbortSignal): Promise<ExitStatus> {
    const known = this.#ends.get(keyOf(handle));
    if (known !== undefined || handle.unit === undefined) return known ?? NOT_KNOWN;
    const until = performance.now() + REAP_PATIENCE_MS;
    while (performance.now() < until) {
      const state = await this.#manager.state(handle.unit).catch(() => null);
      signal.throwIfAborted();
      // The unit is another process's by now, or another process has its number.
      if (state !== null && state.lastPid !== handle.pid) return this.#ends.get(keyOf(handle)) ?? NOT_KNOWN;
      if (processFacts(handle.pid) !== null) return NOT_KNOWN;
      const status = state && exitStatusOf(state);
      if (status) {
        this.#remember(handle, status);
        return status;
      }
      await this.#changeOf(handle, signal, state === null ? 200 : STOPPING_POLL_MS);
    }
    return NOT_KNOWN;
  }

  /** Those who ask later are told the same, and a moment after that the unit is forgotten. */
  #remember(handle: ProcessHandle, status: ExitStatus): void {
    const key = keyOf(handle);
    if (this.#ends.has(key)) return;
    this.#ends.set(key, status);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ends.delete(key);
      this.#collect(handle).catch((error: unknown) => {
        this.#settings.log.warn({ err: error, unit: handle.unit }, "could not clean up after a guest's unit");
      });
    }, KEEP_ENDED_MS);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Lets systemd forget the unit of a process that has ended, unless it has become another process's. */
  async #collect(handle: ProcessHandle): Promise<void> {
    if (handle.unit === undefined || handle.bootId !== this.#bootId || this.isRunning(handle)) return;
    const seen = await this.#manager.state(handle.unit);
    if (seen.lastPid !== handle.pid) return;
    const state = await this.#reaped(handle.unit, seen);
    if (state.lastPid === handle.pid && state.mainPid === 0) await this.#forget(handle.unit);
  }

  /** Ends it, if it runs. */
  async #forget(unit: string): Promise<void> {
    await this.#manager.stop(unit);
    await this.#manager.resetFailed(unit);
  }
}

/** As Linux numbers them on x86 and ARM. */
const SIGTERM = 15;
const SIGCONT = 18;
const SIGSTOP = 19;
const SIGKILL = 9;

const keyOf = (handle: ProcessHandle): string => `${handle.bootId} ${handle.pid} ${handle.startTicks}`;

const isOurs = (state: UnitState, command: LaunchCommand): boolean => state.environment.includes(markOf(command));

const masked = (name: string, unit: string): OdoroboError =>
  new OdoroboError("SUPERVISOR_UNAVAILABLE", `${unit} is masked, so ${name} cannot be started`, {
    hint: `somebody forbade it on the node: systemctl unmask '${unit}'`,
  });

const failed = (name: string, command: LaunchCommand, how: string, cause?: unknown): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `${command.executable} for ${name} could not be started: ${how}`, {
    cause,
    hint: `look at ${command.outputFile}, and on the node: journalctl -b _PID=1`,
  });
