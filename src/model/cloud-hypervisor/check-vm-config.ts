/** What is wrong with a VmConfig: `vm.create` checks nothing, and some mistakes kill the process. Pure. */
import type { VmConfig } from "./vm-config.ts";

export interface ConfigProblem {
  /** Into the VmConfig: `["disks", 0, "num_queues"]`. Empty: the whole of it. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** `version` as `vmm.ping` says it; null: not known, so only what no version takes is a problem. */
export function checkVmConfig(
  _config: VmConfig,
  _target: { readonly version: string | null },
): readonly ConfigProblem[] {
  throw new Error("not written yet");
}
