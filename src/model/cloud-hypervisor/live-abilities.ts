/**
 * What this guest takes while it runs, asked once and answered to both who promise it (`change-rules.ts`) and who do it
 * (`live-changes.ts`), so that neither knows more than the other. Pure.
 */
import type { DeviceTree } from "./api.ts";
import { SEED_ID } from "./device-ids.ts";
import { DEVICE_LISTS, type DeviceList, hasSharedMemory } from "./device-lists.ts";
import { freeSlots } from "./place-devices.ts";
import { majorVersion } from "./version.ts";
import type { DiskConfig, GenericVhostUserConfig, IommuDevice, MemoryConfig, VmConfig } from "./vm-config.ts";

const MIB = 1024 * 1024;

export interface ChangeFacts {
  /** As `vmm.ping` says it. */
  readonly version: string;
  readonly architecture: "x86_64" | "aarch64";
  /**
   * The memory that the guest was booted with room for. Left out: what the config says, which is right as long as no ACPI memory
   * was plugged.
   */
  readonly memoryMaxMiB?: number;
  /** What `vm.info` says beside the config: where devices really sit. */
  readonly deviceTree?: DeviceTree;
}

/** Null: it can. Else why not, for people. */
export type Obstacle = string | null;

/** From `min` to `max`, in steps of `step`; `why`: beyond them, for people. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly whyNotMore: string;
  readonly whyNotLess: string;
}

/** A DIMM's size in Linux' eyes: smaller ones cannot be made one memory block. */
const ACPI_STEP_MIB = 128;
const VIRTIO_MEM_STEP_MIB = 2;

/** Counts. */
export function cpuRange(config: VmConfig, { architecture }: ChangeFacts): Range {
  const { boot_vcpus: now = 1, max_vcpus = 1 } = config.cpus ?? {};
  const fixed = (why: string): Range => ({ min: now, max: now, step: 1, whyNotMore: why, whyNotLess: why });
  if (architecture === "aarch64") return fixed("Cloud Hypervisor plugs no CPUs on arm64");
  if (config.platform?.tdx === true) return fixed("a TDX guest keeps its CPUs");
  const queues = mostQueues(config);
  return {
    min: Math.min(now, Math.max(1, queues.count)),
    max: Math.max(now, max_vcpus),
    step: 1,
    whyNotMore: `the guest was booted with room for ${max_vcpus} ${max_vcpus === 1 ? "vCPU" : "vCPUs"}`,
    whyNotLess: `${queues.device} has ${queues.count === 1 ? "1 queue" : `${queues.count} queues`}, one for each vCPU`,
  };
}

/** With fewer CPUs than a device has queues every later change is refused, and the guest's next own reboot ends the process. */
function mostQueues(config: VmConfig): { readonly count: number; readonly device: string } {
  let most = { count: 1, device: "a device" };
  const look = (id: string | undefined, count: number) => {
    if (count > most.count) most = { count, device: id ?? "a device" };
  };
  for (const { id, num_queues = 1 } of config.disks ?? []) look(id, num_queues);
  for (const { id, num_queues = 2 } of config.net ?? []) look(id, num_queues / 2);
  for (const { id, num_queues = 1 } of config.fs ?? []) look(id, num_queues);
  return most;
}

/** MiB. */
export function memoryRange(config: VmConfig, facts: ChangeFacts): Range {
  const memory: MemoryConfig = config.memory ?? { size: 0 };
  const { size, hotplug_size: room = 0, hotplugged_size: plugged = 0 } = memory;
  const now = (size + plugged) / MIB;
  const fixed = (why: string): Range => ({ min: now, max: now, step: 1, whyNotMore: why, whyNotLess: why });
  if (memory.zones !== undefined && memory.zones.length > 0)
    return fixed("its memory is in zones, which have sizes of their own");
  if (config.platform?.tdx === true) return fixed("a TDX guest keeps its memory");
  const max = Math.max(now, facts.memoryMaxMiB ?? (size + room) / MIB);
  const whyNotMore = `the guest was booted with room for ${max} MiB`;
  if (memory.hotplug_method === "VirtioMem")
    return {
      min: Math.min(now, size / MIB),
      max: room === 0 ? now : max,
      step: VIRTIO_MEM_STEP_MIB,
      whyNotMore,
      whyNotLess: `the guest booted with ${size / MIB} MiB, and only what was added since can be taken away`,
    };
  return {
    min: now,
    max: room === 0 ? now : max,
    step: ACPI_STEP_MIB,
    whyNotMore,
    whyNotLess: "memory that was plugged by ACPI is not given back",
  };
}

