/**
 * VmSpec → VmConfig, with everything that Cloud Hypervisor would else make up said explicitly, so that `vm.info` of an
 * unchanged guest says what was sent. Pure.
 */
import type { VmSpec } from "../vm-spec.ts";
import type { VmConfigPlaces } from "./places.ts";
import type { VmConfig } from "./vm-config.ts";

export interface VmToConfigure {
  readonly name: string;
  readonly spec: VmSpec;
  readonly places: VmConfigPlaces;
  /** What `vmm.ping` says; null or left out: the newest. Older ones are not told what they would silently ignore. */
  readonly version?: string | null;
}

export function toVmConfig(_vm: VmToConfigure): VmConfig {
  throw new Error("not written yet");
}
