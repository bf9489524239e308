/** The devices of one boot: where they sit on the PCI bus, what they hold locked, and how they come and go. */
import { type MayOpen, NOTHING, openResource } from "./device-resources.ts";
import type { DiskImage } from "./disk-image.ts";
import { type DiskLock, lockDisk } from "./disk-lock.ts";
import { createPciSlots } from "./pci.ts";
import { Refusal } from "./refusal.ts";
import type { Release } from "./release.ts";
import type { Json } from "./shapes.ts";
import {
  type DeviceList,
  type DiskConfig,
  devicesOf,
  type GenericVhostUserConfig,
  type PciDevice,
  setDevices,
  type VmConfig,
} from "./vm-config.ts";

export interface PlacedDevice {
  readonly id: string;
  readonly bdf: string;
}

export interface Devices {
  /** Id → node, as vm.info shows it. */
  tree(): Record<string, Json>;
  /** Hot-plugs it and gives `device` an id. */
  add(list: DeviceList, device: PciDevice): Promise<PlacedDevice>;
  has(id: string): boolean;
  /** Refuses what cannot be removed; takes nothing away. */
  checkRemovable(id: string): void;
  /** The guest let it go. Null: it was not there. */
  remove(id: string): PlacedDevice | null;
  lockDisks(): Promise<void>;
  unlockDisks(): Promise<void>;
  resizeDisk(id: string, bytes: number): void;
  counters(): Record<string, Record<string, number>>;
  /** Id → BDF, for a snapshot. */
  places(): Record<string, string>;
  close(): Promise<void>;
}

interface Held {
  readonly device: PciDevice;
  readonly list: DeviceList | null;
  readonly bdf: string | null;
  /** Virtio devices hang below a PCI node of their own. */
  readonly isVirtio: boolean;
  readonly type: string;
  readonly image: DiskImage | null;
  lock: DiskLock | null;
  close(): void;
}

const VIRTIO_PCI = "_virtio-pci-";
const PREFIXES: Readonly<Record<DeviceList, string>> = {
  disks: "_disk",
  net: "_net",
  fs: "_fs",
  generic_vhost_user: "_generic_vhost_user",
  pmem: "_pmem",
  vdpa: "_vdpa",
  vsock: "_vsock",
  devices: "_vfio",
  user_devices: "_vfio_user",
};
/** By virtio's numbers: a generic vhost-user device is removable when it is one of these. */
const REMOVABLE_TYPES: Readonly<Record<number, string>> = { 1: "net", 2: "block", 19: "vsock", 26: "fs", 27: "pmem" };
const BAR = { index: 0, size: 524_288, type_: "Mmio32", prefetchable: false };

const failed = (...chain: readonly string[]): Refusal => new Refusal("other", ...chain);

export interface DeviceSettings {
  readonly config: VmConfig;
  readonly configIds: ReadonlySet<string>;
  readonly release: Release;
  readonly mayOpen: MayOpen;
  /** Of a snapshot or a migration: devices keep their places. */
  readonly places: Readonly<Record<string, string>> | null;
}

