/** What keeps a guest of Cloud Hypervisor from being moved while it runs. Pure. */
import type { Movable } from "../../../../model/observed-state.ts";
import { ownDiskFile } from "../../../launch-command.ts";
import type { LaunchInput } from "../../hypervisor.ts";

/** Of what a fragment may add: devices of this very host, what another process of it serves, and memory in its files. */
const BOUND: readonly (readonly [key: string, why: string])[] = [
  ["devices", "it has a device of this host (VFIO)"],
  ["vdpa", "it has a device of this host (vDPA)"],
  ["user_devices", "it has a device that another process of this host serves"],
  ["generic_vhost_user", "it has a device that another process of this host serves"],
  ["fs", "it has a device that another process of this host serves"],
  ["pmem", "it has memory in a file of this host"],
  ["tpm", "its TPM is another process of this host"],
];

export function movable({ spec, paths }: Pick<LaunchInput, "spec" | "paths">): Movable {
  const own = spec.disks.find((disk) => ownDiskFile(paths, disk) !== null);
  if (own !== undefined)
    return { live: false, why: `its disk ${own.name} is kept on this node, and Cloud Hypervisor sends no disks` };
  const { passthrough } = spec;
  const bound = BOUND.find(([key]) => isThere(passthrough[key]));
  if (bound !== undefined) return { live: false, why: bound[1] };
  const words = JSON.stringify(passthrough);
  if (/"vhost_user":true/.test(words)) return { live: false, why: BOUND[2]?.[1] ?? "" };
  if (/"(?:tdx|sev_snp)":true/.test(words)) return { live: false, why: "its memory is hidden from its host" };
  if (/"zones":\[[^\]]*"file":"/.test(words)) return { live: false, why: "it has memory in a file of this host" };
  return { live: true };
}

const isThere = (value: unknown): boolean =>
  value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
