/**
 * VmConfig now × VmConfig wanted → the API calls that make true what can be made true while the guest runs.
 *
 *   vm.info, to-vm-config.ts → [live-changes.ts] → the driver makes the calls one by one
 *
 * Pure. It offers exactly what `change-rules.ts` promises: what needs a reboot is left alone.
 */
import type { RequestBodies } from "./api.ts";
import { totalRam } from "./check-machine.ts";
import { SEED_ID } from "./device-ids.ts";
import { DEVICE_LISTS, type DeviceList } from "./device-lists.ts";
import {
  balloonRange,
  type ChangeFacts,
  cpuRange,
  isWithin,
  memoryRange,
  whyNotAdd,
  whyNotAddDevice,
  whyNotGrow,
  whyNotRemove,
  zoneRange,
} from "./live-abilities.ts";
import { placeOnePlugged, slotsOf } from "./place-devices.ts";
import type { IommuDevice, VmConfig } from "./vm-config.ts";
import { withDefaults } from "./with-defaults.ts";

const MIB = 1024 * 1024;

type LiveEndpoint =
  | "vm.resize"
  | "vm.resize-disk"
  | "vm.resize-zone"
  | "vm.add-disk"
  | "vm.add-net"
  | "vm.add-fs"
  | "vm.add-generic-vhost-user"
  | "vm.add-pmem"
  | "vm.add-vdpa"
  | "vm.add-vsock"
  | "vm.add-device"
  | "vm.add-user-device"
  | "vm.remove-device";

/** One PUT: `{ endpoint: "vm.resize", body: { desired_vcpus: 2 } }`. A `vm.resize` changes one thing. */
export type LiveCall = {
  [Endpoint in LiveEndpoint]: { readonly endpoint: Endpoint; readonly body: RequestBodies[Endpoint] };
}[LiveEndpoint];

/** Bytes by device id: `vm.info` tells no disk's size. */
export interface DiskSizes {
  readonly now: Readonly<Record<string, number>>;
  readonly wanted: Readonly<Record<string, number>>;
}

/** In the order in which they are to be made: removals first, for they free ids and slots; CPUs before devices that have a queue for each. */
export function planLiveChanges(
  said: VmConfig,
  wanted: VmConfig,
  facts: ChangeFacts,
  sizes: DiskSizes = { now: {}, wanted: {} },
): readonly LiveCall[] {
  const now = withDefaults(said);
  const removals = removalsOf(now, wanted, facts);
  const removed = new Set(removals.map(({ body }) => body.id));
  return [
    ...removals,
    ...cpuCalls(now, wanted, facts),
    ...memoryCalls(now, wanted, facts),
    ...balloonCalls(now, wanted),
    ...zoneCalls(now, wanted),
    ...diskCalls(now, wanted, sizes),
    ...additionsOf(now, wanted, facts, removed),
  ];
}

type Removal = Extract<LiveCall, { readonly endpoint: "vm.remove-device" }>;

function removalsOf(now: VmConfig, wanted: VmConfig, facts: ChangeFacts): Removal[] {
  const gone = DEVICE_LISTS.flatMap(({ list }) =>
    missingFrom(wanted[list], now[list]).map((device) => ({ list, device }) as const),
  );
  const vsock =
    now.vsock !== undefined && wanted.vsock === undefined ? [{ list: "vsock", device: now.vsock } as const] : [];
  return [...gone, ...vsock].flatMap(({ list, device }): Removal[] =>
    device.id === undefined || whyNotRemove(now, list, device, facts) !== null
      ? []
      : [{ endpoint: "vm.remove-device", body: { id: device.id } }],
  );
}

/** The seed image comes and goes with a boot. */
function missingFrom<T extends IommuDevice>(
  list: readonly T[] | undefined,
  from: readonly T[] | undefined,
): readonly T[] {
  const ids = new Set((list ?? []).map(({ id }) => id));
  return (from ?? []).filter(({ id }) => id !== SEED_ID && !ids.has(id));
}

