/** Constraints of the devices of a VmConfig, one by one and among each other. Pure. */
import { DEVICE_LISTS, hasSharedMemory } from "./device-lists.ts";
import type { ConfigPath, ReportProblem } from "./problem.ts";
import { LAST_SLOT } from "./slots.ts";
import type { DeviceConfig, DiskConfig, IommuDevice, NetConfig, RateLimiterConfig, VmConfig } from "./vm-config.ts";

/** virtio-blk needs room for the status and at least one buffer. */
const SMALLEST_DISK_QUEUE = 2;
/** virtio-blk's serial number. */
const SERIAL_BYTES = 20;
/** virtio-fs's tag. */
const TAG_BYTES = 36;
/** IPv6 does not go below. */
const SMALLEST_MTU = 1280;
const PMEM_ALIGNMENT = 2 * 1024 * 1024;
const RESERVED_CIDS: ReadonlySet<number> = new Set([0, 1, 2, 0xffff_ffff]);

export function checkDevices(config: VmConfig, report: ReportProblem): void {
  checkIds(config, report);
  for (const { path, device } of pciDevices(config)) checkPlace(device, path, config, report);
  checkSlotsOnce(config, report);
  checkSharedMemory(config, report);
  for (const [index, group] of (config.rate_limit_groups ?? []).entries()) {
    const path = ["rate_limit_groups", index];
    if (group.id === "") report([...path, "id"], "a rate limit group has no name", "give it an id");
    checkLimiter(group.rate_limiter_config, [...path, "rate_limiter_config"], report);
  }
  for (const [index, disk] of (config.disks ?? []).entries()) checkDisk(disk, ["disks", index], config, report);
  for (const [index, net] of (config.net ?? []).entries()) checkNet(net, ["net", index], config, report);
  for (const [index, { num_queues = 1, queue_size = 1024, tag, iommu }] of (config.fs ?? []).entries()) {
    checkQueueCount(num_queues, ["fs", index, "num_queues"], config, report);
    checkQueueSize(queue_size, ["fs", index, "queue_size"], report);
    if (new TextEncoder().encode(tag).length > TAG_BYTES)
      report(["fs", index, "tag"], `the tag ${tag} has more than ${TAG_BYTES} bytes`, "give it a shorter one");
    checkNoIommu(iommu, ["fs", index], report);
  }
  for (const [index, { queue_sizes, iommu }] of (config.generic_vhost_user ?? []).entries()) {
    for (const [queue, size] of queue_sizes.entries())
      checkQueueSize(size, ["generic_vhost_user", index, "queue_sizes", queue], report);
    checkNoIommu(iommu, ["generic_vhost_user", index], report);
  }
  for (const [index, { size }] of (config.pmem ?? []).entries())
    if (size !== undefined && size % PMEM_ALIGNMENT !== 0)
      report(["pmem", index, "size"], `pmem size ${size} is no multiple of 2 MiB`, "round it to a multiple of 2097152");
  for (const [index, { iommu }] of (config.user_devices ?? []).entries())
    checkNoIommu(iommu, ["user_devices", index], report);
  checkOnce(config, "user_devices", "socket", report);
  checkOnce(config, "devices", "path", report);
  checkOnce(config, "fs", "tag", report);
  for (const [index, device] of (config.devices ?? []).entries()) checkVfio(device, ["devices", index], config, report);
  if (config.vsock !== undefined && RESERVED_CIDS.has(config.vsock.cid))
    report(["vsock", "cid"], `the vsock cid ${config.vsock.cid} is reserved`, "from 3 to 4294967294");
  const { ivshmem } = config;
  if (ivshmem !== undefined) {
    if (!isPowerOfTwo(ivshmem.size))
      report(["ivshmem", "size"], `ivshmem size ${ivshmem.size} is no power of two`, "such as 134217728");
    checkNoIommu(ivshmem.iommu, ["ivshmem"], report);
  }
}

interface Placed {
  readonly path: ConfigPath;
  readonly device: IommuDevice;
}

