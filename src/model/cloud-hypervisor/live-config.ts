/** What `vm.info` says → LiveConfig in the spec's own words: for an unchanged guest it equals what it was booted with. Pure. */
import type { LiveConfig } from "../observed-state.ts";
import type { VmSpec } from "../vm-spec.ts";
import type { VmConfigPlaces } from "./places.ts";
import type { VmConfig } from "./vm-config.ts";

export interface BootedVm {
  readonly spec: VmSpec;
  readonly places: VmConfigPlaces;
  /**
   * Sizes of disks, by name, as their files say: `vm.info` does not tell them. Of one that is left out the spec is believed.
   */
  readonly diskBytes?: Readonly<Record<string, number>>;
}

export function toLiveConfig(_config: VmConfig, _booted: BootedVm): LiveConfig {
  throw new Error("not written yet");
}
