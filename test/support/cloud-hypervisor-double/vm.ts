/**
 * One boot of a VM: made from a config, booted (or put where a snapshot stood), changed while it runs, shut down. A reboot
 * makes a new one. Config is shared with the VMM and changed in place, as there: live changes show at once, true or not.
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { Resize } from "./bodies.ts";
import type { Consoles } from "./consoles.ts";
import type { MayOpen } from "./device-resources.ts";
import { createDevices, type Devices, type PlacedDevice } from "./devices.ts";
import type { Events } from "./events.ts";
import { createGuest, type Guest, type GuestState } from "./guest.ts";
import { guestKnobsOf, type Knobs } from "./knobs.ts";
import { ioText, Panic, Refusal, within, withinAsync } from "./refusal.ts";
import type { Release } from "./release.ts";
import { totalMemory, validateConfig } from "./validate-config.ts";
import { type DeviceList, devicesOf, type MemoryZone, type PciDevice, setDevices, type VmConfig } from "./vm-config.ts";

export type VmState = "Created" | "Running" | "Paused";

/** What a snapshot or a migration carries beside the config. */
export interface SavedVm {
  readonly guest: GuestState;
  readonly places: Readonly<Record<string, string>>;
}

export interface VmParts {
  readonly config: VmConfig;
  readonly consoles: Consoles;
  readonly release: Release;
  readonly knobs: Knobs;
  readonly events: Events;
  readonly mayOpen: MayOpen;
  readonly saved: SavedVm | null;
  guestPowersOff(): void;
  guestResets(): void;
}

export interface Vm {
  readonly config: VmConfig;
  readonly devices: Devices;
  readonly guest: Guest;
  state(): VmState;
  /** Locks the disks, loads the kernel, starts the guest. When it fails the VM stays: created, with devices, not to be booted again. */
  boot(): Promise<void>;
  /** Of a VM made from a snapshot: its disks locked, standing still. */
  restore(): Promise<void>;
  pause(): void;
  resume(): void;
  resize(to: Resize): void;
  resizeZone(id: string, bytes: number): void;
  add(list: DeviceList, device: PciDevice): Promise<PlacedDevice>;
  removeDevice(id: string): void;
  memoryActual(): number;
  save(): SavedVm;
  /** Everything of it is closed; the consoles too. */
  shutDown(): Promise<void>;
}

const MEBI = 1024 * 1024;
const ACPI_BLOCK = 128 * MEBI;
const ACPI_SLOTS = 8;
const VIRTIO_MEM_BLOCK = 2 * MEBI;

const refuse = (...chain: readonly string[]): Refusal => new Refusal("other", ...chain);

