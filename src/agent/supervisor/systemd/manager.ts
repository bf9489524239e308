/**
 * systemd's manager as the supervisor and the installer need it: units by name, jobs that are followed to their end.
 *
 * Invariant: who waits for a job hears of its end, also when that is told before the answer to the call that made the job
 * (which happens in one case of five).
 */
import { OdoroboError } from "../../../model/errors.ts";
import { Bus, errorName, variant } from "./bus.ts";
import { unitPath } from "./unit-name.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER = { destination: SYSTEMD, path: "/org/freedesktop/systemd1", interface: `${SYSTEMD}.Manager` } as const;
const PROPERTIES = "org.freedesktop.DBus.Properties";
const DBUS = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;

const MATCHES = [
  `type='signal',interface='${MANAGER.interface}',member='JobRemoved'`,
  // Of services only: those are what is kept here, and a host has many other units.
  `type='signal',interface='${PROPERTIES}',member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit',arg0='${SYSTEMD}.Service'`,
];

/** A job waits for others of its unit and for what the unit is after; a start itself takes milliseconds. */
const JOB_DEADLINE_MS = 60_000;

/** A property as D-Bus wants it: name, signature, value. Numbers of signature `t` and `x` are bigints. */
export type Property = readonly [name: string, signature: string, value: unknown];

/** As systemd says: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`. */
export type JobResult = string;