/** Makes all devices of the config, and gives those without an id one. What was opened is closed again when one fails. */
export async function createDevices(settings: DeviceSettings): Promise<Devices> {
  const { config, configIds, release, mayOpen, places } = settings;
  const slots = createPciSlots();
  const held = new Map<string, Held>();
  let nextName = 0;

  const nameFor = (list: DeviceList): string => {
    for (;;) {
      const name = `${PREFIXES[list]}${nextName++}`;
      if (!configIds.has(name) && !held.has(name)) return name;
    }
  };
  const place = (id: string, device: PciDevice): string => {
    const known = places?.[id];
    const slot = known === undefined ? device.pci_device_id : Number.parseInt(known.slice(8, 10), 16);
    return slots.allocate(device.pci_segment, slot);
  };
  const builtin = (id: string, type: string, device: PciDevice = { iommu: false, pci_segment: 0 }): void => {
    held.set(id, { device, list: null, bdf: place(id, device), isVirtio: true, type, lock: null, ...NOTHING });
  };
  const legacy = (id: string, onBus: boolean): void => {
    const device = { iommu: false, pci_segment: 0 };
    const bdf = onBus ? place(id, device) : null;
    held.set(id, { device, list: null, bdf, isVirtio: false, type: id, lock: null, ...NOTHING });
  };
  const make = async (list: DeviceList, device: PciDevice): Promise<PlacedDevice> => {
    const id = device.id ?? nameFor(list);
    const resource = await openResource(list, device, mayOpen);
    device.id = id;
    const isVirtio = list !== "devices" && list !== "user_devices";
    try {
      const bdf = place(id, device);
      held.set(id, { device, list, bdf, isVirtio, type: typeOf(list, device), lock: null, ...resource });
      return { id, bdf };
    } catch (error) {
      resource.close();
      throw error;
    }
  };
  /** Taken out of the config while it works: when one fails, the config has lost them all, and a later boot goes without. */
  const makeAll = async (list: DeviceList): Promise<void> => {
    const devices = devicesOf(config, list);
    if (devices.length === 0) return;
    if (list !== "generic_vhost_user") setDevices(config, list, null);
    for (const device of devices) await make(list, device);
    setDevices(config, list, devices);
  };
  const closeAll = async (): Promise<void> => {
    for (const each of held.values()) {
      await each.lock?.release();
      each.close();
    }
    held.clear();
  };
  const lock = async (each: Held): Promise<void> => {
    if (each.image === null) return;
    const disk = each.device as DiskConfig;
    const mode = disk.readonly ? "Read" : "Write";
    each.lock = await lockDisk(each.image.identity, mode);
    if (each.lock === null) {
      const which = `Failed to get ${mode} lock for disk image: ${disk.path}`;
      throw failed("Cannot lock images of all block devices", which, "The file is already locked");
    }
  };

  try {
    for (const device of explicitlyPlaced(config)) slots.reserve(device.pci_segment, device.pci_device_id ?? 0);
    legacy("__ioapic", false);
    if (config.serial.mode !== "Off") legacy("__serial", false);
    if (config.debug_console.mode !== "Off") legacy("__debug_console", false);
    if (config.console.mode !== "Off") builtin("__console", "console", config.console);
    await makeAll("disks");
    await makeAll("net");
    builtin("__rng", "rng", config.rng);
    await makeAll("generic_vhost_user");
    await makeAll("fs");
    await makeAll("pmem");
    await makeAll("vsock");
    for (const id of virtioMemIds(config)) builtin(id, "mem");
    if (config.balloon !== undefined) builtin("__balloon", "balloon", config.balloon);
    if (config.watchdog) builtin("__watchdog", "watchdog");
    await makeAll("vdpa");
    if (config.rtc !== undefined) builtin("__rtc", "rtc", config.rtc);
    await makeAll("devices");
    await makeAll("user_devices");
    if (config.iommu) builtin("__iommu", "iommu");
    if (config.pvpanic) legacy("__pvpanic", true);
  } catch (error) {
    await closeAll();
    throw error;
  }

  return {
    tree() {
      const nodes: Record<string, Json> = {};
      for (const [id, each] of held) {
        const resources =
          each.bdf === null
            ? []
            : [{ PciBar: { ...BAR, base: 0xe000_0000 + BAR.size * Number(`0x${each.bdf.slice(8, 10)}`) } }];
        if (each.isVirtio) {
          const parent = `${VIRTIO_PCI}${id}`;
          nodes[parent] = { id: parent, resources, children: [id], pci_bdf: each.bdf ?? "" };
          nodes[id] = { id, resources: [], parent, children: [] };
        } else {
          nodes[id] = { id, resources, children: [], ...(each.bdf === null ? {} : { pci_bdf: each.bdf }) };
        }
      }
      return nodes;
    },
    async add(list, device) {
      if (device.id !== undefined && held.has(device.id))
        throw failed(`Invalid identifier as it is not unique: ${device.id}`);
      const behindIommu = config.platform?.iommu_segments?.includes(device.pci_segment) ?? false;
      if (device.iommu && !behindIommu) throw failed("Cannot hotplug device behind vIOMMU");
      const placed = await make(list, device);
      const each = held.get(placed.id);
      if (each === undefined) throw new Error(`${placed.id} was just made`);
      try {
        await lock(each);
      } catch (error) {
        each.close();
        slots.free(placed.bdf);
        held.delete(placed.id);
        throw error;
      }
      return placed;
    },
    has: (id) => held.has(id),
    checkRemovable(id) {
      const each = held.get(id);
      if (each === undefined) {
        throw new Refusal("unknown device", `Failed to find device corresponding to the given identifier: ${id}`);
      }
      if (each.bdf === null) throw failed("Could not find the node in the device tree");
      const removable =
        each.list !== null &&
        (each.list !== "generic_vhost_user" || Object.values(REMOVABLE_TYPES).includes(each.type));
      if (!removable) throw failed(`Not allowed to remove this type of device from the VM: ${each.type}`);
    },
    remove(id) {
      const each = held.get(id);
      if (each === undefined || each.bdf === null) return null;
      held.delete(id);
      slots.free(each.bdf);
      // Nobody waits for it: the next who wants the lock looks again.
      void each.lock?.release();
      each.close();
      return { id, bdf: each.bdf };
    },
    async lockDisks() {
      for (const each of held.values()) await lock(each);
    },
    async unlockDisks() {
      for (const each of held.values()) {
        await each.lock?.release();
        each.lock = null;
      }
    },
    resizeDisk(id, bytes) {
      const image = held.get(id)?.image;
      if (image === undefined || image === null) {
        throw new Refusal("unknown device", `Failed to find device corresponding to the given identifier: ${id}`);
      }
      image.resize(bytes, release);
    },
    counters() {
      const all: Record<string, Record<string, number>> = {};
      for (const [id, each] of held) {
        if (each.list === "disks") all[id] = BLOCK_COUNTERS;
        if (each.list === "net") all[id] = NET_COUNTERS;
      }
      return all;
    },
    places() {
      return Object.fromEntries([...held].flatMap(([id, { bdf }]) => (bdf === null ? [] : [[id, bdf]])));
    },
    close: closeAll,
  };
}

