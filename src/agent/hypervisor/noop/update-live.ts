/** What a running noop guest takes on of a new spec: everything that hotplug could do within the room it was booted with. Pure. */
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { Disk, DiskOrigin, VmSpec } from "../../../model/vm-spec.ts";

/** What cannot change in a running guest (kernel, room for growth, seed, passthrough) stays and is owed to the next boot. */
export function updateLive(live: LiveConfig, spec: VmSpec): LiveConfig {
  return {
    ...live,
    cpus: { ...live.cpus, count: Math.min(spec.cpus.count, live.cpus.max) },
    memory: { ...live.memory, sizeMiB: Math.min(spec.memory.sizeMiB, live.memory.maxMiB) },
    disks: spec.disks.map((wanted) => {
      const present = live.disks.find((disk) => disk.name === wanted.name);
      return present ? grown(present, wanted) : wanted;
    }),
    nics: spec.nics,
  };
}

/** A disk in use can only grow; one with other bytes or another mode of access would have to be another disk. */
function grown(present: Disk, wanted: Disk): Disk {
  const from = present.origin;
  const to = wanted.origin;
  if (present.readonly !== wanted.readonly || !isSized(from) || !isSized(to)) return present;
  if (to.sizeMiB < from.sizeMiB || !sameSource(from, to)) return present;
  return wanted;
}

type Sized = Exclude<DiskOrigin, { readonly kind: "external" }>;

const isSized = (origin: DiskOrigin): origin is Sized => origin.kind !== "external";

const sameSource = (a: Sized, b: Sized): boolean =>
  a.kind === "image" && b.kind === "image" ? a.path === b.path && a.format === b.format : a.kind === b.kind;
