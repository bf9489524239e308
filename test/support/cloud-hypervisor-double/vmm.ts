/**
 * The VMM thread: owns at most one VM, does one thing after another, and is deaf while it does. API requests, signals, and
 * what the guest does all wait in the same queue; so a receive-migration that waits for a sender keeps even SIGTERM waiting.
 *
 *   nothing ── create ──► config only ── boot ──► a VM (running, paused, or broken: a boot that failed late)
 *                              ▲                    │  └── send-migration ──► a worker has it
 *                              └──── shutdown ──────┘
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Receive, Resize, Restore, Send } from "./bodies.ts";
import { type Consoles, openConsoles } from "./consoles.ts";
import type { Events } from "./events.ts";
import type { Knobs } from "./knobs.ts";
import { allowedPaths } from "./landlock.ts";
import { receiveVm, sendVm } from "./migration.ts";
import { checkReceive, checkSend } from "./migration-parameters.ts";
import { ioText, Panic, Refusal, within, withinAsync } from "./refusal.ts";
import type { Release } from "./release.ts";
import { encode } from "./shapes.ts";
import { checkSnapshotMemory, readSnapshotConfig, readSnapshotState, writeSnapshot } from "./snapshot.ts";
import { isShared, totalMemory, validateConfig } from "./validate-config.ts";
import { createVm, removeFromConfig, type SavedVm, type Vm } from "./vm.ts";
import { type DeviceList, devicesOf, type PciDevice, setDevices, type VmConfig, vmConfigShape } from "./vm-config.ts";

export interface VmmParts {
  readonly release: Release;
  readonly knobs: Knobs;
  readonly events: Events;
  readonly noShutdown: boolean;
  /** The process ends. `chain`: what is printed when the code is not 0. */
  end(code: number, chain: readonly string[]): void;
}

export interface Vmm {
  /** Runs it on the VMM thread when its turn comes. Never settles when the thread is gone by then. */
  request<T>(route: string, run: () => Promise<T> | T): Promise<T>;
  /** SIGTERM or SIGINT. */
  stop(): void;
  /** vmm.shutdown was answered, well or not: the loop ends, exit code 0. */
  leaveLoop(): void;
  /** One command for the guest; the answer. Not through the queue: the guest runs beside the VMM. */
  commandGuest(line: string): string;
  ping(): string;
  info(): string;
  counters(): string;
  create(config: VmConfig): Promise<void>;
  boot(): Promise<void>;
  shutDown(): Promise<void>;
  reboot(): Promise<void>;
  pause(): void;
  resume(): void;
  pressButton(): void;
  nmi(): void;
  delete(): Promise<void>;
  resize(to: Resize): void;
  resizeDisk(id: string, bytes: number): void;
  resizeZone(id: string, bytes: number): void;
  add(list: DeviceList, device: PciDevice): Promise<string | null>;
  removeDevice(id: string): void;
  snapshot(url: string): void;
  restore(from: Restore): Promise<void>;
  coredump(url: string): void;
  send(to: Send): Promise<void>;
  receive(from: Receive): Promise<void>;
  shutDownVmm(): Promise<void>;
}

const NOT_CREATED = (): Refusal => new Refusal("no VM", "VM is not created");
const NOT_RUNNING = (): Refusal => new Refusal("other", "VM is not running");
const ALREADY = (): Refusal => new Refusal("other", "VM is already created");
const MIGRATING = (): Refusal => new Refusal("other", "VM is currently migrating and can't be modified");
const SEND_FAILED = "Failed to send migratable component snapshot";
const RECEIVE_FAILED = "Failed to receive migratable component snapshot";

