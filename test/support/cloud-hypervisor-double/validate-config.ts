/** What the real one checks at vm.boot and at each vm.add-*, in its order; vm.create checks nothing of it. */
import { existsSync } from "node:fs";
import { Refusal } from "./refusal.ts";
import type {
  DiskConfig,
  GenericVhostUserConfig,
  MemoryConfig,
  NetConfig,
  PciDevice,
  RateLimiter,
  VmConfig,
} from "./vm-config.ts";

const MAX_CPUS = 8192;
const MAX_SEGMENTS = 96;
const MAX_SERIAL = 20;
const MIN_BLOCK_QUEUE = 2;
const MIN_MTU = 1280;
const RESERVED_CIDS = [0, 1, 2, 0xffff_ffff];

const invalid = (why: string): Refusal => new Refusal("invalid config", why);

/** All identifiers that the config names. Changes the config as the real one does: firmware drops cmdline, a device's iommu turns the VM's on. */
export function validateConfig(config: VmConfig): ReadonlySet<string> {
  const ids = new Set<string>();
  checkPayload(config);
  if (config.console.mode === "File" && config.console.file === undefined)
    throw invalid("Path missing when using file console mode");
  if (config.serial.mode === "File" && config.serial.file === undefined)
    throw invalid("Path missing when using file console mode");
  const { boot_vcpus: boot, max_vcpus: max } = config.cpus;
  if (max < boot) throw invalid(`Max CPUs (${max}) lower than boot CPUs (${boot})`);
  if (max > MAX_CPUS) throw invalid(`Too many CPUs: specified ${max} but ${MAX_CPUS} is the limit`);
  for (const group of config.rate_limit_groups ?? []) {
    if (group.id === "" || !limitsAnything(group.rate_limiter_config)) throw invalid("Invalid rate-limiter group");
    addId(ids, group.id);
  }
  for (const disk of config.disks ?? []) checkDisk(config, disk, ids);
  for (const nic of config.net ?? []) checkNic(config, nic, ids);
  needSharedMemory(config, config.fs);
  for (const fs of config.fs ?? []) {
    checkQueues(config, fs.num_queues, fs.num_queues);
    checkQueueSize(fs.queue_size);
    refuseIommu(fs);
    checkDevice(config, fs, ids);
  }
  needSharedMemory(config, config.generic_vhost_user);
  for (const device of config.generic_vhost_user ?? []) checkGenericVhostUser(config, device, ids);
  for (const pmem of config.pmem ?? []) checkDevice(config, pmem, ids);
  checkDevice(config, config.rng, ids);
  if (config.rtc !== undefined) checkDevice(config, config.rtc, ids);
  checkDevice(config, config.console, ids);
  checkTopology(config);
  checkMemory(config.memory);
  if ((config.user_devices ?? []).length > 0 && !isShared(config.memory)) {
    throw invalid("Using user devices requires using shared memory or huge pages");
  }
  for (const device of config.user_devices ?? []) {
    refuseIommu(device);
    checkDevice(config, device, ids);
  }
  for (const vdpa of config.vdpa ?? []) checkDevice(config, vdpa, ids);
  if (config.vsock !== undefined && RESERVED_CIDS.includes(config.vsock.cid)) {
    throw invalid(`${config.vsock.cid} is a special VSOCK CID`);
  }
  if (config.balloon !== undefined) {
    checkDevice(config, config.balloon, ids);
    const ram = totalMemory(config.memory);
    if (config.balloon.size >= ram) throw invalid(`Balloon size (${config.balloon.size}) greater than RAM (${ram})`);
  }
  checkPassedThrough(config, ids);
  if (config.vsock !== undefined) checkDevice(config, config.vsock, ids);
  checkNuma(config);
  for (const zone of config.memory.zones ?? []) addId(ids, zone.id);
  checkSegments(config);
  for (const rule of config.landlock_rules ?? []) {
    if (!existsSync(rule.path))
      throw invalid(`Path ${JSON.stringify(rule.path)} provided in landlock-rules does not exist`);
    if (!/^(r|w|rw)$/.test(rule.access)) throw invalid(`Invalid landlock access: Wrong access ${rule.access}`);
  }
  return ids;
}

export function isShared(memory: MemoryConfig): boolean {
  if (memory.shared || memory.hugepages) return true;
  return memory.size === 0 && (memory.zones ?? []).every((zone) => zone.shared || zone.hugepages);
}

/** With what is hot-plugged, of all zones. */
export function totalMemory(memory: MemoryConfig): number {
  const zones = memory.zones ?? [];
  const own = memory.size + (memory.hotplugged_size ?? 0);
  return zones.reduce((sum, zone) => sum + zone.size + (zone.hotplugged_size ?? 0), own);
}

function checkPayload(config: VmConfig): void {
  const payload = config.payload;
  const unbootable = (why: string): Refusal =>
    new Refusal("invalid config", "Payload configuration is not bootable", why);
  if (payload === undefined || (payload.firmware === undefined && payload.kernel === undefined)) {
    throw unbootable("No bootitem provided: neither firmware nor kernel");
  }
  if (payload.firmware === undefined) return;
  if (payload.kernel !== undefined) {
    throw unbootable("Specifying a kernel is not supported when a firmware is provided");
  }
  delete payload.cmdline;
  delete payload.initramfs;
}

