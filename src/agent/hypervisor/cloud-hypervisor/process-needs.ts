/** VmConfig → what the process uses of its host, for supervisors that hold it to that. Pure. */
import { dirname } from "node:path";
import type { VmConfig } from "../../../model/cloud-hypervisor/vm-config.ts";
import type { ProcessNeeds } from "../../launch-command.ts";
import type { LaunchInput } from "../hypervisor.ts";

const MIB = 1024 * 1024;

/**
 * What the process needs beside the guest's memory: its own code and queues (30 MiB when idle, more with many devices), and
 * 1/64 of the guest's for page tables of both kinds (1/512 each) with room to spare. Page cache of its disks counts too, but
 * the kernel takes that back before it ends anybody.
 */
const OWN_MIB = 256;
const SHARE_OF_GUEST = 64;

export function processNeeds(
  config: VmConfig,
  { spec, images = {} }: Pick<LaunchInput, "spec" | "images">,
): ProcessNeeds {
  const reads = new Set<string>();
  const writes = new Set<string>();
  const devices = new Set<string>(["/dev/kvm"]);
  const capabilities = new Set<string>();
  const uses = (path: string | undefined, access: "r" | "w"): void => {
    if (path === undefined) return;
    if (path.startsWith("/dev/")) devices.add(path);
    (access === "r" ? reads : writes).add(path);
  };

  const { payload } = config;
  for (const path of [payload?.firmware, payload?.kernel, payload?.initramfs, payload?.igvm]) uses(path, "r");
  for (const disk of config.disks ?? []) {
    uses(disk.path, disk.readonly === true ? "r" : "w");
    uses(disk.vhost_socket, "w");
  }
  // An overlay opens the image that it stands on.
  for (const { name, origin } of spec.disks)
    if (origin.kind === "image") for (const path of images[name] ?? [origin.path]) uses(path, "r");
  for (const net of config.net ?? []) {
    uses(net.vhost_socket, "w");
    if (net.vhost_user === true) continue;
    devices.add("/dev/net/tun");
    // A tap that is there and up needs no rights; to make one, or to change it, does.
    const changes = [net.ip, net.mask, net.host_mac, net.mtu].some((each) => each !== undefined);
    if (net.tap === undefined || changes) capabilities.add("NET_ADMIN");
  }
  for (const pmem of config.pmem ?? []) uses(pmem.file, pmem.discard_writes === true ? "r" : "w");
  for (const zone of config.memory?.zones ?? []) uses(zone.file, "w");
  for (const { socket } of [...(config.fs ?? []), ...(config.generic_vhost_user ?? []), ...(config.user_devices ?? [])])
    uses(socket, "w");
  uses(config.tpm?.socket, "w");
  // It makes this one, and those of the guest's connections beside it.
  if (config.vsock !== undefined) uses(dirname(config.vsock.socket), "w");
  for (const { path } of config.vdpa ?? []) uses(path, "w");
  for (const { path } of config.devices ?? []) {
    uses(path, "r");
    devices.add("/dev/vfio/vfio").add("char-vfio");
  }
  if ((config.vdpa ?? []).length + (config.devices ?? []).length > 0) capabilities.add("IPC_LOCK");
  for (const { path, access } of config.landlock_rules ?? []) uses(path, access.includes("w") ? "w" : "r");
  if (config.rng !== undefined && config.rng.src !== "/dev/urandom") uses(config.rng.src, "r");

  return {
    reads: [...reads].filter((path) => !writes.has(path)).sort(),
    writes: [...writes].sort(),
    devices: [...devices].sort(),
    capabilities: [...capabilities].sort(),
    memoryMaxMiB: memoryMaxMiB(config),
    cpuWeight: spec.weights.cpu,
    ioWeight: spec.weights.io,
  };
}

/** Null where memory is lent from elsewhere: whose account that goes to is the host's affair. */
function memoryMaxMiB({ memory }: VmConfig): number | null {
  if (memory === undefined || (memory.zones ?? []).some((zone) => zone.file !== undefined)) return null;
  const parts = [memory, ...(memory.zones ?? [])];
  const bytes = parts.reduce((sum, { size, hotplug_size: more }) => sum + size + (more ?? 0), 0);
  const guest = Math.ceil(bytes / MIB);
  return guest + OWN_MIB + Math.ceil(guest / SHARE_OF_GUEST);
}