export function createVmm({ release, knobs, events, noShutdown, end }: VmmParts): Vmm {
  let config: VmConfig | null = null;
  let consoles: Consoles | null = null;
  let vm: Vm | null = null;
  let migration: { readonly vm: Vm; readonly info: string; readonly worker: Promise<void> } | null = null;
  let allowed: readonly string[] | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  let hasEnded = false;

  const mayOpen = (path: string): boolean =>
    allowed === null || allowed.some((root) => path === root || path.startsWith(`${root}/`));

  /** One after another; after the loop ended nothing any more. */
  const post = (run: () => Promise<void>): void => {
    turn = turn.then(() => (hasEnded ? new Promise(() => {}) : run()));
  };
  /** The loop ends. A migration worker is waited for: the process lingers, deaf. */
  const leave = async (code: number, chain: readonly string[] = []): Promise<void> => {
    hasEnded = true;
    await migration?.worker.catch(() => {});
    setImmediate(() => setImmediate(() => end(code, chain)));
  };
  const leaveBecause = (what: string, error: unknown): Promise<void> => {
    const why = error instanceof Refusal ? error.chain : [error instanceof Error ? error.message : String(error)];
    return leave(1, ["VMM thread exited with error", what, ...why]);
  };

  const owned = (otherwise: () => Refusal): Vm => {
    if (migration !== null) throw MIGRATING();
    if (vm === null) throw otherwise();
    return vm;
  };
  const held = (): VmConfig => {
    if (config === null) throw NOT_CREATED();
    return config;
  };
  const makeConsoles = async (of: VmConfig): Promise<Consoles> => {
    consoles = await withinAsync("Error creating console devices", () => openConsoles(of, release));
    return consoles;
  };
  const makeVm = (of: VmConfig, on: Consoles, saved: SavedVm | null): Promise<Vm> =>
    createVm({
      config: of,
      consoles: on,
      release,
      knobs,
      events,
      mayOpen,
      saved,
      guestPowersOff: () => post(onGuestPowerOff),
      guestResets: () => post(onGuestReset),
    });

  const onGuestPowerOff = async (): Promise<void> => {
    try {
      await (noShutdown ? vmm.shutDown() : vmm.shutDownVmm());
      if (!noShutdown) await leave(0);
    } catch (error) {
      await leaveBecause(noShutdown ? "Error shutting down VM" : "Error shutting down VMM", error);
    }
  };
  const onGuestReset = async (): Promise<void> => {
    try {
      await vmm.reboot();
    } catch (error) {
      await leaveBecause("Error rebooting VM", error);
    }
  };

  const restoreFrom = async (of: VmConfig, saved: SavedVm): Promise<void> => {
    config = of;
    vm = await makeVm(of, consoles ?? (await makeConsoles(of)), saved);
    events.tell("vm", "restoring");
    await vm.restore();
    events.tell("vm", "restored");
  };

  const describe = (): string => {
    const current = held();
    const { memory } = current;
    const hotplugged =
      (memory.hotplugged_size ?? 0) + (memory.zones ?? []).reduce((sum, zone) => sum + (zone.hotplugged_size ?? 0), 0);
    const tree = vm === null ? (release.omitsUnset ? {} : { device_tree: null }) : { device_tree: vm.devices.tree() };
    return JSON.stringify({
      config: encode(vmConfigShape(release.major), current as unknown as Record<string, unknown>, release),
      state: vm?.state() ?? "Created",
      memory_actual_size: vm?.memoryActual() ?? totalMemory(memory) - hotplugged,
      ...tree,
    });
  };

  /** The worker has the VM; what is left when it is done depends on how it went. */
  const migrate = async (moving: Vm, to: Send): Promise<void> => {
    const wasRunning = moving.state() === "Running";
    const tell = (event: string): void => {
      if (release.tellsMigrations) events.tell("vm", event);
    };
    try {
      tell("migration-started");
      await sendVm(moving, to, { knobs: knobs.migration, release, events, tell });
      tell("migration-finished");
    } catch (error) {
      if (error instanceof Panic) throw error;
      tell("migration-failed");
      const takeBack = (): void => {
        migration = null;
        vm = moving;
        if (wasRunning && moving.state() === "Paused") moving.resume();
      };
      if (release.sendReturnsAtOnce) post(async () => takeBack());
      else takeBack();
      throw error;
    }
    const finish = async (): Promise<void> => {
      migration = null;
      await moving.shutDown();
      await vmm.shutDownVmm();
      await leave(0);
    };
    if (release.sendReturnsAtOnce) post(finish);
    else setImmediate(() => post(finish));
  };

  const vmm: Vmm = {
    request(route, run) {
      return new Promise((resolve, reject) => {
        post(async () => {
          if (knobs.hang.includes(route)) await new Promise(() => {});
          const delay = knobs.slow[route] ?? 0;
          if (delay > 0) await sleep(delay);
          try {
            resolve(await run());
          } catch (error) {
            if (error instanceof Refusal) return reject(error);
            reject(new Refusal("other", "API response receive error", "receiving on a closed channel"));
            process.stderr.write(
              `\nthread 'vmm' panicked:\n${error instanceof Panic ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
            );
            await leave(1, ["Failed to join on VMM thread: Any { .. }"]);
          }
        });
      });
    },
    stop() {
      post(async () => {
        try {
          await vmm.shutDownVmm();
          await leave(0);
        } catch (error) {
          await leaveBecause("Error shutting down VMM", error);
        }
      });
    },
    leaveLoop: () => void leave(0),
    commandGuest: (line) => (vm ?? migration?.vm)?.guest.command(line) ?? "error: there is no guest",
    ping: () =>
      JSON.stringify({
        build_version: `v${release.version}`,
        version: release.version,
        pid: process.pid,
        features: knobs.features,
      }),
    info: () => migration?.info ?? describe(),
    // JSON.stringify would round the largest number there is; so do many who read it.
    counters: () => JSON.stringify(owned(NOT_RUNNING).devices.counters()).replaceAll(`${2 ** 64}`, `${2n ** 64n - 1n}`),
    async create(wanted) {
      if (migration !== null) throw MIGRATING();
      if (config !== null) throw ALREADY();
      config = wanted;
      await makeConsoles(wanted);
      // Irrevocable, and of the process, not of the VM.
      if (wanted.landlock_enable) allowed = allowedPaths(wanted, allowed);
    },
    async boot() {
      if (migration !== null) throw MIGRATING();
      if (vm !== null) throw ALREADY();
      events.tell("vm", "booting");
      if (config === null) throw new Refusal("no VM", "VM config is missing");
      const fresh = await makeVm(config, consoles ?? (await makeConsoles(config)), null);
      vm = fresh;
      await fresh.boot();
      events.tell("vm", "booted");
    },
    async shutDown() {
      const gone = owned(NOT_RUNNING);
      vm = null;
      consoles = null;
      await gone.shutDown();
      events.tell("vm", "shutdown");
    },
    async reboot() {
      events.tell("vm", "rebooting");
      const before = owned(NOT_CREATED);
      vm = null;
      consoles = null;
      await before.shutDown();
      const fresh = await makeVm(before.config, await makeConsoles(before.config), null);
      try {
        await fresh.boot();
      } catch (error) {
        consoles = null;
        await fresh.shutDown();
        throw error;
      }
      vm = fresh;
      events.tell("vm", "rebooted");
    },
    pause() {
      const running = owned(NOT_RUNNING);
      within("Cannot pause VM", () => running.pause());
    },
    resume() {
      const paused = owned(NOT_RUNNING);
      within("Cannot resume VM", () => paused.resume());
    },
    pressButton: () => owned(NOT_RUNNING).guest.pressButton(),
    nmi: () => void owned(NOT_RUNNING),
    async delete() {
      if (config === null) return;
      if (migration !== null) throw MIGRATING();
      if (vm !== null) await vmm.shutDown();
      config = null;
      events.tell("vm", "deleted");
    },
    resize(to) {
      const current = held();
      if (migration !== null) throw MIGRATING();
      if (vm !== null) return vm.resize(to);
      // Cold: nothing is checked.
      if (to.desired_vcpus !== undefined) current.cpus.boot_vcpus = to.desired_vcpus;
      if (to.desired_ram !== undefined) current.memory.size = to.desired_ram;
      if (to.desired_balloon !== undefined && current.balloon !== undefined) current.balloon.size = to.desired_balloon;
    },
    resizeDisk(id, bytes) {
      held();
      const disk = owned(() => new Refusal("other", "Failed resizing a disk image"));
      within("Error from device manager", () => disk.devices.resizeDisk(id, bytes));
    },
    resizeZone(id, bytes) {
      const current = held();
      if (migration !== null) throw MIGRATING();
      if (vm !== null) return vm.resizeZone(id, bytes);
      const zone = current.memory.zones?.find((each) => each.id === id);
      if (zone === undefined) throw new Refusal("other", "Failed resizing a memory zone");
      zone.size = bytes;
    },
    async add(list, device) {
      const current = held();
      if (list === "vsock" && current.vsock !== undefined) throw new Refusal("other", "Too many virtio-vsock devices");
      const changed = structuredClone(current);
      setDevices(changed, list, [...devicesOf(changed, list), structuredClone(device)]);
      within("Failed to validate config", () => validateConfig(changed));
      if (migration !== null) throw MIGRATING();
      if (vm !== null) return JSON.stringify(await vm.add(list, device));
      setDevices(current, list, [...devicesOf(current, list), device]);
      return null;
    },
    removeDevice(id) {
      if (migration !== null) throw MIGRATING();
      if (vm !== null) return vm.removeDevice(id);
      if (!removeFromConfig(held(), id))
        throw new Refusal("unknown device", `No device with id ${JSON.stringify(id)} to remove`);
    },
    snapshot(url) {
      const subject = owned(NOT_RUNNING);
      consoles = null;
      within("Cannot snapshot VM", () => {
        events.tell("vm", "snapshotting");
        if (subject.state() === "Paused") return events.tell("vm", "snapshotted");
        throw new Refusal("other", "Failed to snapshot migratable component", "Trying to snapshot while VM is running");
      });
      within("Cannot send VM snapshot", () => writeSnapshot(url, subject.config, subject.save(), release));
    },
    async restore(from) {
      if (migration !== null) throw MIGRATING();
      if (vm !== null || config !== null) throw ALREADY();
      const of = within("Cannot restore VM", () => readSnapshotConfig(from.source_url, release));
      if (from.prefault && from.memory_restore_mode === "OnDemand") {
        const why = "'prefault' cannot be combined with 'memory_restore_mode=ondemand'";
        throw new Refusal("invalid config", "Failed to validate config", why);
      }
      try {
        config = of;
        const saved = within("Cannot restore VM", () => readSnapshotState(from.source_url));
        checkSnapshotMemory(from.source_url);
        await restoreFrom(of, saved);
        if (from.resume) vmm.resume();
      } catch (error) {
        await vmm.delete();
        throw error;
      }
    },
    coredump(url) {
      owned(NOT_RUNNING);
      within("Error coredumping VM", () => writeCore(url));
      events.tell("vm", "coredumping");
    },
    async send(to) {
      await withinAsync(SEND_FAILED, async () => {
        if (migration !== null) throw new Refusal("other", "There is already an ongoing migration");
        const moving = owned(NOT_RUNNING);
        checkSend(to);
        if (to.local && !isShared(moving.config.memory)) {
          throw new Refusal("other", "Local migration requires shared memory or hugepages enabled");
        }
        if (moving.state() === "Created" || (moving.state() === "Paused" && !release.migratesPaused)) {
          throw new Refusal("other", `VM is not running or paused: ${moving.state()}`);
        }
        const info = describe();
        vm = null;
        // Begins when `migration` is set: what it does at its end finds it there.
        const worker = Promise.resolve().then(() => migrate(moving, to));
        migration = { vm: moving, info, worker };
        worker.catch(() => {});
        if (!release.sendReturnsAtOnce) await worker;
      });
    },
    async receive(from) {
      await withinAsync(RECEIVE_FAILED, async () => {
        if (migration !== null) throw new Refusal("other", "There is already an ongoing migration");
        if (vm !== null) throw new Refusal("other", "Can't receive a migration when a VM is already created");
        checkReceive(from);
      });
      const tell = (event: string): void => {
        if (release.tellsMigrations) events.tell("vm", event);
      };
      await receiveVm(from, {
        knobs: knobs.migration,
        release,
        tell,
        async takeConfig(of) {
          config = of;
          await makeConsoles(of);
          if (of.landlock_enable) allowed = allowedPaths(of, allowed);
        },
        restore: restoreFrom,
        resume: () => vmm.resume(),
        async abort() {
          tell("migration-receive-failed");
          if (vm === null) consoles?.close();
          await vm?.shutDown();
          vm = null;
          consoles = null;
          config = null;
        },
      });
    },
    async shutDownVmm() {
      await vmm.delete();
      events.tell("vmm", "shutdown");
    },
  };
  return vmm;
}

/** An ELF header is all that our guest's memory is worth. */
function writeCore(url: string): void {
  const path = /^file:\/\/(.*)$/s.exec(url)?.[1];
  if (path === undefined) throw new Refusal("other", "Failed to coredump", `Could not extract file from URL: ${url}`);
  try {
    const fd = openSync(path, "wx");
    writeSync(fd, Buffer.from("7f454c46020101000000000000000000", "hex"));
    closeSync(fd);
  } catch (error) {
    throw new Refusal("other", "Failed to coredump", ioText(error));
  }
}
