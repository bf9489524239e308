/** What this host's Cloud Hypervisor is and has: found by `probe.ts`, an input of `compile.ts`. */
import type { Seccomp } from "../../config.ts";

export interface CloudHypervisorHost {
  /** A path, or a name on the PATH. */
  readonly executable: string;
  /** `53.0.0` */
  readonly version: string;
  /** What it was built with: `kvm`, `guest_debug`, `mshv`, … */
  readonly features: readonly string[];
  readonly architecture: "x86_64" | "aarch64";
  /** /dev/kvm can be opened by this agent. */
  readonly kvm: boolean;
  /** Firmware images of this host by the name that manifests call them. */
  readonly firmware: ReadonlyMap<FirmwareName, string>;
  readonly seccomp: Seccomp;
  readonly landlock: boolean;
  /** The guest behind `builtin:tiny`. */
  readonly tinyGuest: string;
}

/** Who boots more comes first; see `model/boot/firmware.ts`. */
export const FIRMWARE_NAMES = ["uefi", "hypervisor-fw"] as const;
export type FirmwareName = (typeof FIRMWARE_NAMES)[number];
