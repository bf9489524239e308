/** VmConfig → the part of a spec that means the same VM, for VMs that people make by hand. Pure. */
import type { VmSpec } from "../vm-spec.ts";
import type { VmConfig } from "./vm-config.ts";

export type SpecOfConfig = Pick<VmSpec, "cpus" | "memory" | "boot" | "disks" | "nics" | "passthrough">;

/** Whatever a spec can say is said there, all else is in `passthrough`. */
export function fromVmConfig(_config: VmConfig): SpecOfConfig {
  throw new Error("not written yet");
}
