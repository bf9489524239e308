/**
 * The live-change matrix for one guest, as data: what it takes now without an outage, and why not the rest.
 *
 *   vm.info → [change-rules.ts] → VmReport.changeRules → reconcile/classify.ts
 *
 * Pure. The first rule that fits counts. `live-changes.ts` does exactly what is promised here: both ask `live-abilities.ts`.
 */

import { identityOf } from "../item-identity.ts";
import type { ChangeRule } from "../observed-state.ts";
import { VM_CONFIG } from "./config-fields.ts";
import { DEVICE_LISTS, type DeviceList } from "./device-lists.ts";
import {
  balloonRange,
  type ChangeFacts,
  cpuRange,
  memoryRange,
  type Obstacle,
  type Range,
  whyNotAdd,
  whyNotAddDevice,
  whyNotGrow,
  whyNotRemove,
  zoneRange,
} from "./live-abilities.ts";
import type { IommuDevice, VmConfig } from "./vm-config.ts";
import { withDefaults } from "./with-defaults.ts";

export type { ChangeFacts } from "./live-abilities.ts";

/** `said` is the config that `vm.info` says of the running guest. */
export function changeRules(said: VmConfig, facts: ChangeFacts): readonly ChangeRule[] {
  const config = withDefaults(said);
  return [
    ...rangeRules("cpus.count", cpuRange(config, facts), nowCpus(config), {
      raise: "the guest brings new CPUs online by itself where udev does",
      lower: "the guest gives CPUs back in its own time",
    }),
    reboot("cpus.max", "room for growth is given at boot"),
    ...rangeRules("memory.size", memoryRange(config, facts), nowMemory(config), memoryNotes(config)),
    reboot("memory.max", "room for growth is given at boot"),
    reboot("boot", "read only at boot"),
    reboot("cloudInit", "the guest reads it at boot"),
    ...diskRules(config, facts),
    ...nicRules(config, facts),
    ...passthroughRules(config, facts),
  ];
}

const rule = (
  path: string,
  change: ChangeRule["change"],
  changeClass: ChangeRule["class"],
  note: string | null = null,
  limits: Pick<ChangeRule, "min" | "max" | "multipleOf"> = {},
): ChangeRule => ({ path, change, class: changeClass, note, ...limits });

const reboot = (path: string, note: string): ChangeRule => rule(path, "any", "reboot", note);

const nowCpus = ({ cpus }: VmConfig): number => cpus?.boot_vcpus ?? 1;
const nowMemory = ({ memory }: VmConfig): number => ((memory?.size ?? 0) + (memory?.hotplugged_size ?? 0)) / 1024 ** 2;

function memoryNotes({ memory }: VmConfig): { readonly raise: string; readonly lower: string } {
  if (memory?.hotplug_method === "VirtioMem")
    return { raise: "the guest needs the virtio-mem driver", lower: "the guest gives back what it can spare" };
  return { raise: "at most 8 times between two boots", lower: "" };
}

/** Raise and lower within the range live, beyond it with a reboot. */
function rangeRules(
  path: string,
  { min, max, step, whyNotMore, whyNotLess }: Range,
  now: number,
  notes: { readonly raise: string | null; readonly lower: string | null },
): ChangeRule[] {
  const steps = step === 1 ? {} : { multipleOf: step };
  const odd =
    step === 1 || max === min
      ? []
      : [
          rule(
            path,
            "any",
            "reboot",
            `it changes live in steps of ${step}${path === "memory.size" ? " MiB" : ""} only`,
            { min, max },
          ),
        ];
  return [
    ...(max > now ? [rule(path, "raise", "live", notes.raise, { max, ...steps })] : []),
    ...(min < now ? [rule(path, "lower", "live", notes.lower, { min, ...steps })] : []),
    ...odd,
    rule(path, "raise", "reboot", whyNotMore),
    rule(path, "lower", "reboot", whyNotLess),
  ];
}

/** Live, unless something is in the way. */
const unless = (
  path: string,
  change: ChangeRule["change"],
  obstacle: Obstacle,
  note: string | null = null,
): ChangeRule => (obstacle === null ? rule(path, change, "live", note) : rule(path, change, "reboot", obstacle));

const LET_GO = "the guest has to let go of it";
const IN_USE = "what is in use cannot be exchanged";

function diskRules(config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  const own = (config.disks ?? []).flatMap((disk) => {
    const { id } = disk;
    if (id === undefined) return [];
    const stays = whyNotRemove(config, "disks", disk, facts);
    return [
      unless(`disks.${id}`, "raise", whyNotGrow(disk)),
      ...(stays === null ? [] : [rule(`disks.${id}`, "remove", "reboot", stays)]),
    ];
  });
  return [
    ...own,
    unless("disks.*", "add", whyNotAdd(config, "disks", facts)),
    rule("disks.*", "remove", "live", LET_GO),
    rule("disks.*", "any", "reboot", "a disk in use cannot be exchanged"),
  ];
}

