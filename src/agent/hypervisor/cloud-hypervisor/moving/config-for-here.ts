/**
 * The configuration that a guest brings, as the host needs it that it comes to: what names something of a host is named as this agent would have named
 * it. Everything else is the guest's, and stays as it is. Pure.
 */
import type { VmConfig } from "../../../../model/cloud-hypervisor/vm-config.ts";

type Json = Readonly<Record<string, unknown>>;

/** `text`: as it travels, `{"vm_config": …}`. `own`: what this agent would have booted the same VM with. */
export function configForHere(text: Buffer, own: VmConfig): Buffer {
  const travelling = parseExactly(text.toString("utf8")) as Json;
  const config = travelling.vm_config as Json | undefined;
  if (config === undefined) return text;
  return Buffer.from(JSON.stringify({ ...travelling, vm_config: placed(config, own as unknown as Json) }), "utf8");
}

/** Of the whole VM. */
const PLACED: readonly (readonly [part: string, fields: readonly string[]])[] = [
  ["payload", ["firmware", "kernel", "initramfs"]],
  ["serial", ["mode", "file", "socket"]],
  ["console", ["mode", "file", "socket"]],
  ["vsock", ["socket"]],
];
/** Of devices, by their ids. The address of a tap is its host's; before v54 a process writes down which it found. */
const PLACED_DEVICES: readonly (readonly [list: string, fields: readonly string[]])[] = [
  ["disks", ["path"]],
  ["net", ["tap", "host_mac"]],
];

function placed(config: Json, own: Json): Json {
  const changed: Record<string, unknown> = { ...config };
  for (const [part, fields] of PLACED) {
    if (isObject(config[part]) && isObject(own[part])) changed[part] = withFields(config[part], own[part], fields);
  }
  for (const [list, fields] of PLACED_DEVICES) {
    const ours = new Map(devicesIn(own[list]).map((device) => [device.id, device]));
    if (Array.isArray(config[list]))
      changed[list] = devicesIn(config[list]).map((device) => {
        const mine = ours.get(device.id);
        return mine === undefined ? device : withFields(device, mine, fields);
      });
  }
  if (own.landlock_rules !== undefined && config.landlock_enable === true) changed.landlock_rules = own.landlock_rules;
  return changed;
}

function withFields(device: Json, own: Json, fields: readonly string[]): Json {
  const changed: Record<string, unknown> = { ...device };
  for (const field of fields) {
    if (own[field] !== undefined) changed[field] = own[field];
    else if (changed[field] !== undefined) changed[field] = null;
  }
  return changed;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const devicesIn = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Numbers stay as they are written: a 64-bit address is none that a double holds. */
function parseExactly(text: string): unknown {
  return (JSON.parse as (text: string, reviver: ExactReviver) => unknown)(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined ? rawJson(source) : value,
  );
}

type ExactReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
/** Of ES2026; TypeScript's own library does not list it yet. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
