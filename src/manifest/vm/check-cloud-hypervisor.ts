/**
 * What Cloud Hypervisor would refuse, or silently ignore, or die of, told where it is written: `vm.create` checks nothing.
 *
 * The VM is compiled with made-up places and checked for every version at once; what only one version minds shows on its node.
 */

import { findUnreadable } from "../../model/cloud-hypervisor/check-fields.ts";
import { type ConfigProblem, checkVmConfig } from "../../model/cloud-hypervisor/check-vm-config.ts";
import { isRecord } from "../../model/cloud-hypervisor/merge-fragment.ts";
import { PLACEHOLDERS } from "../../model/cloud-hypervisor/places.ts";
import { toVmConfig } from "../../model/cloud-hypervisor/to-vm-config.ts";
import type { VmConfig } from "../../model/cloud-hypervisor/vm-config.ts";
import { filePath } from "../../model/identity/disk-url.ts";
import { identityOf } from "../../model/item-identity.ts";
import type { Disk, Nic, VmSpec } from "../../model/vm-spec.ts";
import type { Segments } from "../text/places.ts";
import { redacting } from "../text/redacting.ts";
import type { ReportField } from "../text/source-document.ts";

/** `spec` may still lack MAC addresses. */
export function checkCloudHypervisor(spec: VmSpec, report: ReportField): void {
  if (spec.hypervisor !== "cloud-hypervisor") return;
  // Told already, and all that follows from it would be told again.
  if (spec.cpus.max < spec.cpus.count || spec.memory.maxMiB < spec.memory.sizeMiB) return;
  const unreadable = findUnreadable(spec.passthrough);
  const tell = redacting(spec.passthrough, report);
  if (unreadable.length > 0) {
    for (const problem of unreadable.slice(0, PROBLEMS_AT_MOST)) tell(["cloudHypervisor", ...problem.path], problem);
    return;
  }
  checkSaidTwice(spec, report);
  checkZones(spec, report);
  const config = toVmConfig({
    name: "",
    spec: withPlaceholders({ ...spec, passthrough: withoutSaidTwice(spec) }),
    places: PLACEHOLDERS,
  });
  for (const problem of checkVmConfig(config, { version: null }).slice(0, PROBLEMS_AT_MOST))
    tell(placeOf(problem, config, spec), problem);
}

/** Of one VM: with so many, the rest follows from the first. */
const PROBLEMS_AT_MOST = 50;

/** Disks and NICs that it cannot have at all are the capabilities' to tell, when the node is known. */
function withPlaceholders(spec: VmSpec): VmSpec {
  const disks = spec.disks.map((disk): Disk => {
    const { origin } = disk;
    if (origin.kind !== "external" || filePath(origin.url) !== null) return disk;
    return { ...disk, origin: { kind: "external", url: "file:///elsewhere" } };
  });
  const nics = spec.nics.map(
    (nic): Nic => ({
      ...nic,
      attachment: { kind: "bridge", bridge: "" },
      // What is written is checked as one of a manifest.
      mac: "52:54:00:00:00:00",
    }),
  );
  return { ...spec, disks: firstOfEachName(disks), nics: firstOfEachName(nics) };
}

/** Two of one name are told where names are checked. */
const firstOfEachName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] => {
  const seen = new Set<string>();
  return items.filter(({ name }) => !seen.has(name) && seen.add(name));
};

/** What the section says → the field that says it in the manifest. */
const FIELDS_OF_THE_SPEC: readonly (readonly [string, string, string])[] = [
  ["cpus", "boot_vcpus", "cpus.count"],
  ["cpus", "max_vcpus", "cpus.max"],
  ["memory", "size", "memory.size"],
  ["memory", "hotplug_size", "memory.max"],
  ["payload", "firmware", "boot.firmware"],
  ["payload", "kernel", "boot.kernel"],
  ["payload", "initramfs", "boot.initramfs"],
  ["payload", "cmdline", "boot.cmdline"],
];

/** Which keys of the section's items are said by disks and NICs of the spec. */
const ownItems = ({ disks, nics }: Pick<VmSpec, "disks" | "nics">) =>
  [
    { list: "disks", keys: ["path", "readonly"], own: disks, field: "disks" },
    { list: "net", keys: ["mac", "tap"], own: nics, field: "nics" },
  ] as const;