function cpuCalls(now: VmConfig, wanted: VmConfig, facts: ChangeFacts): LiveCall[] {
  const [before, after] = [now.cpus?.boot_vcpus ?? 1, wanted.cpus?.boot_vcpus ?? 1];
  if (before === after || !isWithin(cpuRange(now, facts), before, after)) return [];
  return [{ endpoint: "vm.resize", body: { desired_vcpus: after } }];
}

function memoryCalls(now: VmConfig, wanted: VmConfig, facts: ChangeFacts): LiveCall[] {
  if (hasZones(now)) return [];
  const [before, after] = [totalRam(now.memory), totalRam(wanted.memory)];
  if (before === after || !isWithin(memoryRange(now, facts), before / MIB, after / MIB)) return [];
  return [{ endpoint: "vm.resize", body: { desired_ram: after } }];
}

const hasZones = ({ memory }: VmConfig): boolean => (memory?.zones ?? []).length > 0;

function balloonCalls(now: VmConfig, wanted: VmConfig): LiveCall[] {
  const range = balloonRange(now);
  const [before, after] = [now.balloon?.size, wanted.balloon?.size];
  if (range === null || before === undefined || after === undefined || before === after) return [];
  return isWithin(range, before, after) ? [{ endpoint: "vm.resize", body: { desired_balloon: after } }] : [];
}

function zoneCalls(now: VmConfig, wanted: VmConfig): LiveCall[] {
  return (wanted.memory?.zones ?? []).flatMap(({ id, hotplugged_size: after = 0 }): LiveCall[] => {
    const zone = now.memory?.zones?.find((each) => each.id === id);
    const range = zoneRange(now, id);
    const before = zone?.hotplugged_size ?? 0;
    if (zone === undefined || range === null || before === after || !isWithin(range, before, after)) return [];
    return [{ endpoint: "vm.resize-zone", body: { id, desired_ram: zone.size + after } }];
  });
}

/** Disks only grow, and only those that are to stay what they are. */
function diskCalls(now: VmConfig, wanted: VmConfig, sizes: DiskSizes): LiveCall[] {
  return (now.disks ?? []).flatMap((disk): LiveCall[] => {
    const { id } = disk;
    const kept = wanted.disks?.find((each) => each.id === id);
    if (id === undefined || kept === undefined || whyNotGrow(disk) !== null) return [];
    if (kept.path !== disk.path || (kept.readonly ?? false) !== (disk.readonly ?? false)) return [];
    const [before, after] = [sizes.now[id], sizes.wanted[id]];
    if (before === undefined || after === undefined || after <= before) return [];
    return [{ endpoint: "vm.resize-disk", body: { id, desired_size: after } }];
  });
}

function additionsOf(now: VmConfig, wanted: VmConfig, facts: ChangeFacts, removed: ReadonlySet<string>): LiveCall[] {
  const slots = new Map(slotsOf(now, facts.deviceTree));
  for (const id of removed) slots.delete(id);
  const place = (device: IommuDevice, list: DeviceList | "vsock") =>
    placeOnePlugged(device, list, now, slots, facts.version);
  const listed = DEVICE_LISTS.flatMap(({ list, endpoint }) => {
    if (whyNotAdd(now, list, facts) !== null) return [];
    return missingFrom(now[list] as readonly IommuDevice[] | undefined, wanted[list])
      .filter((device) => whyNotAddDevice(now, device) === null)
      .flatMap((device) => {
        const body = place(device, list);
        return body === null ? [] : [{ endpoint, body } as LiveCall];
      });
  });
  const { vsock } = wanted;
  if (vsock === undefined || whyNotAdd(now, "vsock", facts) !== null || whyNotAddDevice(now, vsock) !== null)
    return listed;
  const body = place(vsock, "vsock");
  return body === null ? listed : [...listed, { endpoint: "vm.add-vsock", body } as LiveCall];
}
