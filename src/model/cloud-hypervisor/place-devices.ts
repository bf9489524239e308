/** A VmConfig with a PCI slot for every device that can have one. Pure. */

import type { DeviceTree } from "./api.ts";
import { SEED_ID } from "./device-ids.ts";
import { DEVICE_LISTS, type DeviceList } from "./device-lists.ts";
import type { PciSlot } from "./places.ts";
import { BALLOON_SLOT, FIRST_SLOT, LAST_SLOT, RNG_SLOT, RTC_SLOT, SEED_SLOT, type SlotKind, Slots } from "./slots.ts";
import { knows } from "./version.ts";
import type { PciDevice, VmConfig } from "./vm-config.ts";
import { withDefaults } from "./with-defaults.ts";

const SEGMENTS_AT_MOST = 96;
const ALL_SEGMENTS: readonly number[] = Array.from({ length: SEGMENTS_AT_MOST }, (_, segment) => segment);

/** `known`: devices that are plugged already, by id. */
export function withSlots(config: VmConfig, known: ReadonlyMap<string, PciSlot>): VmConfig {
  const slots = new Slots(known, segmentsOf(config));
  for (const device of devicesOf(config)) reserve(device, slots);
  const placed: Record<string, unknown> = {};
  for (const list of ORDER) {
    const items: readonly PciDevice[] | undefined = config[list];
    if (items === undefined) continue;
    placed[list] = items.map((item) =>
      item.id === SEED_ID
        ? place(item, { segment: 0, slot: SEED_SLOT })
        : placeByName(item, slots, list === "net" ? "nic" : "other"),
    );
  }
  const { rng, balloon, rtc, vsock } = config;
  return withSegmentsFor({
    ...config,
    ...placed,
    ...(rng === undefined ? {} : { rng: place(rng, { segment: 0, slot: RNG_SLOT }) }),
    ...(balloon === undefined ? {} : { balloon: place(balloon, { segment: 0, slot: BALLOON_SLOT }) }),
    ...(rtc === undefined ? {} : { rtc: place(rtc, { segment: 0, slot: RTC_SLOT }) }),
    ...(vsock === undefined ? {} : { vsock: placeByName(vsock, slots, "other") }),
  });
}

/** Where the devices of a config sit, by id: what `places.slots` wants for the next change. What `vm.info` says of the bus is best. */
export function slotsOf(config: VmConfig, tree: DeviceTree = {}): ReadonlyMap<string, PciSlot> {
  const slots = new Map<string, PciSlot>();
  for (const { id, pci_segment = 0, pci_device_id } of devicesOf(withDefaults(config)))
    if (id !== undefined && pci_device_id !== undefined) slots.set(id, { segment: pci_segment, slot: pci_device_id });
  for (const [name, { pci_bdf }] of Object.entries(tree)) {
    const place = pci_bdf === undefined ? null : parseBdf(pci_bdf);
    if (place !== null) slots.set(name.replace(/^_virtio-pci-/, ""), place);
  }
  return slots;
}

/** `0001:00:05.0` → segment 1, slot 5. */
function parseBdf(bdf: string): PciSlot | null {
  const [, segment, slot] = /^([0-9a-f]{4}):[0-9a-f]{2}:([0-9a-f]{2})\.[0-7]$/i.exec(bdf) ?? [];
  return segment === undefined || slot === undefined
    ? null
    : { segment: Number.parseInt(segment, 16), slot: Number.parseInt(slot, 16) };
}

/** NICs before disks before all else: who comes first is moved least. */
const ORDER = [
  "net",
  "disks",
  ...DEVICE_LISTS.map((row) => row.list).filter((list) => list !== "net" && list !== "disks"),
] as const;

export const devicesOf = (config: VmConfig): readonly PciDevice[] => [
  ...ORDER.flatMap((list): readonly PciDevice[] => config[list] ?? []),
  ...(config.vsock === undefined ? [] : [config.vsock]),
];

function reserve({ pci_segment = 0, pci_device_id }: PciDevice, slots: Slots): void {
  if (pci_device_id !== undefined) slots.take({ segment: pci_segment, slot: pci_device_id });
}

