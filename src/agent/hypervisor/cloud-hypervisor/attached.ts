/**
 * What was changed in a guest since its boot, in the spec's words: written before the call is made, so that an agent that
 * comes back knows what it looks at. Lives in the run folder and ends with the process (it is one of its stale files).
 */
import { DEVICE_LISTS } from "../../../model/cloud-hypervisor/device-lists.ts";
import { type ListedDevice, listedDevices } from "../../../model/cloud-hypervisor/held-devices.ts";
import type { LiveCall } from "../../../model/cloud-hypervisor/live-changes.ts";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { Instant } from "../../../model/names.ts";
import type { Disk, Nic, VmSpec } from "../../../model/vm-spec.ts";
import { writeFileAtomically } from "../../../platform/atomic-write.ts";
import { readPlainText } from "../../../platform/plain-file.ts";

export interface Attached {
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  /** Top-level keys of the fragment as they were last asked for; null: taken away. */
  readonly passthrough: Readonly<Record<string, unknown>>;
  /** What the guest was asked to let go of, as it was: `vm.info` says of one that it holds no more than its id. */
  readonly releasing: readonly Releasing[];
}

export interface Releasing extends ListedDevice {
  readonly since: Instant;
}

export const NOTHING_ATTACHED: Attached = { disks: [], nics: [], passthrough: {}, releasing: [] };

/** Everything that the guest may have by now, in the spec's words; what it truly has `vm.info` says. */
export function knownSpec(booted: VmSpec, attached: Attached): VmSpec {
  return {
    ...booted,
    disks: merged(booted.disks, attached.disks),
    nics: merged(booted.nics, attached.nics),
    passthrough: Object.fromEntries(
      Object.entries({ ...booted.passthrough, ...attached.passthrough }).filter(([, value]) => value !== null),
    ),
  };
}

/** Before these calls are made for `wanted`. */
export function withCalls(
  attached: Attached,
  calls: readonly LiveCall[],
  { now, wanted, at }: { readonly now: VmConfig; readonly wanted: VmSpec; readonly at: Instant },
): Attached {
  const keys = calls.map((call) => keyOf(call, now)).filter((key) => key !== null);
  const added = new Set(calls.filter(({ endpoint }) => endpoint.startsWith("vm.add-")).map(({ body }) => idOf(body)));
  const passthrough = keys
    .filter((key) => Object.hasOwn(wanted.passthrough, key) || Object.hasOwn(attached.passthrough, key))
    .map((key) => [key, wanted.passthrough[key] ?? null]);
  const removed = new Set(calls.flatMap(({ endpoint, body }) => (endpoint === "vm.remove-device" ? [body.id] : [])));
  const asked = listedDevices(now).filter(({ id }) => removed.has(id));
  return {
    releasing: [
      ...attached.releasing.filter(({ id }) => !added.has(id) && !removed.has(id)),
      ...asked.map((each) => ({ ...each, since: at })),
    ],
    disks: merged(
      attached.disks,
      wanted.disks.filter((disk) => added.has(disk.name)),
    ),
    nics: merged(
      attached.nics,
      wanted.nics.filter((nic) => added.has(nic.name)),
    ),
    passthrough: { ...attached.passthrough, ...Object.fromEntries(passthrough) },
  };
}

/** The part of a VmConfig that a call changes. */
function keyOf({ endpoint, body }: LiveCall, now: VmConfig): string | null {
  switch (endpoint) {
    case "vm.resize":
      if (body.desired_balloon !== undefined) return "balloon";
      return body.desired_ram === undefined ? "cpus" : "memory";
    case "vm.resize-zone":
      return "memory";
    case "vm.resize-disk":
      return null;
    case "vm.remove-device":
      if (now.vsock?.id === body.id) return "vsock";
      return DEVICE_LISTS.find(({ list }) => (now[list] ?? []).some(({ id }) => id === body.id))?.list ?? null;
    case "vm.add-vsock":
      return "vsock";
    default:
      return DEVICE_LISTS.find((row) => row.endpoint === endpoint)?.list ?? null;
  }
}

const idOf = (body: object): unknown => ("id" in body ? body.id : undefined);

/** In the order of the first, then of the second, whose items stand for what had their name before. */
function merged<T extends Disk | Nic>(before: readonly T[], more: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const item of [...before, ...more]) byName.set(item.name, item);
  return [...byName.values()];
}

export async function readAttached(path: string): Promise<Attached> {
  try {
    return { ...NOTHING_ATTACHED, ...(JSON.parse(await readPlainText(path)) as Partial<Attached>) };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return NOTHING_ATTACHED;
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `cannot read what was attached to the guest from ${path}`, {
      cause: error,
      hint: "reboot the VM: the file is made anew",
    });
  }
}

export const writeAttached = (path: string, attached: Attached): Promise<void> =>
  writeFileAtomically(path, `${JSON.stringify(attached)}\n`);