/** Capacity, plans and live changes go by the fields: a section that says otherwise would make them lies. */
function checkSaidTwice({ passthrough, disks, nics }: VmSpec, report: ReportField): void {
  for (const [group, key, field] of FIELDS_OF_THE_SPEC) {
    const value = recordOf(passthrough[group])[key];
    // A size of 0 is how zones are announced.
    if (value === undefined || (key === "size" && value === 0)) continue;
    refuse([group, key], `cloudHypervisor.${group}.${key}`, `write ${field}`);
  }
  for (const { list, keys, own, field } of ownItems({ disks, nics }))
    for (const [index, item] of listOf(passthrough[list]).entries())
      for (const key of keys)
        if (recordOf(item)[key] !== undefined && own.some(({ name }) => name === recordOf(item).id))
          refuse([list, index, key], `${key} of ${String(recordOf(item).id)}`, `${field} of the spec say it`);

  function refuse(at: Segments, what: string, hint: string): void {
    report(["cloudHypervisor", ...at], {
      code: "conflicting-fields",
      message: `${what} is what the spec's own fields say`,
      hint,
    });
  }
}

/** What follows from having said it twice is not told too. */
function withoutSaidTwice({ passthrough, disks, nics }: VmSpec): VmSpec["passthrough"] {
  const cleaned: Record<string, unknown> = { ...passthrough };
  for (const [group, key] of FIELDS_OF_THE_SPEC)
    if (isRecord(cleaned[group])) cleaned[group] = without(cleaned[group], [key]);
  for (const { list, keys, own } of ownItems({ disks, nics }))
    if (Array.isArray(cleaned[list]))
      cleaned[list] = cleaned[list].map((item: unknown) =>
        isRecord(item) && own.some(({ name }) => name === item.id) ? without(item, keys) : item,
      );
  return cleaned;
}

const without = (record: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));

const MIB = 1024 * 1024;

/** Zones bring their own sizes, and the node's capacity is counted by the fields. */
function checkZones({ passthrough, memory }: VmSpec, report: ReportField): void {
  const zones = listOf(recordOf(passthrough.memory).zones).map(recordOf);
  if (zones.length === 0) return;
  const sum = (keys: readonly string[]) =>
    zones.reduce((total, zone) => total + keys.reduce((part, key) => part + numberOf(zone[key]), 0), 0) / MIB;
  for (const [field, has, keys] of [
    ["size", memory.sizeMiB, ["size", "hotplugged_size"]],
    ["max", memory.maxMiB, ["size", "hotplug_size"]],
  ] as const) {
    const zoned = sum(keys);
    if (zoned !== has)
      report(["cloudHypervisor", "memory", "zones"], {
        code: "conflicting-fields",
        message: `the zones have ${zoned} MiB in all, and memory.${field} is ${has} MiB`,
        hint: `make memory.${field} what the zones have (${keys.join(" + ")})`,
      });
  }
}

/** Into the manifest: the section where the section has a part in it, else the field that it was made from. */
function placeOf({ path }: ConfigProblem, config: VmConfig, { passthrough }: VmSpec): Segments {
  const [key, index, ...rest] = path;
  if (key === undefined) return ["cloudHypervisor"];
  const section = passthrough[key];
  if (typeof index === "number") {
    const item: unknown = listOf((config as Readonly<Record<string, unknown>>)[key])[index];
    const at = findItem(listOf(section), item);
    if (at !== -1) return ["cloudHypervisor", key, at, ...rest];
    const { id } = recordOf(item);
    if (key === "disks" || key === "net") return [key === "net" ? "nics" : "disks", String(id)];
  }
  if (section !== undefined && (index === undefined || has(section, index) || OWN_FIELDS[key] === undefined))
    return ["cloudHypervisor", ...path];
  return OWN_FIELDS[key]?.[String(index ?? "")] ?? OWN_FIELDS[key]?.[""] ?? ["cloudHypervisor", ...path];
}

/** Where groups that are made from the spec's fields are said there. */
const OWN_FIELDS: Readonly<Record<string, Readonly<Record<string, Segments>>>> = {
  cpus: { "": ["cpus"], boot_vcpus: ["cpus", "count"], max_vcpus: ["cpus", "max"] },
  memory: { "": ["memory"], size: ["memory", "size"], hotplug_size: ["memory", "max"] },
  payload: { "": ["boot"], firmware: ["boot", "firmware"], kernel: ["boot", "kernel"] },
};

function findItem(section: readonly unknown[], item: unknown): number {
  const { id, ...rest } = recordOf(item);
  const names = new Set<unknown>([id, identityOf(rest)]);
  return section.findIndex((each) => {
    const identity = identityOf(each);
    return identity !== null && names.has(identity);
  });
}

const has = (value: unknown, key: string | number): boolean => Object.hasOwn(recordOf(value), key);

const recordOf = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {});
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);
