/** What a guest was asked to let go of and has not, and since when. */
import type { VmInfo } from "../../../model/cloud-hypervisor/api.ts";
import { heldDevices, type ListedDevice, listedDevices } from "../../../model/cloud-hypervisor/held-devices.ts";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import type { Instant } from "../../../model/names.ts";
import type { HeldDevice } from "../hypervisor.ts";
import type { Attached } from "./attached.ts";

/** Cloud Hypervisor's own devices, and the PCI side of others. */
const isInternal = (id: string): boolean => id.startsWith("__") || id.startsWith("_virtio-pci-");

/**
 * What we asked for is known as it was; what somebody else took away, as we would have made it.
 * `expected`: what the guest may have, worked out only when something is held.
 */
export function findHeld(info: VmInfo, { releasing }: Attached, expected: () => VmConfig): readonly ListedDevice[] {
  const { config, device_tree: tree = {} } = info;
  const configured = new Set(listedDevices(config).map(({ id }) => id));
  if (Object.keys(tree).every((id) => isInternal(id) || configured.has(id))) return [];
  return heldDevices(info, [...releasing, ...listedDevices(expected())]);
}

/** `seen`: when one that somebody else took away was first seen. */
export function describeHeld(
  { list, id }: ListedDevice,
  { disks, nics, releasing }: Attached,
  seen: (id: string) => Instant,
): HeldDevice {
  const since = releasing.find((each) => each.id === id)?.since ?? seen(id);
  if (list === "disks" && disks.some(({ name }) => name === id)) return { path: `disks.${id}`, since };
  if (list === "net" && nics.some(({ name }) => name === id)) return { path: `nics.${id}`, since };
  return { path: `passthrough.${list}`, since };
}