/** Latencies of a device that did nothing yet are the largest number there is. */
const NEVER = 2 ** 64 - 1;
const BLOCK_COUNTERS: Record<string, number> = {
  read_bytes: 0,
  read_ops: 0,
  write_bytes: 0,
  write_ops: 0,
  read_latency_min: NEVER,
  read_latency_max: NEVER,
  read_latency_avg: Math.floor(NEVER / 10_000),
  write_latency_min: NEVER,
  write_latency_max: NEVER,
  write_latency_avg: Math.floor(NEVER / 10_000),
};
const NET_COUNTERS: Record<string, number> = { rx_bytes: 0, rx_frames: 0, tx_bytes: 0, tx_frames: 0 };

function explicitlyPlaced(config: VmConfig): PciDevice[] {
  const {
    disks = [],
    net = [],
    fs = [],
    generic_vhost_user = [],
    pmem = [],
    vdpa = [],
    devices = [],
    user_devices = [],
  } = config;
  const single = [config.rng, config.vsock, config.balloon, config.rtc].filter((each) => each !== undefined);
  const console = config.console.mode === "Off" ? [] : [config.console];
  const all: PciDevice[] = [
    ...disks,
    ...net,
    ...fs,
    ...generic_vhost_user,
    ...pmem,
    ...vdpa,
    ...devices,
    ...user_devices,
    ...single,
    ...console,
  ];
  return all.filter((device) => device.pci_device_id !== undefined);
}

function virtioMemIds(config: VmConfig): string[] {
  if (config.memory.hotplug_method !== "VirtioMem") return [];
  const zones = (config.memory.zones ?? []).filter((zone) => zone.hotplug_size !== undefined);
  return zones.length > 0 ? zones.map((zone) => zone.id) : config.memory.hotplug_size === undefined ? [] : ["mem0"];
}

function typeOf(list: DeviceList, device: PciDevice): string {
  if (list !== "generic_vhost_user") return list;
  const number = (device as GenericVhostUserConfig).device_type;
  return REMOVABLE_TYPES[number] ?? `unknown-${number}`;
}
