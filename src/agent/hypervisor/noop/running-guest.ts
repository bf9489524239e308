/** The connection to a noop guest: reads and writes its file, and carries out what its annotations ask for. */

import { type FSWatcher, watch } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../model/errors.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import { type GuestStatus, type LaunchInput, NO_ABILITIES, type RunningVm } from "../hypervisor.ts";
import { GuestFile, type NoopGuest } from "./guest-file.ts";
import { type Failable, type NoopSettings, readSettings } from "./settings.ts";
import { updateLive } from "./update-live.ts";

export class RunningNoopGuest implements RunningVm {
  readonly consoleSocket = null;
  readonly consoleLog: string;
  readonly abilities = NO_ABILITIES;
  readonly #name: string;
  readonly #file: GuestFile;
  readonly #listeners: (() => void)[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #settings: NoopSettings;
  #watcher: FSWatcher | null = null;

  readonly #clock: Clock;
  readonly #runFolder: string;
  readonly #readyText: string | null;

  constructor(vm: LaunchInput, clock: Clock) {
    this.#clock = clock;
    this.#runFolder = vm.paths.runFolder;
    this.#readyText = vm.spec.ready?.kind === "serial" ? vm.spec.ready.pattern : null;
    this.#name = vm.name;
    this.#file = new GuestFile(vm.paths.runFolder);
    this.#settings = readSettings(vm.spec);
    this.consoleLog = join(vm.paths.logFolder, "console.log");
  }

  /** Begins the guest's life. */
  async boot(live: LiveConfig, signal: AbortSignal): Promise<void> {
    if (this.#settings.bootDelayMs > 0) await sleep(this.#settings.bootDelayMs, undefined, { signal });
    this.#refuseIf("boot");
    this.#file.write({ phase: "running", bootedAt: this.#now(), live });
    const complaints = this.#settings.complaints.map((each) => `ignored: ${each}\n`).join("");
    await this.#say(`NOOP-START ${this.#name}\n${complaints}1\n2\n3\n`);
    if (this.#readyText !== null && this.#settings.readyDelayMs === 0) await this.#sayReady();
  }

  /** From now on tells its listeners when somebody touches the file, and dies as its annotations say, agent restarts included. */
  watch(): void {
    const guest = this.#file.read();
    if (guest === null) return;
    try {
      this.#watcher = watch(this.#runFolder, { persistent: false }, () => this.#file.hasChanged() && this.#changed());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // Out of inotify watches: changes by hand are noticed by the next report instead.
    }
    const age = this.#now() - guest.bootedAt;
    const { crashAfterMs, powerOffAfterMs, readyDelayMs } = this.#settings;
    if (crashAfterMs !== null) this.#later(crashAfterMs - age, () => this.#file.remove());
    if (powerOffAfterMs !== null) this.#later(powerOffAfterMs - age, () => this.#patch({ phase: "off" }));
    // Said again after an agent restart: better twice than lost in between.
    if (readyDelayMs > 0 && this.#readyText !== null)
      this.#later(readyDelayMs - age, () => void this.#sayReady().catch(() => {}));
  }

  async status(): Promise<GuestStatus> {
    const guest = this.#file.read();
    if (guest === null) return { phase: "off", endedBy: "failure", reason: "killed: its guest.json was removed" };
    if (guest.phase === "off") return { phase: "off", endedBy: "guest", reason: "the guest powered itself off" };
    return { phase: guest.phase };
  }

  async liveConfig(): Promise<LiveConfig> {
    return this.#guest().live;
  }

  async powerButton(): Promise<void> {
    this.#guest();
    await this.#say(`NOOP-STOP ${this.#name}\n`);
    if (this.#settings.ignorePowerButton) return;
    if (this.#settings.shutdownDelayMs === 0) this.#patch({ phase: "off" });
    else this.#later(this.#settings.shutdownDelayMs, () => this.#patch({ phase: "off" }));
  }

  async pause(): Promise<void> {
    this.#refuseIf("pause");
    this.#patch({ phase: "paused" });
  }

  async resume(): Promise<void> {
    this.#refuseIf("resume");
    this.#patch({ phase: "running" });
  }

  async update(spec: VmSpec): Promise<void> {
    this.#settings = readSettings(spec);
    this.#refuseIf("update");
    this.#patch({ live: updateLive(this.#guest().live, spec) });
  }

  async quit(): Promise<void> {
    this.#file.remove();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#listeners.length = 0;
  }

  #guest(): NoopGuest {
    const guest = this.#file.read();
    if (guest !== null) return guest;
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `the noop guest ${this.#name} is gone`, {
      hint: `its file ${this.#file.path} was removed, which kills it`,
    });
  }

  #patch(patch: Partial<NoopGuest>): void {
    const guest = this.#file.read();
    if (guest !== null) this.#file.write({ ...guest, ...patch });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #later(milliseconds: number, act: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        act();
        this.#changed();
      },
      Math.max(0, milliseconds),
    );
    timer.unref();
    this.#timers.add(timer);
  }

  #now(): number {
    return Date.parse(this.#clock.now());
  }

  #sayReady(): Promise<void> {
    return this.#say(`${this.#readyText}\n`);
  }

  async #say(text: string): Promise<void> {
    await appendFile(this.consoleLog, text, { mode: 0o600 });
  }

  #refuseIf(act: Failable): void {
    if (this.#settings.fails.has(act)) throw toldToFail(this.#name, act);
  }
}

export const toldToFail = (name: string, act: Failable): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `${act} of ${name} fails because its annotations say so`, {
    hint: `remove "${act}" from the annotation noop.odorobo.dev/fail`,
  });