/** What was said by hand stays. A device that was given a segment and no slot gets the next free one there from Cloud Hypervisor. */
function placeByName<T extends PciDevice>(item: T, slots: Slots, kind: SlotKind): T {
  if (item.pci_device_id !== undefined || item.pci_segment !== undefined || item.id === undefined) return item;
  const found = slots.placeFor(item.id, kind);
  return found === null ? item : place(item, found);
}

function place<T extends PciDevice>(item: T, { segment, slot }: PciSlot): T {
  if (item.pci_device_id !== undefined || item.pci_segment !== undefined) return item;
  return { ...item, pci_device_id: slot, ...(segment === 0 ? {} : { pci_segment: segment }) };
}

/** Segments that devices may be put on: those behind the virtual IOMMU take only devices that ask for it. */
function segmentsOf({ platform }: VmConfig): readonly number[] {
  if (!platform?.iommu_segments?.length) return ALL_SEGMENTS;
  const behindIommu = new Set(platform.iommu_segments);
  return ALL_SEGMENTS.filter((each) => !behindIommu.has(each));
}

/** As many segments as its devices need; a number that was said by hand stays when it is larger. */
function withSegmentsFor(config: VmConfig): VmConfig {
  const used = Math.max(0, ...devicesOf(config).map((device) => device.pci_segment ?? 0));
  if (used === 0 || (config.platform?.num_pci_segments ?? 1) > used) return config;
  return { ...config, platform: { ...config.platform, num_pci_segments: used + 1 } };
}

/** How many more devices find a slot on the segments that the guest was booted with. */
export function freeSlots(config: VmConfig, tree: DeviceTree = {}): number {
  const taken = [...slotsOf(config, tree).values()];
  const onSegments = bootedSegments(config).map(
    (segment) => capacityOf(segment) - taken.filter((place) => place.segment === segment && isOurs(place)).length,
  );
  // Where nothing says where a device sits, it may sit anywhere.
  const unknown = devicesOf(config).length - devicesOf(config).filter((device) => hasSlot(device, tree)).length;
  return Math.max(0, onSegments.reduce((sum, free) => sum + free, 0) - unknown);
}

const bootedSegments = (config: VmConfig): readonly number[] =>
  segmentsOf(config).filter((segment) => segment < (config.platform?.num_pci_segments ?? 1));

const isOurs = ({ segment, slot }: PciSlot): boolean =>
  segment === 0 ? slot >= FIRST_SLOT && slot < SEED_SLOT : slot >= 1 && slot <= LAST_SLOT;
const capacityOf = (segment: number): number => (segment === 0 ? SEED_SLOT - FIRST_SLOT : LAST_SLOT);

const hasSlot = ({ id, pci_device_id }: PciDevice, tree: DeviceTree): boolean =>
  pci_device_id !== undefined ||
  (id !== undefined && (Object.hasOwn(tree, id) || Object.hasOwn(tree, `_virtio-pci-${id}`)));

/**
 * A device as it is to be plugged into a running guest, and its slot noted in `taken`. One that wants a slot that somebody else has
 * gets another; null when there is none on the segments that the guest has.
 */
export function placeOnePlugged<T extends PciDevice>(
  device: T,
  list: DeviceList | "vsock",
  booted: VmConfig,
  taken: Map<string, PciSlot>,
  version: string,
): T | null {
  if (!knows("pci_device_id", version)) return device;
  const { id, pci_segment = 0, pci_device_id } = device;
  const segments = bootedSegments(booted);
  const wish = pci_device_id === undefined ? undefined : { segment: pci_segment, slot: pci_device_id };
  const isFree = (place: PciSlot) =>
    segments.includes(place.segment) &&
    ![...taken.values()].some((each) => each.segment === place.segment && each.slot === place.slot);
  if (wish !== undefined && isFree(wish)) {
    if (id !== undefined) taken.set(id, wish);
    return device;
  }
  if (id === undefined) return device;
  const found = new Slots(new Map([...taken].filter(([name]) => name !== id)), segments).placeFor(
    id,
    list === "net" ? "nic" : "other",
  );
  if (found === null) return null;
  taken.set(id, found);
  const { pci_segment: _segment, pci_device_id: _slot, ...rest } = device;
  return place(rest as T, found);
}