/** Whether `wanted` can be reached from `now`. */
export const isWithin = (range: Range, now: number, wanted: number): boolean =>
  wanted >= range.min && wanted <= range.max && (wanted - now) % range.step === 0;

/** Bytes. Null: the guest has none. */
export function balloonRange({ balloon, memory }: VmConfig): Range | null {
  if (balloon === undefined) return null;
  const parts =
    memory?.zones !== undefined && memory.zones.length > 0 ? memory.zones : memory === undefined ? [] : [memory];
  const ram = parts.reduce((sum, { size, hotplugged_size = 0 }) => sum + size + hotplugged_size, 0);
  const why = "a balloon is smaller than the memory it is in";
  return { min: 0, max: Math.max(balloon.size, ram - 1), step: 1, whyNotMore: why, whyNotLess: why };
}

/** Bytes that are plugged into a zone. Null: it has no room. */
export function zoneRange({ memory }: VmConfig, id: string): Range | null {
  const zone = memory?.zones?.find((each) => each.id === id);
  if (zone?.hotplug_size === undefined || memory?.hotplug_method !== "VirtioMem") return null;
  const why = `the zone ${id} was booted with room for ${zone.hotplug_size} bytes`;
  return { min: 0, max: zone.hotplug_size, step: VIRTIO_MEM_STEP_MIB * MIB, whyNotMore: why, whyNotLess: why };
}

/** Whether one more device of this kind can be plugged. */
export function whyNotAdd(config: VmConfig, list: DeviceList | "vsock", facts: ChangeFacts): Obstacle {
  if (freeSlots(config, facts.deviceTree) === 0) return "no PCI slot is free";
  const isConfined = config.landlock_enable === true;
  const confined = "the process is confined by Landlock to the files that it was started with";
  if (list === "vsock") {
    if (config.vsock !== undefined) return "a guest has one vsock device at most";
    return isConfined ? confined : null;
  }
  const row = DEVICE_LISTS.find((each) => each.list === list);
  if (row === undefined) return "not known";
  if (list === "generic_vhost_user" && (majorVersion(facts.version) ?? 0) < 52) return "it came with version 52";
  if (row.needsSharedMemory && !hasSharedMemory(config)) return "the guest was booted without shared memory";
  if (isConfined && row.opensPath) return confined;
  if (isConfined && list === "net" && (config.net ?? []).length === 0) return confined;
  return null;
}

/** Whether this very device can be plugged: what the list as a whole does not tell. */
export function whyNotAddDevice({ platform }: VmConfig, device: IommuDevice): Obstacle {
  if (device.iommu !== true || platform?.iommu_segments?.includes(device.pci_segment ?? 0) === true) return null;
  return "a device behind the virtual IOMMU can be plugged only on a segment of platform.iommu_segments";
}

/** Of virtio: net, block, vsock, fs, pmem. */
const REMOVABLE_TYPES: ReadonlySet<number> = new Set([1, 2, 19, 26, 27]);

export function whyNotRemove(
  config: VmConfig,
  list: DeviceList | "vsock",
  device: IommuDevice,
  facts: ChangeFacts,
): Obstacle {
  if (list === "disks" && device.id === bootDisk(config)) return "the guest boots from it";
  if (list === "generic_vhost_user" && !REMOVABLE_TYPES.has((device as GenericVhostUserConfig).device_type))
    return "Cloud Hypervisor does not take a device of this type away";
  const isOnIommuSegment = config.platform?.iommu_segments?.includes(device.pci_segment ?? 0) === true;
  if (device.iommu === true && !isOnIommuSegment && (majorVersion(facts.version) ?? 0) >= 54)
    return "a device that is behind the virtual IOMMU by itself stays there";
  return null;
}

/** The first disk: firmware boots it, and a kernel's root is there unless somebody thought otherwise. Null: nothing is booted from disks. */
function bootDisk({ disks = [], payload }: VmConfig): string | null {
  const first = disks.find(({ id }) => id !== SEED_ID)?.id ?? null;
  const needsDisk = payload?.kernel === undefined || /(^|\s)root=/.test(payload.cmdline ?? "");
  return needsDisk ? first : null;
}

export function whyNotGrow(disk: DiskConfig): Obstacle {
  if (disk.path === undefined || disk.vhost_user === true)
    return "a disk behind a socket has the size that its back end gives it";
  if (disk.readonly === true) return "a read-only disk keeps its size";
  if (disk.image_type === "Raw") return null;
  if (disk.image_type === "Qcow2")
    return disk.backing_files === true ? "an image on top of another grows only while the guest is off" : null;
  return "images of this type keep their size";
}
