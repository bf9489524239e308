/**
 * VmSpec → VmConfig, with everything that Cloud Hypervisor would else make up said explicitly, so that `vm.info` of an
 * unchanged guest says what was sent.
 *
 *   VmSpec → [to-vm-config.ts] → check-vm-config.ts → vm.create
 *
 * Pure: the same VM in the same places gives the same config.
 */
import { OdoroboError } from "../errors.ts";
import { filePath } from "../identity/disk-url.ts";
import type { Disk, Nic, VmSpec } from "../vm-spec.ts";
import { diskSerial, SEED_ID, withIds } from "./device-ids.ts";
import { isRecord, mergeFragment } from "./merge-fragment.ts";
import { withSlots } from "./place-devices.ts";
import type { VmConfigPlaces } from "./places.ts";
import { knows } from "./version.ts";
import type {
  DiskConfig,
  ImageType,
  LandlockConfig,
  MemoryConfig,
  NetConfig,
  PayloadConfig,
  VmConfig,
} from "./vm-config.ts";

const MIB = 1024 * 1024;

/** What of a spec makes the config. */
export type ConfiguredSpec = Pick<VmSpec, "cpus" | "memory" | "boot" | "disks" | "nics" | "cloudInit" | "passthrough">;

export interface VmToConfigure {
  /** For messages. */
  readonly name: string;
  readonly spec: ConfiguredSpec;
  readonly places: VmConfigPlaces;
  /** What `vmm.ping` says; null or left out: the newest. Older ones are not told what they would silently ignore. */
  readonly version?: string | null;
}

/** Throws UNSUPPORTED for a disk or NIC that Cloud Hypervisor cannot have at all. */
export function toVmConfig(vm: VmToConfigure): VmConfig {
  const merged = mergeFragment(ownConfig(vm), vm.spec.passthrough);
  const config = withIds(withZonesInsteadOfSize(merged));
  return knows("pci_device_id", vm.version ?? null) ? withSlots(config, vm.places.slots ?? new Map()) : config;
}

/** Without the `cloudHypervisor:` section of the manifest, ids that the section's devices need, and slots. */
export function ownConfig(vm: VmToConfigure): VmConfig {
  const { spec, places } = vm;
  const disks = [...spec.disks.map((disk) => diskConfig(disk, vm)), ...seedDisk(vm)];
  const net = spec.nics.map((nic) => netConfig(nic, vm));
  const landlock = landlockRules(spec, places);
  return {
    cpus: { boot_vcpus: spec.cpus.count, max_vcpus: spec.cpus.max },
    memory: memoryConfig(spec),
    payload: payloadConfig(spec, places),
    ...(disks.length === 0 ? {} : { disks }),
    ...(net.length === 0 ? {} : { net }),
    rng: { src: "/dev/urandom" },
    // Whoever reads it may stop or be killed: what is said meanwhile waits. A socket is served to nobody after that.
    serial: { mode: "Pty" },
    // The default is the terminal of the hypervisor process.
    console: { mode: "Off" },
    // Lets a guest whose kernel panics say so.
    pvpanic: true,
    watchdog: false,
    ...platform(spec, places),
    ...(landlock === null
      ? {}
      : { landlock_enable: true, ...(landlock.length === 0 ? {} : { landlock_rules: landlock }) }),
  };
}

/** v53 calls it `system_uuid` and reads both words, but not both at once. */
function platform({ passthrough }: ConfiguredSpec, { uuid }: VmConfigPlaces): Pick<VmConfig, "platform"> {
  return uuid === undefined || saysUuid(passthrough) ? {} : { platform: { uuid } };
}

/** Whether the spec's own section gives the machine a UUID. */
export const saysUuid = ({ platform: own }: VmSpec["passthrough"]): boolean =>
  isRecord(own) && (own.uuid ?? own.system_uuid ?? null) !== null;

/**
 * Room to grow is plugged as ACPI memory: every guest knows it, where virtio-mem needs a driver of 2020 and later that some
 * distributions leave out, and without which a resize reports success and does nothing. `memory: { hotplug_method: VirtioMem }`
 * in the manifest's section chooses the other, which can also shrink.
 */
