/** What firmware is called in manifests, by hypervisor: a name, or the path of an image on the node. Pure. */
import type { HypervisorKind } from "../vm-spec.ts";

/**
 * `default` is what the hypervisor takes by itself. `uefi`: edk2, boots what a PC boots. `hypervisor-fw`: a loader in Rust, boots Linux and EFI
 * images. `bios`, `seabios`: QEMU's own. Null: any name is as good as another.
 */
export const FIRMWARE_NAMES: Readonly<Record<HypervisorKind, readonly string[] | null>> = {
  "cloud-hypervisor": ["default", "uefi", "hypervisor-fw"],
  qemu: ["default", "bios", "seabios", "uefi"],
  propolis: null,
  noop: null,
};

export const isFirmwarePath = (firmware: string): boolean => firmware.startsWith("/");

/** Whether a hypervisor of this kind can know it, on whatever node. */
export const knowsFirmware = (kind: HypervisorKind, firmware: string): boolean =>
  isFirmwarePath(firmware) || (FIRMWARE_NAMES[kind]?.includes(firmware) ?? true);
