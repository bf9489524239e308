/**
 * What `vm.info` says → LiveConfig in the spec's own words: for an unchanged guest it equals what it was booted with.
 *
 *   vm.info → [live-config.ts] → compareLive → drift
 *
 * Pure. What the guest should look like is worked out from what it was booted with; where the two agree, the words of that spec
 * are taken, and where they do not, what `vm.info` says is put into them as well as it goes.
 */
import { sameValue } from "../fields.ts";
import { fileUrl } from "../identity/disk-url.ts";
import { isDnsLabel } from "../names.ts";
import type { LiveConfig } from "../observed-state.ts";
import { type BootSource, BUILTIN_TINY_GUEST, type Disk, type Nic, type VmSpec } from "../vm-spec.ts";
import { SEED_ID, withoutGivenIds } from "./device-ids.ts";
import { isRecord } from "./merge-fragment.ts";
import { TERMINALS, type VmConfigPlaces } from "./places.ts";
import { type Known, type Settings, settingsOf } from "./settings.ts";
import { ownConfig, saysUuid, toVmConfig } from "./to-vm-config.ts";
import type { DiskConfig, MemoryConfig, NetConfig, PayloadConfig, VmConfig } from "./vm-config.ts";
import { fragmentFor, withDefaults } from "./with-defaults.ts";

const MIB = 1024 * 1024;

export interface BootedVm {
  readonly spec: VmSpec;
  readonly places: VmConfigPlaces;
  /** As `vmm.ping` says it; null or left out: the newest. */
  readonly version?: string | null;
  /** Sizes of disks, by name, as their files say: `vm.info` does not tell them. Of one that is left out the spec is believed. */
  readonly diskBytes?: Readonly<Record<string, number>>;
}

export function toLiveConfig(config: VmConfig, booted: BootedVm): LiveConfig {
  const { spec, places } = booted;
  const vm = { name: "", spec, places, version: booted.version ?? null };
  const comparable = (each: VmConfig): VmConfig =>
    saysUuid(spec.passthrough) ? withDefaults(each) : withoutUuid(withDefaults(each));
  const expected = comparable(toVmConfig(vm));
  const actual = withoutInventions(comparable(config), expected);
  return {
    cpus: {
      count: pick(actual.cpus?.boot_vcpus, expected.cpus?.boot_vcpus, spec.cpus.count),
      max: pick(actual.cpus?.max_vcpus, expected.cpus?.max_vcpus, spec.cpus.max),
    },
    memory: liveMemory(actual.memory, expected.memory, spec),
    boot: liveBoot(actual.payload, expected.payload, booted),
    disks: liveDisks(actual, expected, booted),
    nics: liveNics(actual, expected, spec),
    cloudInit: hasDevice(actual.disks, SEED_ID) ? spec.cloudInit : null,
    passthrough: livePassthrough(actual, expected, comparable(ownConfig(vm)), spec),
  };
}

/** A guest has the UUID that it was booted with, or none if nobody gave it one then: no reason for another boot. */
function withoutUuid({ platform, ...config }: VmConfig): VmConfig {
  if (platform === undefined) return config;
  const { system_uuid: _, ...rest } = platform;
  return sameValue(rest, withDefaults({ platform: {} }).platform) ? config : { ...config, platform: rest };
}

/** The spec's word for a value that is as expected. */
function pick(actual: number | undefined, expected: number | undefined, word: number): number {
  return actual === undefined || actual === expected ? word : actual;
}

