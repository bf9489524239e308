/** An idle Linux of 256 MiB where the distribution's kernel and busybox are here; else the guest that odorobo brings along, with as much memory. */
import { join } from "node:path";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import { linuxBoot } from "../../test/support/linux-guest.ts";
import { IS_UP, smallGuest } from "../small-guest.ts";

export interface IdleGuest {
  readonly spec: VmSpec;
  /** On its serial line, when it is up. */
  readonly isUp: string;
  readonly about: string;
}

/** `small`: the small one in any case. */
export async function idleGuest(scratch: string, small = false): Promise<IdleGuest> {
  const bare = { ...smallGuest("qemu"), memory: { sizeMiB: 256, maxMiB: 256 } };
  const moving: VmSpec = { ...bare, migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 120 } };
  const tiny = { spec: moving, isUp: IS_UP, about: "tiny guest, 256 MiB" };
  if (small) return tiny;
  try {
    const boot = await linuxBoot(join(scratch, "linux"), { idle: true });
    const ready = { kind: "serial", pattern: "LINUX-UP", timeoutSeconds: 300 } as const;
    return { spec: { ...moving, boot, ready }, isUp: "LINUX-UP", about: "Linux, 256 MiB" };
  } catch {
    return tiny;
  }
}