/** Validates and opens everything. Refused: nothing is left of it. */
export async function createVm(parts: VmParts): Promise<Vm> {
  const { config, consoles, release, events, saved } = parts;
  const configIds = within("Failed to validate config", () => validateConfig(config));
  const devices = await withinAsync("Error from device manager", () =>
    createDevices({ config, configIds, release, mayOpen: parts.mayOpen, places: saved?.places ?? null }),
  );
  const guest = createGuest(guestKnobsOf(config.payload?.cmdline, parts.knobs.guest), {
    serial: consoles.serial,
    powersOff: parts.guestPowersOff,
    resets: parts.guestResets,
    panics: () => {
      if (config.pvpanic) events.tell("guest", "panic", { event: "panic" });
    },
  });
  let state: VmState = "Created";
  const cpus = { present: config.cpus.boot_vcpus, isRemoving: false };
  const memory = bootMemory(config);
  let balloon = config.balloon?.size ?? 0;
  const ejecting = new Set<string>();

  const transition = (to: VmState, allowed: readonly VmState[], chain: readonly string[]): void => {
    if (allowed.includes(state)) return;
    throw refuse(...chain, `Invalid transition: InvalidStateTransition(${state}, ${to})`);
  };

  const resizeCpus = (desired: number): void => {
    if (desired !== cpus.present) {
      if (desired < 1) throw refuse("Requested zero vCPUs");
      if (cpus.isRemoving) throw new Refusal("vCPU removal pending", "Still pending removed vCPU");
      if (desired > config.cpus.max_vcpus) throw refuse("Requested vCPUs exceed maximum");
      if (desired > cpus.present) cpus.present = desired;
      else {
        cpus.isRemoving = true;
        guest.offlineVcpu(() => {
          cpus.present = desired;
          cpus.isRemoving = false;
        });
      }
    }
    config.cpus.boot_vcpus = desired;
  };

  const resizeMemory = (desired: number): void => {
    if ((config.memory.zones ?? []).length > 0) {
      throw refuse("Impossible to resize guest memory if it is backed by user defined memory regions");
    }
    if (config.memory.hotplug_method === "VirtioMem") {
      const boot = config.memory.size;
      if (desired < boot) throw refuse(`Invalid resize request: desired_size = ${desired} below boot size = ${boot}`);
      memory.plug("mem0", config.memory.hotplug_size, desired - boot);
      if (desired > boot) config.memory.hotplugged_size = desired - boot;
      else delete config.memory.hotplugged_size;
      return;
    }
    memory.addAcpi(desired);
    config.memory.size = desired;
  };

  const boot = async (): Promise<void> => {
    await withinAsync("Error locking disk images: Another instance likely holds a lock", () => devices.lockDisks());
    loadPayload(config, parts.mayOpen);
    state = "Running";
    guest.start(null);
  };

  return {
    config,
    devices,
    guest,
    state: () => state,
    boot,
    async restore() {
      await withinAsync("Error locking disk images: Another instance likely holds a lock", () => devices.lockDisks());
      guest.start(saved?.guest ?? null);
      guest.pause();
      state = "Paused";
    },
    pause() {
      events.tell("vm", "pausing");
      // A VM whose boot failed can be paused, too: nothing stands still then.
      transition("Paused", ["Created", "Running"], ["Failed to pause migratable component"]);
      guest.pause();
      state = "Paused";
      events.tell("vm", "paused");
    },
    resume() {
      events.tell("vm", "resuming");
      transition("Running", ["Paused"], ["Failed to resume migratable component"]);
      guest.resume();
      state = "Running";
      events.tell("vm", "resumed");
    },
    resize({ desired_vcpus, desired_ram, desired_balloon }) {
      events.tell("vm", "resizing");
      if (desired_vcpus !== undefined) within("Error from CPU manager", () => resizeCpus(desired_vcpus));
      if (desired_ram !== undefined) within("Memory manager error", () => resizeMemory(desired_ram));
      if (desired_balloon !== undefined) {
        if (config.balloon === undefined) {
          throw refuse("Error from device manager", "Missing virtio-balloon, can't proceed as expected");
        }
        config.balloon.size = desired_balloon;
        balloon = desired_balloon;
      }
      events.tell("vm", "resized");
    },
    resizeZone(id, bytes) {
      const zone = config.memory.zones?.find((each) => each.id === id);
      if (zone === undefined) throw refuse("Failed resizing a memory zone");
      within("Memory manager error", () => {
        if (bytes < zone.size)
          throw refuse(`Invalid resize request: desired_size = ${bytes} below boot size = ${zone.size}`);
        memory.plug(id, zone.hotplug_size, bytes - zone.size);
      });
      zone.hotplugged_size = bytes - zone.size;
    },
    async add(list, device) {
      const placed = await withinAsync("Error from device manager", () => devices.add(list, device));
      setDevices(config, list, [...devicesOf(config, list), device]);
      return placed;
    },
    removeDevice(id) {
      within("Error from device manager", () => {
        const again = ejecting.has(id) && devices.has(id);
        if (again && release.secondRemoval === "panics on NICs" && id in nicCounters(devices)) {
          throw new Panic("called `Option::unwrap()` on a `None` value");
        }
        devices.checkRemovable(id);
        const wasThere = removeFromConfig(config, id);
        if (!wasThere && release.secondRemoval === "unknown device") {
          throw new Refusal("unknown device", `Failed to find device corresponding to the given identifier: ${id}`);
        }
        ejecting.add(id);
        guest.eject(() => {
          const gone = devices.remove(id);
          if (gone === null) return;
          ejecting.delete(id);
          events.tell("vm", "device-removed", { id: gone.id, bdf: gone.bdf });
        });
      });
    },
    memoryActual: () => memory.bootTotal(config) - balloon + memory.plugged(),
    save: () => ({ guest: guest.state(), places: devices.places() }),
    async shutDown() {
      guest.stop();
      consoles.close();
      await devices.close();
    },
  };
}

const REMOVABLE: readonly DeviceList[] = [
  "devices",
  "user_devices",
  "disks",
  "fs",
  "generic_vhost_user",
  "net",
  "pmem",
  "vdpa",
  "vsock",
];