function* pciDevices(config: VmConfig): Iterable<Placed> {
  for (const { list } of DEVICE_LISTS)
    for (const [index, device] of (config[list] ?? []).entries()) yield { path: [list, index], device };
  for (const key of ["rng", "balloon", "vsock", "rtc", "console", "ivshmem"] as const) {
    const device = config[key];
    if (device !== undefined) yield { path: [key], device };
  }
}

/** One name space for devices, rate limit groups and memory zones. */
function checkIds(config: VmConfig, report: ReportProblem): void {
  const seen = new Map<string, ConfigPath>();
  const named = (id: string | undefined, path: ConfigPath) => {
    if (id === undefined) return;
    if (id.startsWith("__"))
      report([...path, "id"], `the id ${id} is reserved`, "do not begin it with two underscores");
    const before = seen.get(id);
    if (before !== undefined)
      report(
        [...path, "id"],
        `${kindOf(before)} and ${kindOf(path)} are both called ${id}: Cloud Hypervisor has one name space for all`,
        "give one of them another name",
      );
    else seen.set(id, path);
  };
  for (const { path, device } of pciDevices(config)) named(device.id, path);
  for (const [index, { id }] of (config.rate_limit_groups ?? []).entries()) named(id, ["rate_limit_groups", index]);
  for (const [index, { id }] of (config.memory?.zones ?? []).entries()) named(id, ["memory", "zones", index]);
}