/** What is filled in where nothing was said, at random or by looking at the bytes, was not changed by anybody. */
function withoutInventions(actual: VmConfig, expected: VmConfig): VmConfig {
  const disks = actual.disks?.map((disk): DiskConfig => {
    const sent = expected.disks?.find(({ id }) => id === disk.id);
    if (sent?.image_type !== "Unknown") return disk;
    return { ...disk, image_type: "Unknown", backing_files: sent.backing_files ?? false };
  });
  const net = actual.net?.map(({ fds: _fds, mac, host_mac, ...nic }): NetConfig => {
    const sent = expected.net?.find(({ id }) => id === nic.id);
    return {
      ...nic,
      ...(mac === undefined || (sent !== undefined && sent.mac === undefined) ? {} : { mac }),
      ...(host_mac === undefined || (sent !== undefined && sent.host_mac === undefined) ? {} : { host_mac }),
    };
  });
  return {
    ...actual,
    ...(disks === undefined ? {} : { disks }),
    ...(net === undefined ? {} : { net }),
    ...asBootedByOlderAgents(actual, expected),
  };
}

/** Their serial line was a socket, and a confined process needed no terminals: so it stays until the next boot, and is nobody's change. */
function asBootedByOlderAgents(actual: VmConfig, expected: VmConfig): Partial<VmConfig> {
  if (expected.serial?.mode !== "Pty" || actual.serial?.mode !== "Socket") return {};
  const terminals = (expected.landlock_rules ?? []).filter(({ path }) => path === TERMINALS);
  return {
    serial: expected.serial,
    ...(terminals.length === 0 ? {} : { landlock_rules: [...(actual.landlock_rules ?? []), ...terminals] }),
  };
}

/**
 * ACPI memory that was plugged is added to `size` while `hotplug_size` stays as it was at the boot, so both together say too
 * much afterwards; virtio-mem keeps `size` and counts in `hotplugged_size`.
 */
function liveMemory(
  actual: MemoryConfig | undefined,
  expected: MemoryConfig | undefined,
  spec: VmSpec,
): LiveConfig["memory"] {
  if (actual === undefined || expected === undefined || actual.zones !== undefined || expected.zones !== undefined)
    return spec.memory;
  const now = actual.size + (actual.hotplugged_size ?? 0);
  const wanted = expected.size + (expected.hotplugged_size ?? 0);
  const room = actual.hotplug_size ?? 0;
  const wantedMax = expected.size + (expected.hotplug_size ?? 0);
  const isVirtioMem = actual.hotplug_method === "VirtioMem";
  const isAsBooted = isVirtioMem
    ? actual.size + room === wantedMax
    : room === (expected.hotplug_size ?? 0) || (actual.size + room >= wantedMax && room < wantedMax);
  return {
    sizeMiB: now === wanted ? spec.memory.sizeMiB : Math.floor(now / MIB),
    maxMiB: isAsBooted ? spec.memory.maxMiB : Math.floor((actual.size + room) / MIB),
  };
}

function liveBoot(
  actual: PayloadConfig | undefined,
  expected: PayloadConfig | undefined,
  { spec: { boot }, places }: BootedVm,
): BootSource {
  const spoken = (payload: PayloadConfig | undefined) => [
    payload?.firmware,
    payload?.kernel,
    payload?.cmdline ?? "",
    payload?.initramfs,
  ];
  if (actual === undefined || sameValue(spoken(actual), spoken(expected))) return boot;
  if (actual.kernel === undefined) {
    const word = boot.kind === "firmware" && expected?.firmware === actual.firmware ? boot.firmware : actual.firmware;
    return { kind: "firmware", firmware: word ?? "" };
  }
  const word = actual.kernel === places.kernel(BUILTIN_TINY_GUEST) ? BUILTIN_TINY_GUEST : actual.kernel;
  return { kind: "kernel", kernel: word, initramfs: actual.initramfs ?? null, cmdline: actual.cmdline ?? "" };
}

/** In the guest's order. Disks that only the manifest's section knows are the section's. */
function liveDisks(actual: VmConfig, expected: VmConfig, { spec, diskBytes = {} }: BootedVm): readonly Disk[] {
  return (actual.disks ?? []).flatMap((device): Disk[] => {
    const { id = "", path, readonly = false } = device;
    const sent = expected.disks?.find((each) => each.id === id);
    const disk = spec.disks.find(({ name }) => name === id);
    if (disk === undefined || sent === undefined)
      return sent === undefined && canBeNamed(device) ? [{ name: id, origin: external(path ?? ""), readonly }] : [];
    const seen = { ...disk, readonly: readonly === sent.readonly ? disk.readonly : readonly };
    if (path !== undefined && path !== sent.path) return [{ ...seen, origin: external(path) }];
    return [withSize(seen, diskBytes[id])];
  });
}

