/** Where the node keeps what a VmConfig names: the caller's answers, so that making a VmConfig stays pure. */
import type { Disk } from "../vm-spec.ts";
import type { LandlockConfig } from "./vm-config.ts";

export interface VmConfigPlaces {
  /** `builtin:tiny` → its file; a path stays as it is. */
  kernel(path: string): string;
  /** A firmware's name (`default`, `uefi`, …) → its file; a path stays as it is. */
  firmware(name: string): string;
  /** The file of a disk whose bytes are the agent's. Never asked about external ones. */
  ownDisk(disk: Disk): string;
  /** The cloud-init image; used exactly when the spec has cloudInit. */
  readonly seedImage: string;
  /** The tap device behind a NIC on a bridge, or null: the hypervisor makes one. */
  tap(nic: string): string | null;
  /** The machine's, unless the spec's own section says another; left out: none. */
  readonly uuid?: string;
  /**
   * Null: the process may open whatever its user may. Else it is confined by Landlock to what its configuration names, the
   * images that its overlays stand on, and these.
   */
  readonly landlock: readonly LandlockConfig[] | null;
  /** The files that the overlay of an image disk opens. Left out: the image's path. */
  imageFiles?(disk: Disk): readonly string[];
  /** Where devices sit already, by id: they stay there. Left out: nothing is plugged yet. See `slots.ts`. */
  readonly slots?: ReadonlyMap<string, PciSlot>;
}

/** Where the kernel keeps pseudo terminals. */
export const TERMINALS = "/dev/pts";

export interface PciSlot {
  readonly segment: number;
  /** 1 to 31. */
  readonly slot: number;
}

/** Made up, for what is to be known of a VmConfig before its node is. */
export const PLACEHOLDERS: VmConfigPlaces = {
  kernel: (path) => path,
  firmware: (name) => name,
  ownDisk: ({ name }) => `/${name}`,
  seedImage: "/seed",
  tap: () => "tap",
  landlock: null,
};
