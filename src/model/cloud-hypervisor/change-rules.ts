/** The live-change matrix for one guest, as data: what it takes now without an outage, and why not the rest. Pure. */
import type { ChangeRule } from "../observed-state.ts";
import type { VmConfig } from "./vm-config.ts";

export interface ChangeFacts {
  /** As `vmm.ping` says it. */
  readonly version: string;
  readonly architecture: "x86_64" | "aarch64";
}

/** `config` is what `vm.info` says of the running guest. */
export function changeRules(_config: VmConfig, _facts: ChangeFacts): readonly ChangeRule[] {
  throw new Error("not written yet");
}