/** Taken out of the config, whatever the guest does with it. */
export function removeFromConfig(config: VmConfig, id: string): boolean {
  const list = REMOVABLE.find((each) => devicesOf(config, each).some((device) => device.id === id));
  if (list === undefined) return false;
  setDevices(
    config,
    list,
    devicesOf(config, list).filter((device) => device.id !== id),
  );
  return true;
}

const nicCounters = (devices: Devices): Record<string, unknown> =>
  Object.fromEntries(Object.entries(devices.counters()).filter(([, values]) => "rx_bytes" in values));

interface BootMemory {
  addAcpi(desired: number): void;
  plug(region: string, room: number | undefined, bytes: number): void;
  plugged(): number;
  bootTotal(config: VmConfig): number;
}

/** What this boot began with, and what was added since: hotplug room counts from there. */
function bootMemory(config: VmConfig): BootMemory {
  const limit = config.memory.size + (config.memory.hotplug_size ?? 0);
  let current = config.memory.size;
  let slots = 0;
  const plugged = new Map<string, number>();
  const hotplugged = (memory: { readonly hotplugged_size?: number; readonly zones?: readonly MemoryZone[] }): number =>
    (memory.hotplugged_size ?? 0) + (memory.zones ?? []).reduce((sum, zone) => sum + (zone.hotplugged_size ?? 0), 0);
  for (const zone of config.memory.zones ?? []) plugged.set(zone.id, zone.hotplugged_size ?? 0);
  plugged.set("mem0", config.memory.hotplugged_size ?? 0);
  return {
    addAcpi(desired) {
      if (desired <= current) return;
      if (slots >= ACPI_SLOTS) throw refuse("No ACPI slot available");
      if ((desired - current) % ACPI_BLOCK !== 0)
        throw refuse("The requested hotplug memory addition is not a valid size");
      if (desired > limit) throw refuse("Not enough space in the hotplug RAM region");
      current = desired;
      slots++;
    },
    plug(region, room, bytes) {
      if (room === undefined) throw refuse("No virtio-mem resizing handler found");
      const fail = (why: string): Refusal =>
        refuse(
          "Failed to virtio-mem resize",
          "Resize invalid argument",
          `Failed to update virtio configuration: ResizeError(${why})`,
        );
      const hex = `0x${bytes.toString(16)}`;
      if (plugged.get(region) === bytes) throw fail(`new size ${hex} and requested_size are identical`);
      if (bytes > room) throw fail(`new size ${hex} is bigger than region_size 0x${room.toString(16)}`);
      if (bytes % VIRTIO_MEM_BLOCK !== 0) throw fail(`new size ${hex} is not aligned on block_size 0x200000`);
      plugged.set(region, bytes);
    },
    plugged: () => [...plugged.values()].reduce((sum, bytes) => sum + bytes, 0),
    bootTotal: ({ memory }) => totalMemory(memory) - hotplugged(memory),
  };
}

const ELF = 0x7f454c46;
/** "HdrS" of a bzImage. */
const BZIMAGE = { at: 0x202, magic: 0x48647253 };

/** Only looks at the kinds of files: the guest is the double's own. */
function loadPayload(config: VmConfig, mayOpen: MayOpen): void {
  const { kernel, firmware, initramfs } = config.payload ?? {};
  if (firmware !== undefined) readHead(firmware, "Cannot open kernel file", mayOpen);
  if (kernel !== undefined) {
    const head = readHead(kernel, "Cannot open kernel file", mayOpen);
    if (head.readUInt32BE(0) !== ELF && head.readUInt32LE(BZIMAGE.at) !== BZIMAGE.magic) {
      const why = "Kernel Loader: Invalid bzImage";
      throw refuse(
        "Cannot load the kernel into memory",
        `Kernel Loader: failed to load bzImage kernel image: ${why}`,
        why,
      );
    }
  }
  if (initramfs !== undefined) readHead(initramfs, "Cannot open initramfs file", mayOpen);
}

function readHead(path: string, failure: string, mayOpen: MayOpen): Buffer {
  if (!mayOpen(path)) throw refuse(failure, "Permission denied (os error 13)");
  const head = Buffer.alloc(1024);
  try {
    const fd = openSync(path, "r");
    readSync(fd, head, 0, head.length, 0);
    closeSync(fd);
  } catch (error) {
    throw refuse(failure, ioText(error));
  }
  return head;
}