function addId(ids: Set<string>, id: string): void {
  // Their wording.
  if (id.startsWith("__")) throw invalid(`Identifier ${id} is not invalid`);
  if (ids.has(id)) throw new Refusal("not unique", `Identifier ${id} is not unique`);
  ids.add(id);
}

/** What every PCI device has. */
function checkDevice(config: VmConfig, device: PciDevice, ids: Set<string>): void {
  const segment = device.pci_segment;
  if (segment >= (config.platform?.num_pci_segments ?? 1)) throw invalid(`Invalid PCI segment id: ${segment}`);
  if (config.platform?.iommu_segments?.includes(segment) && !device.iommu) {
    throw invalid(`Device is on an IOMMU PCI segment (${segment}) but not placed behind IOMMU`);
  }
  const slot = device.pci_device_id;
  if (slot !== undefined && slot > 31)
    throw invalid(`Given PCI device ID (${slot}) is out of the supported range of 0..32`);
  if (slot === 0) throw invalid(`Given PCI device ID (${slot}) is reserved`);
  if (device.id !== undefined) addId(ids, device.id);
  if (device.iommu) config.iommu = true;
}

const limitsAnything = (limiter: RateLimiter): boolean => limiter.bandwidth !== undefined || limiter.ops !== undefined;

function checkDisk(config: VmConfig, disk: DiskConfig, ids: Set<string>): void {
  if (disk.vhost_socket !== undefined && disk.path !== undefined)
    throw invalid("Disk path and vhost socket both provided");
  checkVhostUser(config, disk, disk.rate_limiter_config !== undefined || disk.rate_limit_group !== undefined);
  const group = disk.rate_limit_group;
  if (group !== undefined && !config.rate_limit_groups?.some(({ id }) => id === group))
    throw invalid("Invalid rate-limiter group");
  checkQueues(config, disk.num_queues, disk.num_queues);
  checkQueueSize(disk.queue_size);
  if (disk.queue_size <= MIN_BLOCK_QUEUE)
    throw invalid(`Block queue size must be greater than ${MIN_BLOCK_QUEUE}: ${disk.queue_size}`);
  if (disk.vhost_user) refuseIommu(disk);
  if (disk.rate_limiter_config !== undefined && group !== undefined) throw invalid("Invalid rate-limiter group");
  const serial = Buffer.byteLength(disk.serial ?? "");
  if (serial > MAX_SERIAL)
    throw invalid(`Block device serial length (${serial}) exceeds maximum allowed length (${MAX_SERIAL})`);
  checkDevice(config, disk, ids);
}

function checkNic(config: VmConfig, nic: NetConfig, ids: Set<string>): void {
  checkVhostUser(config, nic, nic.rate_limiter_config !== undefined);
  if (nic.num_queues < 2) throw invalid(`Number of queues (${nic.num_queues}) to virtio_net should be higher than 2`);
  checkQueues(config, Math.floor(nic.num_queues / 2), nic.num_queues);
  checkQueueSize(nic.queue_size);
  if (nic.vhost_user) refuseIommu(nic);
  if (nic.mtu !== undefined && nic.mtu < MIN_MTU)
    throw invalid(`Provided MTU ${nic.mtu} is lower than 1280 (expected by VIRTIO specification)`);
  if (!nic.offload_csum && (nic.offload_tso || nic.offload_ufo))
    throw invalid('"offload_tso" and "offload_ufo" depend on "offload_csum"');
  if (nic.mask !== undefined && nic.ip === undefined) throw invalid("Mask provided without an IP");
  if (nic.ip !== undefined && nic.mask === undefined) throw invalid("IP provided without a mask");
  checkDevice(config, nic, ids);
}

function checkGenericVhostUser(config: VmConfig, device: GenericVhostUserConfig, ids: Set<string>): void {
  refuseIommu(device);
  for (const size of device.queue_sizes) checkQueueSize(size);
  checkDevice(config, device, ids);
}

function checkVhostUser(
  config: VmConfig,
  device: { readonly vhost_user: boolean; readonly vhost_socket?: string },
  isLimited: boolean,
): void {
  if (!device.vhost_user) return;
  needSharedMemory(config, [device]);
  if (device.vhost_socket === undefined) throw invalid("No socket provided when using vhost-user");
  if (isLimited) throw invalid("Rate limiting is not supported with vhost-user");
}

function needSharedMemory(config: VmConfig, devices: readonly unknown[] | undefined): void {
  if ((devices ?? []).length > 0 && !isShared(config.memory)) {
    throw invalid("Using vhost-user requires using shared memory or huge pages");
  }
}

function checkQueues(config: VmConfig, queues: number, told: number): void {
  const vcpus = config.cpus.boot_vcpus;
  if (queues > vcpus) throw invalid(`Queue count (${told}) must not exceed boot vCPUs (${vcpus})`);
}

