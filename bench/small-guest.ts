/** The guest that odorobo brings along, as a spec: it counts aloud on its serial line, so that one sees when it is up. */
import type { HypervisorKind, VmSpec } from "../src/model/vm-spec.ts";

/** The first thing it counts. */
export const IS_UP = "COUNTER 0";

export const smallGuest = (hypervisor: HypervisorKind): VmSpec => ({
  hypervisor,
  runStrategy: "Manual",
  labels: {},
  annotations: {},
  cpus: { count: 1, max: 1 },
  memory: { sizeMiB: 16, maxMiB: 16 },
  weights: { cpu: null, io: null },
  boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
  disks: [],
  nics: [],
  cloudInit: null,
  ready: { kind: "serial", pattern: IS_UP, timeoutSeconds: 60 },
  migration: { mode: "never", downtimeMs: 300, timeoutSeconds: 60 },
  onDrain: "stop",
  group: null,
  protect: false,
  retainDisksSeconds: 0,
  shutdownGraceSeconds: 5,
  passthrough: {},
});
