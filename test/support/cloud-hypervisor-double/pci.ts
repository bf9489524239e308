/** Slots of the PCI buses, one bus per segment. Slot 0 is the root's. */
import { Refusal } from "./refusal.ts";

const SLOTS = 32;

export interface PciSlots {
  /** Before others are given out: what configs ask for by number. */
  reserve(segment: number, slot: number): void;
  /** The BDF; `slot`: a number that was asked for. */
  allocate(segment: number, slot: number | undefined): string;
  free(bdf: string): void;
}

export function createPciSlots(): PciSlots {
  const reserved = new Set<string>();
  const taken = new Set<string>();
  const key = (segment: number, slot: number): string => bdfOf(segment, slot);
  return {
    reserve(segment, slot) {
      const bdf = key(segment, slot);
      if (reserved.has(bdf))
        throw new Refusal("other", "Could not reserve the PCI device ID", `Already in use: ${slot}`);
      reserved.add(bdf);
    },
    allocate(segment, slot) {
      if (slot !== undefined) {
        const bdf = key(segment, slot);
        if (taken.has(bdf))
          throw new Refusal("other", "Could not reserve the PCI device ID", `Already in use: ${slot}`);
        taken.add(bdf);
        return bdf;
      }
      for (let next = 1; next < SLOTS; next++) {
        const bdf = key(segment, next);
        if (taken.has(bdf) || reserved.has(bdf)) continue;
        taken.add(bdf);
        return bdf;
      }
      throw new Refusal("other", "Failed to find an available PCI device ID", "No available device id");
    },
    free(bdf) {
      taken.delete(bdf);
      reserved.delete(bdf);
    },
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
const bdfOf = (segment: number, slot: number): string => `${hex(segment, 4)}:00:${hex(slot, 2)}.0`;