function nicRules(config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  const own = (config.net ?? []).flatMap((nic) => {
    const stays = whyNotRemove(config, "net", nic, facts);
    return nic.id === undefined || stays === null ? [] : [rule(`nics.${nic.id}`, "remove", "reboot", stays)];
  });
  return [
    ...own,
    unless("nics.*", "add", whyNotAdd(config, "net", facts)),
    rule("nics.*", "remove", "live", LET_GO),
    rule("nics.*", "change", "reboot", "a NIC in use cannot be exchanged"),
  ];
}

/** By top-level key of VmConfig, in the order of its description. */
function passthroughRules(config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  return Object.keys(VM_CONFIG.fields).flatMap((key): readonly ChangeRule[] => {
    const path = `passthrough.${key}`;
    switch (key) {
      case "balloon":
        return balloonRules(path, config);
      case "memory":
        return [...zoneRules(path, config), reboot(path, "memory is laid out at boot")];
      case "vsock":
        return vsockRules(path, config, facts);
      case "disks":
      case "net":
        return ownListRules(path, key, config, facts);
      case "landlock_enable":
      case "landlock_rules":
        return [reboot(path, "a process is confined once, when it begins")];
      default:
        return isDeviceList(key) ? listRules(path, key, config, facts) : [reboot(path, "read only at boot")];
    }
  });
}

const isDeviceList = (key: string): key is DeviceList => DEVICE_LISTS.some(({ list }) => list === key);

function balloonRules(path: string, config: VmConfig): ChangeRule[] {
  const range = balloonRange(config);
  const notes = { raise: "the guest gives what it can spare", lower: null };
  return [
    ...(range === null ? [] : rangeRules(`${path}.size`, range, config.balloon?.size ?? 0, notes)),
    reboot(path, "a balloon is plugged at boot only"),
  ];
}

function zoneRules(path: string, config: VmConfig): ChangeRule[] {
  return (config.memory?.zones ?? []).flatMap(({ id, hotplugged_size = 0 }) => {
    const range = zoneRange(config, id);
    const notes = { raise: "the guest needs the virtio-mem driver", lower: "the guest gives back what it can spare" };
    return range === null ? [] : rangeRules(`${path}.zones.${id}.hotplugged_size`, range, hotplugged_size, notes);
  });
}

function vsockRules(path: string, config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  const { vsock } = config;
  return [
    ...iommuRules(path, config),
    unless(path, "add", whyNotAdd(config, "vsock", facts)),
    ...(vsock === undefined ? [] : [unless(path, "remove", whyNotRemove(config, "vsock", vsock, facts), LET_GO)]),
    reboot(path, IN_USE),
  ];
}

/** Settings of disks and NICs, and devices of the section's own: which of the two an entry is, the guest cannot tell. */
function ownListRules(path: string, list: "disks" | "net", config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  const present = (config[list] ?? []).flatMap((device) =>
    namesOf(device).map((name) => reboot(`${path}.${name}`, "settings of a device are read when it is plugged")),
  );
  return [
    ...present,
    ...iommuRules(`${path}.*`, config),
    unless(path, "add", whyNotAdd(config, list, facts)),
    reboot(path, IN_USE),
  ];
}

function listRules(path: string, list: DeviceList, config: VmConfig, facts: ChangeFacts): ChangeRule[] {
  const staying = (config[list] ?? []).flatMap((device) => {
    const stays = whyNotRemove(config, list, device, facts);
    return stays === null ? [] : namesOf(device).map((name) => rule(`${path}.${name}`, "remove", "reboot", stays));
  });
  return [
    ...staying,
    ...iommuRules(`${path}.*`, config),
    unless(path, "add", whyNotAdd(config, list, facts)),
    rule(path, "remove", "live", LET_GO),
    reboot(path, IN_USE),
  ];
}

/** Of a device that is to be plugged. */
function iommuRules(path: string, config: VmConfig): ChangeRule[] {
  const obstacle = whyNotAddDevice(config, { iommu: true, pci_segment: config.platform?.iommu_segments?.[0] ?? 0 });
  return obstacle === null ? [] : [rule(`${path}.iommu`, "add", "reboot", obstacle)];
}

/** A manifest may know it by its id, or, having given none, by what it is. */
function namesOf({ id, ...rest }: IommuDevice): readonly string[] {
  return [...new Set([id, identityOf(rest)].filter((name) => name !== undefined && name !== null))];
}
