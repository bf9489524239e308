/** The lists of a VmConfig whose items are devices on the PCI bus, and how each is known, added and taken away. */
import type { VmConfig } from "./vm-config.ts";

export type DeviceList = "disks" | "net" | "fs" | "generic_vhost_user" | "pmem" | "vdpa" | "devices" | "user_devices";

interface ListRow {
  readonly list: DeviceList;
  readonly endpoint:
    | "vm.add-disk"
    | "vm.add-net"
    | "vm.add-fs"
    | "vm.add-generic-vhost-user"
    | "vm.add-pmem"
    | "vm.add-vdpa"
    | "vm.add-device"
    | "vm.add-user-device";
  /** For people: one of them. */
  readonly noun: string;
  /** Its backend is reached through a socket and works in the guest's memory, which must be shared from boot on. */
  readonly needsSharedMemory: boolean;
  /** Adding one opens a path, which a process confined by Landlock may not if it was not named at the start. */
  readonly opensPath: boolean;
}

export const DEVICE_LISTS: readonly ListRow[] = [
  { list: "disks", endpoint: "vm.add-disk", noun: "disk", needsSharedMemory: false, opensPath: true },
  { list: "net", endpoint: "vm.add-net", noun: "NIC", needsSharedMemory: false, opensPath: false },
  { list: "fs", endpoint: "vm.add-fs", noun: "shared folder", needsSharedMemory: true, opensPath: false },
  {
    list: "generic_vhost_user",
    endpoint: "vm.add-generic-vhost-user",
    noun: "vhost-user device",
    needsSharedMemory: true,
    opensPath: false,
  },
  { list: "pmem", endpoint: "vm.add-pmem", noun: "persistent memory", needsSharedMemory: false, opensPath: true },
  { list: "vdpa", endpoint: "vm.add-vdpa", noun: "vDPA device", needsSharedMemory: false, opensPath: true },
  {
    list: "devices",
    endpoint: "vm.add-device",
    noun: "passed-through device",
    needsSharedMemory: false,
    opensPath: true,
  },
  {
    list: "user_devices",
    endpoint: "vm.add-user-device",
    noun: "vfio-user device",
    needsSharedMemory: true,
    opensPath: false,
  },
];

/** The guest's memory can be mapped by other processes: what vhost-user and vfio-user need. */
export function hasSharedMemory({ memory }: VmConfig): boolean {
  if (memory === undefined) return false;
  if (memory.shared === true || memory.hugepages === true) return true;
  const zones = memory.zones ?? [];
  return (
    memory.size === 0 && zones.length > 0 && zones.every((zone) => zone.shared === true || zone.hugepages === true)
  );
}
