/**
 * VmConfig → the part of a spec that means the same VM, for VMs that people make by hand. Pure.
 *
 * Whatever a spec can say is said there, all else is in `passthrough`. What a config leaves to Cloud Hypervisor where odorobo has
 * a better default (a serial line that the agent reads, no console on the process's terminal, a panic notifier) gets odorobo's.
 */
import { fileUrl } from "../identity/disk-url.ts";
import { isDnsLabel } from "../names.ts";
import type { BootSource, Disk, VmSpec } from "../vm-spec.ts";
import type { Fragment } from "./merge-fragment.ts";
import type { VmConfigPlaces } from "./places.ts";
import { ownConfig } from "./to-vm-config.ts";
import type { DiskConfig, MemoryConfig, VmConfig } from "./vm-config.ts";
import { fragmentFor, withDefaults } from "./with-defaults.ts";

const MIB = 1024 * 1024;

export type SpecOfConfig = Pick<VmSpec, "cpus" | "memory" | "boot" | "disks" | "nics" | "passthrough">;

/** Of no VM: what is said of a place is not compared. */
const PLACES: VmConfigPlaces = {
  kernel: (path) => path,
  firmware: (path) => path,
  ownDisk: () => "",
  seedImage: "",
  tap: () => null,
  landlock: null,
};

/** Of one that `checkVmConfig` found nothing wrong with. `toVmConfig` of what this gives means `config`, with ids and slots for the devices that had none. */
export function fromVmConfig(config: VmConfig): SpecOfConfig {
  const given = withDefaults(withOurDefaults(config));
  const spoken = {
    cpus: { count: given.cpus?.boot_vcpus ?? 1, max: given.cpus?.max_vcpus ?? 1 },
    memory: memoryOf(given.memory),
    boot: bootOf(given),
    disks: leadingDisks(given.disks ?? []),
    // Which bridge a tap is on is nobody's to know here.
    nics: [],
  };
  const said = withDefaults(
    ownConfig({ name: "", spec: { ...spoken, cloudInit: null, passthrough: {} }, places: PLACES }),
  );
  return { ...spoken, passthrough: passthroughOf(said, given, config) };
}

/** Terminals would be the hypervisor process's own, and a socket may fall silent: the one that the agent reads stands for them all. */
function withOurDefaults(config: VmConfig): VmConfig {
  const { serial, console: line, ...rest } = config;
  const isOurs = serial === undefined || ["Pty", "Tty", "Socket"].includes(serial.mode);
  return {
    pvpanic: true,
    ...rest,
    serial: isOurs ? { mode: "Pty" } : serial,
    console: line === undefined || line.mode === "Tty" ? { mode: "Off" } : line,
  };
}

/** Sizes that are no whole MiB stay in the section, whole ones beside them. */
function memoryOf(memory: MemoryConfig | undefined): VmSpec["memory"] {
  const zones = memory?.zones ?? [];
  const parts = zones.length > 0 ? zones : memory === undefined ? [] : [memory];
  const now = parts.reduce((sum, { size, hotplugged_size = 0 }) => sum + size + hotplugged_size, 0);
  const most = parts.reduce((sum, { size, hotplug_size = 0 }) => sum + size + hotplug_size, 0);
  return { sizeMiB: Math.ceil(now / MIB), maxMiB: Math.ceil(most / MIB) };
}

function bootOf({ payload }: VmConfig): BootSource {
  if (payload?.kernel === undefined) return { kind: "firmware", firmware: payload?.firmware ?? "" };
  return {
    kind: "kernel",
    kernel: payload.kernel,
    initramfs: payload.initramfs ?? null,
    cmdline: payload.cmdline ?? "",
  };
}

/** Those that a spec can name. From the first that it cannot on, all stay in the section, for the order of disks is theirs. */
function leadingDisks(disks: readonly DiskConfig[]): readonly Disk[] {
  const spoken: Disk[] = [];
  for (const { id, path, readonly = false } of disks) {
    if (id === undefined || !isDnsLabel(id) || path?.startsWith("/") !== true) break;
    spoken.push({ name: id, origin: { kind: "external", url: fileUrl(path) }, readonly });
  }
  return spoken;
}

/** What must be laid over what the spec's own fields say. */
function passthroughOf(said: VmConfig, given: VmConfig, config: VmConfig): Fragment {
  const { memory, serial, ...rest } = said;
  const zones = given.memory?.zones ?? [];
  const base: VmConfig = {
    ...rest,
    ...(memory === undefined ? {} : { memory: zones.length > 0 ? withoutRoom(memory) : memory }),
    ...(serial === undefined ? {} : { serial }),
  };
  const passthrough: Record<string, unknown> = {};
  for (const key of Object.keys({ ...base, ...given }) as (keyof VmConfig)[]) {
    const fragment = fragmentFor(key, base[key], given[key]);
    if (fragment !== undefined) passthrough[key] = fragment;
  }
  // Versions before 53 know only the older words for some of it.
  if (config.platform !== undefined) passthrough.platform = config.platform;
  // It follows from the devices, unless it was asked for.
  if (config.iommu !== true) delete passthrough.iommu;
  return passthrough;
}

const withoutRoom = ({ hotplug_size: _room, ...memory }: MemoryConfig): MemoryConfig => ({ ...memory, size: 0 });
