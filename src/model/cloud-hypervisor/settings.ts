/**
 * The part of a VmConfig that a spec says in its `passthrough` only: without what the spec's own fields say, without what Cloud
 * Hypervisor makes up, without slots. Pure.
 */
import { SEED_ID } from "./device-ids.ts";
import { DEVICE_LISTS } from "./device-lists.ts";
import { isRecord } from "./merge-fragment.ts";
import type { MemoryConfig, PayloadConfig, PciDevice, VmConfig } from "./vm-config.ts";

/** Which devices the spec's own fields are about, and which are there. */
export interface Known {
  readonly disks: ReadonlySet<string>;
  readonly nics: ReadonlySet<string>;
  /** Of the two above, those that the guest has. */
  readonly present: ReadonlySet<string>;
  /** The number of PCI segments was said by hand and not worked out. */
  readonly segmentsAreSaid: boolean;
}

export type Settings = Readonly<Record<string, unknown>>;

/** `config` with its defaults filled in, by top-level key. */
export function settingsOf(config: VmConfig, known: Known): Settings {
  const { cpus, memory, payload, platform, disks, net, rng, balloon, vsock, rtc, console, ...rest } = config;
  const settings: Record<string, unknown> = {
    ...rest,
    cpus: cpus === undefined ? undefined : without(cpus, ["boot_vcpus", "max_vcpus"]),
    memory: memory === undefined ? undefined : memorySettings(memory),
    payload: payload === undefined ? undefined : without(payload, SPOKEN_IN_BOOT),
    platform: platform === undefined || known.segmentsAreSaid ? platform : without(platform, ["num_pci_segments"]),
    disks: devices(disks, known.disks, ["path", "readonly"], known),
    net: devices(net, known.nics, ["mac"], known),
  };
  for (const { list } of DEVICE_LISTS)
    if (list !== "disks" && list !== "net") settings[list] = config[list]?.map((device) => without(device, SLOT));
  for (const [key, device] of Object.entries({ rng, balloon, vsock, rtc, console }))
    settings[key] = device === undefined ? undefined : without(device, SLOT);
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => !isNothing(value)));
}

const SLOT = ["pci_segment", "pci_device_id"] as const;
const SPOKEN_IN_BOOT: readonly (keyof PayloadConfig)[] = ["firmware", "kernel", "cmdline", "initramfs"];

/** With zones the sizes are the zones', and nothing in the spec's own fields moves them. */
function memorySettings(memory: MemoryConfig): Settings {
  const settings = without(memory, ["size", "hotplug_size", "hotplugged_size"]);
  if (memory.zones === undefined) return settings;
  return {
    ...settings,
    zones: memory.zones.map((zone) => (zone.hotplugged_size === 0 ? without(zone, ["hotplugged_size"]) : zone)),
  };
}

function devices(
  list: readonly PciDevice[] | undefined,
  spoken: ReadonlySet<string>,
  spokenKeys: readonly string[],
  { present }: Known,
): readonly Settings[] {
  return (list ?? []).flatMap((device) => {
    const { id = "" } = device;
    if (id === SEED_ID) return [];
    if (!spoken.has(id)) return [without(device, SLOT)];
    return present.has(id) ? [without(device, [...SLOT, ...spokenKeys])] : [];
  });
}

function without(value: object, keys: readonly string[]): Settings {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** An empty list of devices is none, and a group without fields says nothing. */
const isNothing = (value: unknown): boolean =>
  value === undefined ||
  (Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0);