function kindOf([list, second]: ConfigPath): string {
  if (list === "memory" || second === "zones") return "a memory zone";
  if (list === "rate_limit_groups") return "a rate limit group";
  const noun = DEVICE_LISTS.find((row) => row.list === list)?.noun ?? String(list);
  return /^NIC/.test(noun) ? `a ${noun}` : /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function checkPlace(device: IommuDevice, path: ConfigPath, config: VmConfig, report: ReportProblem): void {
  const segments = config.platform?.num_pci_segments ?? 1;
  const { pci_segment: segment = 0, pci_device_id: slot, iommu = false } = device;
  if (segment >= segments)
    report(
      [...path, "pci_segment"],
      `there is no PCI segment ${segment}: platform.num_pci_segments is ${segments}`,
      `raise platform.num_pci_segments to ${segment + 1}`,
    );
  if (slot === 0) report([...path, "pci_device_id"], "PCI slot 0 is the host bridge's", `from 1 to ${LAST_SLOT}`);
  else if (slot !== undefined && slot > LAST_SLOT)
    report([...path, "pci_device_id"], `there is no PCI slot ${slot}`, `from 1 to ${LAST_SLOT}`);
  if (!iommu && config.platform?.iommu_segments?.includes(segment))
    report(path, `PCI segment ${segment} is behind the virtual IOMMU, and this device is not`, "set its iommu: true");
}

function checkSlotsOnce(config: VmConfig, report: ReportProblem): void {
  const taken = new Set<string>();
  for (const { path, device } of pciDevices(config)) {
    if (device.pci_device_id === undefined) continue;
    const place = `${device.pci_segment ?? 0}:${device.pci_device_id}`;
    if (taken.has(place))
      report(
        [...path, "pci_device_id"],
        `another device has PCI slot ${device.pci_device_id} too`,
        "give it another slot, or leave pci_device_id out",
      );
    taken.add(place);
  }
}

function checkSharedMemory(config: VmConfig, report: ReportProblem): void {
  if (hasSharedMemory(config)) return;
  const refuse = (path: ConfigPath, what: string) =>
    report(path, `${what} works in the guest's memory, which is not shared`, "set memory.shared: true (or hugepages)");
  for (const list of ["disks", "net"] as const)
    for (const [index, { vhost_user }] of (config[list] ?? []).entries())
      if (vhost_user === true) refuse([list, index, "vhost_user"], "a vhost-user back end");
  for (const { list, noun, needsSharedMemory } of DEVICE_LISTS)
    if (needsSharedMemory && (config[list] ?? []).length > 0) refuse([list], `a ${noun}`);
}

function checkDisk(disk: DiskConfig, path: ConfigPath, config: VmConfig, report: ReportProblem): void {
  const { num_queues = 1, queue_size = 128, vhost_user = false } = disk;
  checkQueueCount(num_queues, [...path, "num_queues"], config, report);
  if (checkQueueSize(queue_size, [...path, "queue_size"], report) && queue_size <= SMALLEST_DISK_QUEUE)
    report([...path, "queue_size"], `queue_size ${queue_size} is too small for a disk`, "at least 4");
  if (disk.path !== undefined && disk.vhost_socket !== undefined)
    report([...path, "vhost_socket"], "a disk has either a path or a vhost_socket", "remove one of them");
  if (disk.path === undefined && disk.vhost_socket === undefined)
    report(path, "this disk has neither a path nor a vhost_socket", "add one of them");
  checkVhostUser(disk, path, report);
  if (vhost_user && disk.rate_limit_group !== undefined)
    report([...path, "rate_limit_group"], "Cloud Hypervisor cannot limit the rate of a vhost-user disk", "remove it");
  if (disk.rate_limiter_config !== undefined && disk.rate_limit_group !== undefined)
    report([...path, "rate_limit_group"], "a disk has either a limit of its own or a group's", "remove one of them");
  if (disk.rate_limiter_config !== undefined)
    checkLimiter(disk.rate_limiter_config, [...path, "rate_limiter_config"], report);
  const groups = (config.rate_limit_groups ?? []).map(({ id }) => id);
  if (disk.rate_limit_group !== undefined && !groups.includes(disk.rate_limit_group))
    report(
      [...path, "rate_limit_group"],
      `there is no rate limit group ${disk.rate_limit_group}`,
      groups.length === 0 ? "add it to rate_limit_groups" : `one of ${groups.join(", ")}`,
    );
  if (disk.serial !== undefined && new TextEncoder().encode(disk.serial).length > SERIAL_BYTES)
    report([...path, "serial"], `the serial number has more than ${SERIAL_BYTES} bytes`, "give it a shorter one");
  if (disk.backing_files === true && disk.image_type !== undefined && disk.image_type !== "Qcow2")
    report(
      [...path, "backing_files"],
      `only Qcow2 images have backing files, and this is ${disk.image_type}`,
      "remove it",
    );
  for (const [index, { queue_index }] of (disk.queue_affinity ?? []).entries())
    if (queue_index >= num_queues)
      report(
        [...path, "queue_affinity", index, "queue_index"],
        `there is no queue ${queue_index}: num_queues is ${num_queues}`,
        "queues count from 0",
      );
}

function checkNet(net: NetConfig, path: ConfigPath, config: VmConfig, report: ReportProblem): void {
  const { num_queues = 2, queue_size = 256, offload_csum = true, offload_tso = true, offload_ufo = true } = net;
  const vcpus = config.cpus?.boot_vcpus ?? 1;
  if (num_queues < 2 || num_queues % 2 !== 0)
    report([...path, "num_queues"], `a NIC has queues in pairs, and num_queues is ${num_queues}`, "2 for each pair");
  else if (num_queues / 2 > vcpus)
    report(
      [...path, "num_queues"],
      `${num_queues} queues are ${num_queues / 2} pairs, more than the ${count(vcpus)} that the guest boots with`,
      `at most ${2 * vcpus}, or more CPUs`,
    );
  if (net.fds !== undefined)
    report([...path, "fds"], "descriptors cannot be given in a configuration", "name a tap device: tap");
  checkQueueSize(queue_size, [...path, "queue_size"], report);
  checkVhostUser(net, path, report);
  if (net.rate_limiter_config !== undefined)
    checkLimiter(net.rate_limiter_config, [...path, "rate_limiter_config"], report);
  if (net.mtu !== undefined && net.mtu < SMALLEST_MTU)
    report([...path, "mtu"], `an MTU of ${net.mtu} is too small`, `at least ${SMALLEST_MTU}`);
  if (!offload_csum && (offload_tso || offload_ufo))
    report(
      [...path, "offload_csum"],
      "segmentation offload needs checksum offload",
      "set offload_tso: false and offload_ufo: false too",
    );
  if ((net.ip === undefined) !== (net.mask === undefined))
    report(
      path,
      `${net.ip === undefined ? "mask is given without ip" : "ip is given without mask"}`,
      "give both or none",
    );
  for (const field of ["mac", "host_mac"] as const) {
    const mac = net[field];
    if (mac !== undefined && !/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(mac))
      report([...path, field], `${mac} is no MAC address`, "such as 52:54:00:12:34:56");
  }
}

function checkVhostUser(device: DiskConfig | NetConfig, path: ConfigPath, report: ReportProblem): void {
  if (device.vhost_user !== true) return;
  if (device.vhost_socket === undefined)
    report([...path, "vhost_user"], "a vhost-user device needs the socket of its back end", "add vhost_socket");
  if (device.rate_limiter_config !== undefined)
    report(
      [...path, "rate_limiter_config"],
      "Cloud Hypervisor cannot limit the rate of a vhost-user device",
      "remove it: the back end may have limits of its own",
    );
  checkNoIommu(device.iommu, path, report);
}

function checkVfio(device: DeviceConfig, path: ConfigPath, config: VmConfig, report: ReportProblem): void {
  if (device.fd !== undefined)
    report([...path, "fd"], "descriptors cannot be given in a configuration", "name the device: path");
  else if (device.path === undefined) report(path, "this device has no path", "add the path of the device in sysfs");
  if (device.x_nv_gpudirect_clique !== undefined && config.platform?.vfio_p2p_dma === false)
    report([...path, "x_nv_gpudirect_clique"], "GPUDirect needs platform.vfio_p2p_dma", "set it to true");
  for (const [index, bar] of (device.x_exclude_mmap_bars ?? []).entries())
    if (bar > 5) report([...path, "x_exclude_mmap_bars", index], `there is no BAR ${bar}`, "from 0 to 5");
}

function checkLimiter({ bandwidth, ops }: RateLimiterConfig, path: ConfigPath, report: ReportProblem): void {
  if (bandwidth === undefined && ops === undefined)
    report(path, "this rate limit limits nothing", "add bandwidth or ops");
}

function checkQueueCount(queues: number, path: ConfigPath, config: VmConfig, report: ReportProblem): void {
  const vcpus = config.cpus?.boot_vcpus ?? 1;
  if (queues > vcpus)
    report(path, `${queues} queues are more than the ${count(vcpus)} that the guest boots with`, `at most ${vcpus}`);
}

const count = (vcpus: number): string => (vcpus === 1 ? "one CPU" : `${vcpus} CPUs`);

/** True when it can be one. */
function checkQueueSize(size: number, path: ConfigPath, report: ReportProblem): boolean {
  if (isPowerOfTwo(size)) return true;
  report(path, `a queue has a power of two of places, not ${size}`, "such as 128, 256 or 1024");
  return false;
}

function checkNoIommu(iommu: boolean | undefined, path: ConfigPath, report: ReportProblem): void {
  if (iommu === true)
    report(
      [...path, "iommu"],
      "a device with a back end outside the hypervisor cannot be behind the virtual IOMMU",
      "remove it",
    );
}

function checkOnce(
  config: VmConfig,
  list: "user_devices" | "devices" | "fs",
  key: string,
  report: ReportProblem,
): void {
  const seen = new Set<unknown>();
  for (const [index, item] of (config[list] ?? []).entries()) {
    const value = (item as unknown as Readonly<Record<string, unknown>>)[key];
    if (value !== undefined && seen.has(value))
      report([list, index, key], `${String(value)} is given twice`, "once is enough: remove one of them");
    seen.add(value);
  }
}

export const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));