/** Cloud Hypervisor calls what was given no id `_disk0`. */
const canBeNamed = ({ id = "", path }: DiskConfig): boolean => path !== undefined && path !== "" && isDnsLabel(id);

const external = (path: string): Disk["origin"] => ({ kind: "external", url: fileUrl(path) });

function withSize(disk: Disk, bytes: number | undefined): Disk {
  if (bytes === undefined || disk.origin.kind === "external") return disk;
  return { ...disk, origin: { ...disk.origin, sizeMiB: Math.floor(bytes / MIB) } };
}

function liveNics(actual: VmConfig, expected: VmConfig, spec: VmSpec): readonly Nic[] {
  return (actual.net ?? []).flatMap((device): Nic[] => {
    const { id = "", mac = "" } = device;
    const sent = expected.net?.find((each) => each.id === id);
    const nic = spec.nics.find(({ name }) => name === id);
    if (nic !== undefined && sent !== undefined)
      return [sameMac(mac, sent.mac) ? nic : { ...nic, mac: mac.toLowerCase() }];
    // Which bridge the tap of one that was added by hand is on, the hypervisor does not know: it stays in its own words.
    return [];
  });
}

const sameMac = (one: string, other: string | undefined): boolean => one.toLowerCase() === other?.toLowerCase();

const hasDevice = (list: readonly { readonly id?: string }[] | undefined, id: string): boolean =>
  (list ?? []).some((device) => device.id === id);

function livePassthrough(actual: VmConfig, expected: VmConfig, own: VmConfig, spec: VmSpec): VmSpec["passthrough"] {
  const known = knownDevices(actual, expected, spec);
  const [now, wanted, base] = [actual, expected, own].map((config) => settingsOf(config, known)) as [
    Settings,
    Settings,
    Settings,
  ];
  const passthrough: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(now), ...Object.keys(wanted), ...Object.keys(spec.passthrough)])) {
    if (sameSettings(now[key], wanted[key])) {
      if (Object.hasOwn(spec.passthrough, key)) passthrough[key] = spec.passthrough[key];
      continue;
    }
    const fragment = fragmentFor(key as keyof VmConfig, base[key], now[key]);
    if (fragment !== undefined) passthrough[key] = Array.isArray(fragment) ? withoutGivenIds(key, fragment) : fragment;
  }
  return passthrough;
}

/** Disks that were added by hand count among the spec's where they have a name that a disk can have; else they stay in the guest's own words. */
function knownDevices(actual: VmConfig, expected: VmConfig, spec: VmSpec): Known {
  const ids = (list: readonly { readonly id?: string }[] | undefined) => (list ?? []).flatMap(({ id }) => id ?? []);
  const [disks, net] = [ids(actual.disks), ids(actual.net)];
  const expectedDisks = ids(expected.disks);
  const byHand = ids(actual.disks?.filter(canBeNamed)).filter((id) => !expectedDisks.includes(id));
  const names = {
    disks: new Set([...spec.disks.map(({ name }) => name), ...byHand]),
    nics: new Set(spec.nics.map(({ name }) => name)),
  };
  const sent = new Set([...ids(expected.disks), ...ids(expected.net)]);
  const platform = spec.passthrough.platform;
  return {
    ...names,
    present: new Set([...disks, ...net].filter((id) => sent.has(id))),
    segmentsAreSaid: isRecord(platform) && platform.num_pci_segments !== undefined,
  };
}

/** Lists of devices are the same in any order: what was plugged later stands later. */
function sameSettings(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return sameValue(one, other);
  return one.length === other.length && one.every((item) => other.some((each) => sameValue(item, each)));
}