function memoryConfig({ memory: { sizeMiB, maxMiB } }: ConfiguredSpec): MemoryConfig {
  return { size: sizeMiB * MIB, ...(maxMiB > sizeMiB ? { hotplug_size: (maxMiB - sizeMiB) * MIB } : {}) };
}

/** Zones bring their own sizes, and a size of all beside them is refused. */
function withZonesInsteadOfSize(config: VmConfig): VmConfig {
  const { memory } = config;
  if (memory?.zones === undefined || memory.zones.length === 0) return config;
  const { hotplug_size: _room, ...rest } = memory;
  return { ...config, memory: { ...rest, size: 0 } };
}

function payloadConfig({ boot }: ConfiguredSpec, places: VmConfigPlaces): PayloadConfig {
  if (boot.kind === "firmware") return { firmware: places.firmware(boot.firmware) };
  return {
    kernel: places.kernel(boot.kernel),
    ...(boot.initramfs === null ? {} : { initramfs: boot.initramfs }),
    ...(boot.cmdline === "" ? {} : { cmdline: boot.cmdline }),
  };
}

function diskConfig(disk: Disk, { name, places, version = null }: VmToConfigure): DiskConfig {
  const base = { id: disk.name, readonly: disk.readonly, num_queues: 1, serial: diskSerial(disk.name) };
  switch (disk.origin.kind) {
    case "image":
      // Our own overlay over an image that an admin put there: following its backing file is the point.
      return { ...base, path: places.ownDisk(disk), ...imageType("Qcow2", true, version) };
    case "blank":
      return { ...base, path: places.ownDisk(disk), ...imageType("Raw", false, version) };
    case "external": {
      const path = filePath(disk.origin.url);
      if (path !== null) return { ...base, path, ...imageType(imageTypeOf(path), false, version) };
      throw new OdoroboError(
        "UNSUPPORTED",
        `${name}: cloud-hypervisor cannot open disk ${disk.name}, ${disk.origin.url}`,
        {
          hint: "it opens files and block devices: file:///… (map the volume on the node first)",
        },
      );
    }
  }
}

/** Before v51 the type was found out from the bytes, and backing files were followed always. */
const imageType = (type: ImageType, backingFiles: boolean, version: string | null): Partial<DiskConfig> =>
  knows("image_type", version) ? { image_type: type, backing_files: backingFiles } : {};

/** By the ending, as people name them; everything else, block devices too, is raw. Never left to detection, which protects sector 0. */
export function imageTypeOf(path: string): ImageType {
  if (path.endsWith(".qcow2")) return "Qcow2";
  if (path.endsWith(".vhdx")) return "Vhdx";
  if (path.endsWith(".vhd")) return "FixedVhd";
  return "Raw";
}

function seedDisk({ spec, places, version = null }: VmToConfigure): DiskConfig[] {
  if (spec.cloudInit === null) return [];
  return [{ id: SEED_ID, path: places.seedImage, readonly: true, num_queues: 1, ...imageType("Raw", false, version) }];
}

function netConfig(nic: Nic, { name, places }: VmToConfigure): NetConfig {
  if (nic.attachment.kind !== "bridge")
    throw new OdoroboError(
      "UNSUPPORTED",
      `${name}: cloud-hypervisor has no NIC of kind ${nic.attachment.kind}, and ${nic.name} is one`,
      { hint: "attach it to a Network of type bridge, or run the VM on qemu" },
    );
  const tap = places.tap(nic.name);
  return { id: nic.name, ...(tap === null ? {} : { tap }), mac: nic.mac, num_queues: 2 };
}

/** The process may open what its config names; an overlay's config does not name the image below it. */
function landlockRules(
  { disks }: ConfiguredSpec,
  { landlock, imageFiles }: VmConfigPlaces,
): readonly LandlockConfig[] | null {
  if (landlock === null) return null;
  const images = disks.flatMap(
    (disk) => imageFiles?.(disk) ?? (disk.origin.kind === "image" ? [disk.origin.path] : []),
  );
  return [...landlock, ...[...new Set(images)].map((path) => ({ path, access: "r" }))];
}
