/** VmConfigs in the one form in which they can be compared: what Cloud Hypervisor fills in is filled in, what it makes up left out. Pure. */

import { identityOf } from "../item-identity.ts";
import { VM_CONFIG } from "./config-fields.ts";
import { DEVICE_LISTS } from "./device-lists.ts";
import type { Field, RecordField } from "./field.ts";
import { type Fragment, fragmentBetween, isRecord } from "./merge-fragment.ts";
import type { IommuDevice, NetConfig, VmConfig } from "./vm-config.ts";

/**
 * As `vm.info` would say it: defaults filled in, a firmware's useless cmdline dropped, the IOMMU that devices ask for switched
 * on. Left out: the terminal that a Pty got, which changes at every boot, and descriptors, which mean nothing to others.
 */
export function withDefaults(config: VmConfig): VmConfig {
  const { gdb, pvmemcontrol, ...filled } = fill(VM_CONFIG, config) as VmConfig;
  return {
    ...filled,
    ...(gdb === true ? { gdb } : {}),
    ...(pvmemcontrol === undefined ? {} : { pvmemcontrol }),
    ...(filled.payload === undefined ? {} : { payload: bootable(filled.payload) }),
    ...(filled.serial === undefined ? {} : { serial: withoutTerminal(filled.serial) }),
    ...(filled.console === undefined ? {} : { console: withoutTerminal(filled.console) }),
    ...(filled.debug_console === undefined ? {} : { debug_console: withoutTerminal(filled.debug_console) }),
    ...(filled.net === undefined ? {} : { net: filled.net.map(withLowerCaseMacs) }),
    ...(filled.platform === undefined ? {} : { platform: inNewWords(filled.platform) }),
    iommu: filled.iommu === true || asksForIommu(filled),
  };
}

/**
 * What a fragment must say of a top-level key to get from `base` to `target`, both with their defaults. What is new is said without
 * what would be filled in again. Undefined: nothing.
 */
export function fragmentFor(key: keyof VmConfig, base: unknown, target: unknown): unknown {
  const field = VM_CONFIG.fields[key];
  const difference = fragmentBetween(keyed(key, base), keyed(key, target))[key];
  if (base === undefined || !Array.isArray(base)) return base === undefined ? strip(field, difference) : difference;
  if (!Array.isArray(difference) || field?.type !== "list") return difference;
  const known = new Set(base.map(identityOf));
  return difference.map((item) => (known.has(identityOf(item)) ? item : strip(field.of, item)));
}

const keyed = (key: string, value: unknown): Fragment => (value === undefined ? {} : { [key]: value });

function fill(field: Field | undefined, value: unknown): unknown {
  if (field?.type === "list" && Array.isArray(value)) return value.map((item) => fill(field.of, item));
  if (field?.type === "record" && isRecord(value)) return fillRecord(field, value);
  return value;
}

function fillRecord({ fields }: RecordField, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const filled: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    // Some versions say null, and some lists are empty, where nothing was said.
    if (each === null || each === undefined || (Array.isArray(each) && each.length === 0)) continue;
    filled[key] = fill(Object.hasOwn(fields, key) ? fields[key] : undefined, each);
  }
  for (const [key, field] of Object.entries(fields)) {
    if (Object.hasOwn(filled, key)) continue;
    if (field.type === "record" && field.always === true) filled[key] = fillRecord(field, {});
    else if (field.type !== "record" && field.type !== "list" && field.default !== undefined)
      filled[key] = field.default;
  }
  return filled;
}

function strip(field: Field | undefined, value: unknown): unknown {
  if (field?.type === "list" && Array.isArray(value)) return value.map((item) => strip(field.of, item));
  if (field?.type !== "record" || !isRecord(value)) return value;
  const stripped: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) {
    const own = Object.hasOwn(field.fields, key) ? field.fields[key] : undefined;
    const isDefault = own !== undefined && "default" in own && own.required !== true && own.default === each;
    if (!isDefault) stripped[key] = strip(own, each);
  }
  return stripped;
}

/** With firmware, cmdline and initramfs are dropped with a warning nobody sees. */
function bootable(payload: NonNullable<VmConfig["payload"]>): NonNullable<VmConfig["payload"]> {
  if (payload.firmware === undefined) return payload;
  const { cmdline: _cmdline, initramfs: _initramfs, ...rest } = payload;
  return rest;
}

function withoutTerminal<T extends { readonly mode: string; readonly file?: string }>(line: T): Omit<T, "file"> | T {
  if (line.mode !== "Pty") return line;
  const { file: _file, ...rest } = line;
  return rest;
}

/** MAC addresses are said back in lower case. */
function withLowerCaseMacs({ mac, host_mac, ...nic }: NetConfig): NetConfig {
  return {
    ...nic,
    ...(mac === undefined ? {} : { mac: mac.toLowerCase() }),
    ...(host_mac === undefined ? {} : { host_mac: host_mac.toLowerCase() }),
  };
}

/** v53 calls the serial number and the UUID otherwise and reads both. */
function inNewWords({ serial_number, uuid, ...platform }: NonNullable<VmConfig["platform"]>) {
  const { system_serial_number = serial_number, system_uuid = uuid, ...rest } = platform;
  return {
    ...rest,
    ...(system_serial_number === undefined ? {} : { system_serial_number }),
    ...(system_uuid === undefined ? {} : { system_uuid }),
  };
}

function asksForIommu(config: VmConfig): boolean {
  if (config.platform?.iommu_segments !== undefined) return true;
  const single = [config.rng, config.balloon, config.vsock, config.rtc, config.console];
  const listed = DEVICE_LISTS.flatMap(({ list }): readonly IommuDevice[] => config[list] ?? []);
  return [...single, ...listed].some((device) => device?.iommu === true);
}