export interface UnitState {
  /** `loaded`, `not-found`, `masked`, `bad-setting` … */
  readonly load: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating` … */
  readonly active: string;
  readonly sub: string;
  /** 0: none runs. */
  readonly mainPid: number;
  /** The last one that was the main process, also after its end. */
  readonly lastPid: number;
  /** CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0: it has not ended. */
  readonly exitCode: number;
  readonly exitStatus: number;
  /** `success`, `exit-code`, `signal`, `oom-kill`, `resources` … */
  readonly result: string;
  readonly environment: readonly string[];
  readonly controlGroup: string;
  readonly workingFolder: string;
}

export class SystemdManager implements AsyncDisposable {
  readonly #bus: Bus;
  /** Ends of jobs that were told while a call that makes one was under way. */
  readonly #ended = new Map<string, JobResult>();
  readonly #waiting = new Map<string, (result: JobResult) => void>();
  #callsUnderWay = 0;

  constructor(address: string) {
    this.#bus = new Bus(address, async (call) => {
      await call({ ...MANAGER, member: "Subscribe" });
      for (const match of MATCHES) await call({ ...DBUS, member: "AddMatch", signature: "s", body: [match] });
    });
    this.#bus.onSignal(({ member, body }) => {
      if (member !== "JobRemoved") return;
      const [, path, , result] = body as [number, string, string, string];
      const waiting = this.#waiting.get(path);
      if (waiting !== undefined) waiting(result);
      else if (this.#callsUnderWay > 0) this.#ended.set(path, result);
    });
  }

  /** Rejects with SUPERVISOR_UNAVAILABLE; asks no more than whether it answers. */
  async version(): Promise<string> {
    const [version] = await this.#call({
      ...MANAGER,
      interface: PROPERTIES,
      member: "Get",
      signature: "ss",
      body: [MANAGER.interface, "Version"],
    });
    return String(version);
  }

  /** Resolves at the end of the start. `done`: its program was executed. */
  startTransient(unit: string, properties: readonly Property[]): Promise<JobResult> {
    return this.#job("StartTransientUnit", "ssa(sv)a(sa(sv))", [unit, "fail", toVariants(properties), []]);
  }

  start(unit: string): Promise<JobResult> {
    return this.#job("StartUnit", "ss", [unit, "replace"]);
  }

  restart(unit: string): Promise<JobResult> {
    return this.#job("RestartUnit", "ss", [unit, "replace"]);
  }

  /** Resolves when it has stopped; at once when there is no such unit. */
  async stop(unit: string): Promise<void> {
    await this.#job("StopUnit", "ss", [unit, "replace"]).catch(ignoreNoSuchUnit);
  }

  /** Every process of the unit. */
  async kill(unit: string, signal: number): Promise<void> {
    await this.#manager("KillUnit", "ssi", [unit, "all", signal]).catch(ignoreNoSuchUnit);
  }

  /** Lets systemd forget a unit that failed. */
  async resetFailed(unit: string): Promise<void> {
    await this.#manager("ResetFailedUnit", "s", [unit]).catch(ignoreNoSuchUnit);
  }

  /** Until the unit stops. */
  async setProperties(unit: string, properties: readonly Property[]): Promise<void> {
    await this.#manager("SetUnitProperties", "sba(sv)", [unit, true, toVariants(properties)]);
  }

  /** Makes a path of the host visible in a running unit, at the same place. */
  async bindMount(unit: string, path: string, readOnly: boolean): Promise<void> {
    await this.#manager("BindMountUnit", "sssbb", [unit, path, path, readOnly, true]);
  }

  /** Reads unit files again. Takes as long as there are units. */
  async reload(): Promise<void> {
    await this.#call({ ...MANAGER, member: "Reload" }, JOB_DEADLINE_MS);
  }

  async enable(unitFile: string): Promise<void> {
    await this.#manager("EnableUnitFiles", "asbb", [[unitFile], false, true]);
  }

  async disable(unit: string): Promise<void> {
    await this.#manager("DisableUnitFiles", "asb", [[unit], false]);
  }

  /** `enabled`, `disabled`, `masked` …; null: there is no such file. */
  async unitFileState(unit: string): Promise<string | null> {
    try {
      return String((await this.#manager("GetUnitFileState", "s", [unit]))[0]);
    } catch (error) {
      if (errorName(error) !== null) return null;
      throw error;
    }
  }

  /** Names of units that are loaded and active, in the order of names; `pattern` as in a shell. */
  async unitsLike(pattern: string): Promise<readonly string[]> {
    const [units] = await this.#manager("ListUnitsByPatterns", "asas", [
      ["active", "activating", "deactivating"],
      [pattern],
    ]);
    return (units as readonly (readonly [string, ...unknown[]])[]).map(([name]) => name).sort();
  }

  /** Loads it if need be; `load` says `not-found` where there is nothing to load. */
  async state(unit: string): Promise<UnitState> {
    const all = async (section: "Unit" | "Service") => {
      const answer = await this.#call({
        destination: SYSTEMD,
        path: unitPath(unit),
        interface: PROPERTIES,
        member: "GetAll",
        signature: "s",
        body: [`${SYSTEMD}.${section}`],
      });
      return answer[0] as Readonly<Record<string, unknown>>;
    };
    const [about, service] = await Promise.all([all("Unit"), all("Service")]);
    return {
      load: String(about.LoadState),
      active: String(about.ActiveState),
      sub: String(about.SubState),
      mainPid: Number(service.MainPID),
      lastPid: Number(service.ExecMainPID),
      exitCode: Number(service.ExecMainCode),
      exitStatus: Number(service.ExecMainStatus),
      result: String(service.Result),
      environment: service.Environment as string[],
      controlGroup: String(service.ControlGroup),
      workingFolder: String(service.WorkingDirectory ?? ""),
    };
  }

  /** Called when a service's state may have changed, and when changes may have been missed. Returns what ends that. */
  onChange(unit: string, listener: () => void): () => void {
    const path = unitPath(unit);
    this.#bus.listen();
    const forgetSignal = this.#bus.onSignal((signal) => {
      if (signal.member === "PropertiesChanged" && signal.path === path) listener();
    });
    const forgetConnect = this.#bus.onConnect(listener);
    return () => {
      forgetSignal();
      forgetConnect();
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#bus[Symbol.asyncDispose]();
  }

  async #job(member: string, signature: string, body: readonly unknown[]): Promise<JobResult> {
    this.#callsUnderWay++;
    let path: string;
    try {
      path = String((await this.#manager(member, signature, body))[0]);
    } finally {
      this.#callsUnderWay--;
    }
    const early = this.#ended.get(path);
    this.#ended.delete(path);
    if (this.#callsUnderWay === 0) this.#ended.clear();
    if (early !== undefined) return early;
    return this.#endOf(path, String(body[0]));
  }

  #endOf(path: string, unit: string): Promise<JobResult> {
    return new Promise<JobResult>((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        forget();
        this.#waiting.delete(path);
      };
      const timer = setTimeout(() => {
        end();
        reject(
          new OdoroboError("SUPERVISOR_UNAVAILABLE", `systemd did not finish its job on ${unit}`, {
            cause: new Error(`no end within ${JOB_DEADLINE_MS / 1000} s`),
            hint: `look at it on the node: systemctl status '${unit}'; systemctl list-jobs`,
          }),
        );
      }, JOB_DEADLINE_MS);
      // Its end may have been told while nobody was connected: whoever asked looks at the unit itself.
      const forget = this.#bus.onConnect(() => {
        end();
        resolve("unknown");
      });
      this.#waiting.set(path, (result) => {
        end();
        resolve(result);
      });
    });
  }

  #manager(member: string, signature: string, body: readonly unknown[]): Promise<readonly unknown[]> {
    return this.#call({ ...MANAGER, member, signature, body });
  }

  async #call(call: Parameters<Bus["call"]>[0], deadlineMs?: number): Promise<readonly unknown[]> {
    try {
      return await this.#bus.call(call, deadlineMs);
    } catch (error) {
      if (!isNotPermitted(error)) throw error;
      throw new OdoroboError("SUPERVISOR_UNAVAILABLE", `systemd does not let this user ${call.member}`, {
        cause: error,
        hint: "run the agent as root (odorobo agent install does), or with --supervisor spawn",
      });
    }
  }
}

const toVariants = (properties: readonly Property[]): unknown[] =>
  properties.map(([name, signature, value]) => [name, variant(signature, value)]);

export const isNoSuchUnit = (error: unknown): boolean => errorName(error) === `${SYSTEMD}.NoSuchUnit`;

/** What a transient unit cannot become while an earlier one of its name is not forgotten yet. */
export const isUnitThere = (error: unknown): boolean =>
  errorName(error) === `${SYSTEMD}.UnitExists` || errorName(error) === "org.freedesktop.DBus.Error.FileExists";

export const isMasked = (error: unknown): boolean => errorName(error) === `${SYSTEMD}.UnitMasked`;

function isNotPermitted(error: unknown): boolean {
  const name = errorName(error);
  return (
    name === "org.freedesktop.DBus.Error.AccessDenied" ||
    name === "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" ||
    name === "org.freedesktop.DBus.Error.AuthFailed"
  );
}

function ignoreNoSuchUnit(error: unknown): void {
  if (!isNoSuchUnit(error)) throw error;
}
