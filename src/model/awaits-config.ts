import type { VmSpec } from "./vm-spec.ts";

/** Marks a VM that was made by hand without a configuration, which is still to come: the rest of its spec is a stand-in. */
export const AWAITS_CONFIG = "odorobo.dev/awaits-config";

export const awaitsConfig = (spec: VmSpec): boolean => spec.annotations[AWAITS_CONFIG] !== undefined;
