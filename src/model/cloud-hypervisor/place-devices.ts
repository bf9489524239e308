/** A VmConfig with a PCI slot for every device that can have one. Pure. */
import { SEED_ID } from "./device-ids.ts";
import { DEVICE_LISTS } from "./device-lists.ts";
import type { PciSlot } from "./places.ts";
import { BALLOON_SLOT, LAST_SLOT, RNG_SLOT, RTC_SLOT, SEED_SLOT, type SlotKind, Slots } from "./slots.ts";
import type { PciDevice, VmConfig } from "./vm-config.ts";

const SEGMENTS_AT_MOST = 96;

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

/** Where the devices of a config sit that say so, by id: what `places.slots` wants for the next change. */
export function slotsOf(config: VmConfig): ReadonlyMap<string, PciSlot> {
  return new Map(
    devicesOf(config).flatMap(({ id, pci_segment = 0, pci_device_id }) =>
      id === undefined || pci_device_id === undefined ? [] : [[id, { segment: pci_segment, slot: pci_device_id }]],
    ),
  );
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
  const behindIommu = new Set(platform?.iommu_segments ?? []);
  return Array.from({ length: SEGMENTS_AT_MOST }, (_, segment) => segment).filter((each) => !behindIommu.has(each));
}

/** As many segments as its devices need; a number that was said by hand stays when it is larger. */
function withSegmentsFor(config: VmConfig): VmConfig {
  const used = Math.max(0, ...devicesOf(config).map((device) => device.pci_segment ?? 0));
  if (used === 0 || (config.platform?.num_pci_segments ?? 1) > used) return config;
  return { ...config, platform: { ...config.platform, num_pci_segments: used + 1 } };
}

/** How many more devices find a slot on the segments that the guest was booted with. */
export function freeSlots(config: VmConfig): number {
  const segments = config.platform?.num_pci_segments ?? 1;
  // The host bridge's, the random numbers' and what has no slot of its own: at most these stay out of reach.
  const usable = segments * LAST_SLOT - (RTC_SLOT + 4);
  return Math.max(0, usable - devicesOf(config).length);
}