function checkQueueSize(size: number): void {
  if (!isPowerOfTwo(size)) throw invalid(`Queue size must be a power of 2 no greater than 32768: ${size}`);
}

function refuseIommu(device: PciDevice): void {
  if (device.iommu) throw invalid("Device does not support being placed behind IOMMU");
}

const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));

function checkTopology(config: VmConfig): void {
  const topology = config.cpus.topology;
  if (topology === undefined) return;
  const parts = [topology.threads_per_core, topology.cores_per_die, topology.dies_per_package, topology.packages];
  if (parts.includes(0)) throw invalid("No part of the CPU topology can be zero");
  if (topology.threads_per_core > 2) throw invalid("CPU topology supports at most 2 threads per core");
  if (parts.reduce((product, part) => product * part, 1) !== config.cpus.max_vcpus) {
    throw invalid("Product of CPU topology parts does not match maximum vCPU");
  }
}

function checkMemory(memory: MemoryConfig): void {
  if (memory.hugepage_size !== undefined) {
    if (!memory.hugepages) throw invalid("Huge page size specified but huge pages not enabled");
    if (!isPowerOfTwo(memory.hugepage_size)) throw invalid(`Huge page size is not power of 2: ${memory.hugepage_size}`);
  }
  if ([memory, ...(memory.zones ?? [])].some((each) => each.shared && each.mergeable)) {
    throw invalid("Invalid to set both 'mergeable' and 'shared' for memory");
  }
}

function checkPassedThrough(config: VmConfig, ids: Set<string>): void {
  const paths = new Set<string>();
  for (const device of config.devices ?? []) {
    if (device.path === undefined) throw invalid("VFIO device config must specify `path=` or `fd=`");
    if (paths.has(device.path)) throw new Refusal("not unique", `Duplicated device path: ${device.path}`);
    paths.add(device.path);
    const bar = device.x_exclude_mmap_bars?.find((each) => each > 5);
    if (bar !== undefined) throw invalid(`Invalid VFIO excluded-mmap BAR index: ${bar}`);
    checkDevice(config, device, ids);
  }
}

function checkNuma(config: VmConfig): void {
  const zoneOwners = new Map<string, number>();
  const segmentOwners = new Map<number, number>();
  for (const node of config.numa ?? []) {
    const id = node.guest_numa_id;
    const problem = numaProblem(node);
    if (problem !== null) throw invalid(`Invalid NUMA configuration: ${problem}`);
    for (const zone of node.memory_zones ?? []) {
      const owner = zoneOwners.get(zone);
      if (owner !== undefined) throw invalid(`Memory zone: ${zone} belongs to multiple NUMA nodes: ${owner} and ${id}`);
      zoneOwners.set(zone, id);
    }
    for (const segment of node.pci_segments ?? []) {
      if (segment >= (config.platform?.num_pci_segments ?? 1)) throw invalid(`Invalid PCI segment id: ${segment}`);
      if (segment === 0 && id !== 0) throw invalid(`Default PCI segment assigned to non-zero NUMA node ${id}`);
      const owner = segmentOwners.get(segment);
      if (owner !== undefined)
        throw invalid(`PCI segment: ${segment} belongs to multiple NUMA nodes ${owner} and ${id}`);
      segmentOwners.set(segment, id);
    }
  }
}

function numaProblem(node: NonNullable<VmConfig["numa"]>[number]): string | null {
  const { device_id, cpus, memory_zones } = node;
  if (device_id !== undefined && (cpus !== undefined || memory_zones !== undefined)) {
    return "device_id cannot be combined with cpus or memory_zones";
  }
  if (device_id !== undefined) return device_id === "" ? "device_id in numa config cannot be empty" : null;
  if (cpus !== undefined) return cpus.length === 0 ? "cpus list in numa config cannot be empty" : null;
  if (memory_zones !== undefined)
    return memory_zones.length === 0 ? "memory_zones in numa config cannot be empty" : null;
  return "numa config must have cpus, memory_zones or device_id";
}

function checkSegments(config: VmConfig): void {
  const count = config.platform?.num_pci_segments ?? 1;
  for (const segment of config.pci_segments ?? []) {
    if (segment.pci_segment >= count) throw invalid(`Invalid PCI segment id: ${segment.pci_segment}`);
    const weights = [segment.mmio32_aperture_weight, segment.mmio64_aperture_weight];
    if (weights.includes(0)) throw invalid("Invalid PCI segment aperture weight: 0");
  }
  const platform = config.platform;
  if (platform === undefined) return;
  if (count === 0 || count > MAX_SEGMENTS)
    throw invalid(`Number of PCI segments (${count}) not in range of 1 to ${MAX_SEGMENTS}`);
  const stray = platform.iommu_segments?.find((segment) => segment >= count);
  if (stray !== undefined) throw invalid(`Invalid PCI segment id: ${stray}`);
  if (platform.iommu_address_width_bits > 64) {
    throw invalid(
      `IOMMU address width in bits (${platform.iommu_address_width_bits}) should be less than or equal to 64`,
    );
  }
  if (platform.iommu_segments !== undefined) config.iommu = true;
}
