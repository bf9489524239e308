/** The connection to a noop guest: reads and writes its file, and carries out what its annotations ask for. */

import { type FSWatcher, watch } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OdoroboError } from "../../../model/errors.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { GuestAbilities, GuestStatus, HypervisorEvent, LaunchInput, RunningVm } from "../hypervisor.ts";
import { GuestFile, type NoopGuest } from "./guest-file.ts";
import { sendGuest } from "./moving.ts";
import { outgoingGuest } from "./on-its-way.ts";
import { type Failable, type NoopSettings, readSettings } from "./settings.ts";
import { updateLive } from "./update-live.ts";

const AGAIN_MS = 500;

export class RunningNoopGuest implements RunningVm {
  readonly serial = null;
  readonly loggedBy = "hypervisor";
  readonly consoleLog: string;
  readonly abilities: GuestAbilities;
  readonly #abilities: GuestAbilities = {
    nmi: async () => {
      this.#refuseIf("nmi");
      this.#guest();
      await this.#say(`NOOP-NMI ${this.#name}\n`);
    },
    coredump: async (file) => {
      this.#refuseIf("coredump");
      await writeFile(file, JSON.stringify(this.#guest()), { flag: "wx", mode: 0o600 });
    },
    snapshot: async (folder) => {
      this.#refuseIf("snapshot");
      await this.#standingStill(() => writeFile(snapshotFile(folder), JSON.stringify(this.#guest()), { mode: 0o600 }));
    },
    setBalloon: async (balloonMiB) => this.#patch({ balloonMiB }),
    counters: async () => {
      const { bootedAt, live, balloonMiB = 0 } = this.#guest();
      const sizes = live.disks.map(({ name, origin }) => [
        name,
        origin.kind === "external" ? {} : { sizeMiB: origin.sizeMiB },
      ]);
      return { guest: { upMs: this.#now() - bootedAt, balloonMiB }, ...Object.fromEntries(sizes) };
    },
    migrate: async ({ url }) => {
      this.#refuseIf("migrate");
      this.#guest();
      sendGuest(this.#file, url);
    },
  };
  readonly #name: string;
  readonly #file: GuestFile;
  readonly #listeners: (() => void)[] = [];
  readonly #eventListeners: ((event: HypervisorEvent) => void)[] = [];
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
    const depart = outgoingGuest(this.#file, () => this.#settings);
    this.abilities = {
      ...this.#abilities,
      depart: {
        ...depart,
        send: (passage, signal) => {
          this.#refuseIf("migrate");
          return depart.send(passage, signal);
        },
      },
    };
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
    const { crashAfterMs, powerOffAfterMs, rebootAfterMs, panicAfterMs, readyDelayMs } = this.#settings;
    if (rebootAfterMs !== null)
      this.#later(rebootAfterMs - age, () => void this.#happen("reboot", "the guest rebooted itself").catch(() => {}));
    if (panicAfterMs !== null)
      this.#later(panicAfterMs - age, () => void this.#happen("panic", "the guest's kernel panicked").catch(() => {}));
    if (crashAfterMs !== null) this.#later(crashAfterMs - age, () => this.#file.remove());
    if (powerOffAfterMs !== null) this.#later(powerOffAfterMs - age, () => this.#patch({ phase: "off" }));
    // Said again after an agent restart: better twice than lost in between.
    if (readyDelayMs > 0 && this.#readyText !== null)
      this.#later(readyDelayMs - age, () => void this.#sayReady().catch(() => {}));
  }

  async status(): Promise<GuestStatus> {
    const guest = this.#file.read();
    if (guest?.phase === "receiving") throw notYet(this.#name);
    if (guest === null) return { phase: "off", endedBy: "failure", reason: "killed: its guest.json was removed" };
    if (guest.phase === "sent")
      return { phase: "off", endedBy: "guest", reason: "it has moved to another host", hasMoved: true };
    if (guest.phase === "off") return { phase: "off", endedBy: "guest", reason: "the guest powered itself off" };
    if (guest.phase === "running") return { phase: "running" };
    const { noRoomFor = [] } = guest;
    return noRoomFor.length === 0
      ? { phase: "paused" }
      : { phase: "paused", stalled: { disks: noRoomFor, noRoom: true } };
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
    if (this.#guest().phase !== "paused") this.#patch({ phase: "paused", noRoomFor: [] });
  }

  async resume(): Promise<void> {
    this.#refuseIf("resume");
    this.#patch({ phase: "running", noRoomFor: [] });
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

  onEvent(listener: (event: HypervisorEvent) => void): void {
    this.#eventListeners.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#listeners.length = 0;
    this.#eventListeners.length = 0;
  }

  /** Once in the guest's life, also when an agent comes back after it was due. */
  async #happen(kind: "reboot" | "panic", message: string): Promise<void> {
    const guest = this.#file.read();
    if (guest === null || guest.phase === "off" || guest.told?.includes(kind)) return;
    this.#patch({ told: [...(guest.told ?? []), kind] });
    await this.#say(`NOOP-${kind.toUpperCase()} ${this.#name}\n`);
    for (const listener of this.#eventListeners) listener({ kind, message });
  }

  async #standingStill(act: () => Promise<void>): Promise<void> {
    const { phase } = this.#guest();
    this.#patch({ phase: "paused" });
    try {
      await act();
    } finally {
      this.#patch({ phase });
    }
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
        try {
          act();
        } catch {
          // Its folder has no room for what it does: it does it when there is some.
          this.#later(AGAIN_MS, act);
        }
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

export const snapshotFile = (folder: string): string => join(folder, "guest.json");

const notYet = (name: string): OdoroboError =>
  new OdoroboError("HYPERVISOR_UNAVAILABLE", `the noop guest ${name} has not come yet`, {
    hint: "it is sent with odorobo vm migrate-send",
  });

export const toldToFail = (name: string, act: Failable): OdoroboError =>
  new OdoroboError("HYPERVISOR_FAILED", `${act} of ${name} fails because its annotations say so`, {
    hint: `remove "${act}" from the annotation noop.odorobo.dev/fail`,
  });
