/**
 * Which PCI slot each device sits in: a guest names its disks and NICs by it. Pure.
 *
 * A device that sits somewhere stays there. Else its name decides, so that it comes back to the same place at the next boot,
 * whatever was added or taken away in between; only when two names want one slot does the later of them move on, and numbered
 * names (`eth0`, `eth1`) never want the same one.
 *
 * Slot 0 is the host bridge's. 1 to 3 are for devices that every VM has or may have at most one of; 4 to 7 stay free on
 * segment 0, because Cloud Hypervisor puts what has no slot of its own (pvpanic, watchdog, virtual IOMMU, virtio-mem) into the
 * lowest free ones.
 */
import type { PciSlot } from "./places.ts";

export const RNG_SLOT = 1;
export const BALLOON_SLOT = 2;
export const RTC_SLOT = 3;
export const FIRST_SLOT = 8;
export const LAST_SLOT = 31;
/** Of the seed image, which comes and goes with cloud-init. */
export const SEED_SLOT = 31;

/** Where a kind of device looks first: NICs have slots of their own, for nothing shows a changed place as much as a NIC's name. */
const REGIONS = {
  nic: { first: FIRST_SLOT, size: 8 },
  other: { first: FIRST_SLOT + 8, size: LAST_SLOT - FIRST_SLOT - 8 },
} as const;

export type SlotKind = keyof typeof REGIONS;

export class Slots {
  readonly #known: ReadonlyMap<string, PciSlot>;
  readonly #taken = new Set<string>();
  readonly #segments: readonly number[];

  /** `segments`: those that devices may go to. Segment 0 is filled first. */
  constructor(known: ReadonlyMap<string, PciSlot>, segments: readonly number[]) {
    this.#known = known;
    this.#segments = segments;
    for (const place of known.values()) this.take(place);
  }

  take({ segment, slot }: PciSlot): void {
    this.#taken.add(`${segment}:${slot}`);
  }

  /** Null when every slot is taken. */
  placeFor(id: string, kind: SlotKind): PciSlot | null {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    for (const place of this.#candidates(id, kind)) {
      if (this.#taken.has(`${place.segment}:${place.slot}`)) continue;
      this.take(place);
      return place;
    }
    return null;
  }

  *#candidates(id: string, kind: SlotKind): Iterable<PciSlot> {
    const { first, size } = REGIONS[kind];
    const wanted = wish(id);
    const main = this.#segments.includes(0);
    if (main) for (let step = 0; step < size; step++) yield { segment: 0, slot: first + ((wanted + step) % size) };
    const all = LAST_SLOT - FIRST_SLOT;
    if (main) for (let step = 0; step < all; step++) yield { segment: 0, slot: FIRST_SLOT + ((wanted + step) % all) };
    for (const segment of this.#segments.filter((each) => each !== 0))
      for (let step = 0; step < LAST_SLOT; step++) yield { segment, slot: 1 + ((wanted + step) % LAST_SLOT) };
  }
}

/** A number out of the name; names that differ in the number at their end only have different ones. */
function wish(id: string): number {
  const digits = /\d{1,6}$/.exec(id)?.[0] ?? "";
  // FNV-1a: short, and spreads short names well. Nothing secret depends on it.
  let hash = 0x811c9dc5;
  for (const char of id.slice(0, id.length - digits.length)) {
    hash ^= char.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return hash + Number(digits === "" ? 0 : digits);
}
