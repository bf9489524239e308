/** Constraints of CPUs, memory, what is booted, consoles, NUMA and the platform. Pure. */
import { isPowerOfTwo } from "./check-devices.ts";
import type { ConfigPath, ReportProblem } from "./problem.ts";
import type {
  CpusConfig,
  MemoryConfig,
  MemoryZoneConfig,
  NumaConfig,
  PayloadConfig,
  PlatformConfig,
  VmConfig,
} from "./vm-config.ts";

/** KVM on x86_64. */
const MOST_CPUS = 8192;
const MOST_PCI_SEGMENTS = 96;
const PAGE = 4096;

export function checkMachine(config: VmConfig, report: ReportProblem): void {
  checkPayload(config.payload, report);
  if (config.cpus !== undefined) checkCpus(config.cpus, report);
  if (config.memory !== undefined) checkMemory(config.memory, report);
  const ram = totalRam(config.memory);
  if (config.balloon !== undefined && config.balloon.size >= ram)
    report(
      ["balloon", "size"],
      `the balloon (${config.balloon.size}) is not smaller than the memory (${ram})`,
      "make it smaller",
    );
  checkConsoles(config, report);
  checkNuma(config, report);
  if (config.platform !== undefined) checkPlatform(config.platform, report);
  checkSegments(config, report);
  checkConfidential(config, report);
  for (const [index, rule] of (config.landlock_rules ?? []).entries()) checkLandlock(rule, index, report);
}

function checkPayload(payload: PayloadConfig | undefined, report: ReportProblem): void {
  const { firmware, kernel, igvm } = payload ?? {};
  if (igvm !== undefined) {
    if (firmware !== undefined || kernel !== undefined)
      report(
        ["payload", "igvm"],
        "an IGVM file brings what is booted, and there is a firmware or kernel too",
        "keep one",
      );
  } else if (firmware !== undefined && kernel !== undefined)
    report(["payload", "kernel"], "a guest boots either firmware or a kernel", "remove one of them");
  else if (firmware === undefined && kernel === undefined)
    report(["payload"], "there is nothing to boot", "add payload.firmware or payload.kernel");
  for (const field of ["cmdline", "initramfs"] as const)
    if (firmware !== undefined && payload?.[field] !== undefined)
      report(
        ["payload", field],
        `${field} is for a kernel, and this guest boots firmware: it would be dropped`,
        "remove it",
      );
  if (payload?.host_data !== undefined && !/^[0-9a-fA-F]{64}$/.test(payload.host_data))
    report(["payload", "host_data"], "host_data is 64 hexadecimal digits", "write the 32 bytes in hexadecimal");
  for (const [index, item] of (payload?.fw_cfg_config?.items?.item_list ?? []).entries())
    if ((item.file === undefined) === (item.string === undefined))
      report(
        ["payload", "fw_cfg_config", "items", "item_list", index],
        `the item ${item.name} has ${item.file === undefined ? "neither file nor string" : "both file and string"}`,
        "give exactly one",
      );
}

function checkCpus({ boot_vcpus, max_vcpus, topology, affinity }: CpusConfig, report: ReportProblem): void {
  if (max_vcpus < boot_vcpus)
    report(
      ["cpus", "max_vcpus"],
      `at most ${max_vcpus} CPUs, and the guest boots with ${boot_vcpus}`,
      `at least ${boot_vcpus}`,
    );
  if (max_vcpus > MOST_CPUS) report(["cpus", "max_vcpus"], `${max_vcpus} CPUs are too many`, `at most ${MOST_CPUS}`);
  for (const [index, { vcpu }] of (affinity ?? []).entries())
    if (vcpu >= max_vcpus)
      report(
        ["cpus", "affinity", index, "vcpu"],
        `there is no CPU ${vcpu}: max_vcpus is ${max_vcpus}`,
        "they count from 0",
      );
  if (topology === undefined) return;
  const { threads_per_core, cores_per_die, dies_per_package, packages } = topology;
  const total = threads_per_core * cores_per_die * dies_per_package * packages;
  if (total === 0) report(["cpus", "topology"], "no part of a topology may be 0", "write 1 where there is one");
  else if (total !== max_vcpus)
    report(
      ["cpus", "topology"],
      `the topology has ${threads_per_core} × ${cores_per_die} × ${dies_per_package} × ${packages} = ${total} CPUs, and max_vcpus is ${max_vcpus}`,
      "make the product equal cpus.max",
    );
  if (threads_per_core > 2)
    report(["cpus", "topology", "threads_per_core"], `a core has no ${threads_per_core} threads`, "1 or 2");
}

function checkMemory(memory: MemoryConfig, report: ReportProblem): void {
  const { size, zones = [], hotplug_method = "Acpi" } = memory;
  if (size === 0 && zones.length === 0)
    report(["memory", "size"], "the guest has no memory", "give it a size, or zones");
  if (size !== 0 && zones.length > 0)
    report(["memory", "size"], "memory has either a size or zones", "set size: 0: zones bring their own");
  checkPages(memory, ["memory"], report);
  checkRoom(memory, hotplug_method, ["memory"], report);
  for (const [index, zone] of zones.entries()) checkZone(zone, ["memory", "zones", index], hotplug_method, report);
  if (zones.length > 0 && memory.hotplug_size !== undefined)
    report(
      ["memory", "hotplug_size"],
      "room to grow is each zone's own",
      "set hotplug_size of the zones, with VirtioMem",
    );
}

function checkZone(
  zone: MemoryZoneConfig,
  path: ConfigPath,
  method: NonNullable<MemoryConfig["hotplug_method"]>,
  report: ReportProblem,
): void {
  if (zone.id === "") report([...path, "id"], "a memory zone has no name", "give it an id");
  if (zone.size === 0) report([...path, "size"], `the memory zone ${zone.id} is empty`, "give it a size");
  checkPages(zone, path, report);
  checkRoom(zone, method, path, report);
  if (zone.hotplug_size !== undefined && method === "Acpi")
    report([...path, "hotplug_size"], "zones grow by virtio-mem only", "set memory.hotplug_method: VirtioMem");
  if (zone.shared === true && zone.file !== undefined && zone.host_numa_node !== undefined)
    report(
      [...path, "host_numa_node"],
      "a shared zone in a file cannot be bound to a NUMA node of the host",
      "remove one",
    );
}

type Pages = Pick<MemoryConfig, "size" | "shared" | "mergeable" | "hugepages" | "hugepage_size">;

function checkPages(
  { size, shared, mergeable, hugepages, hugepage_size }: Pages,
  path: ConfigPath,
  report: ReportProblem,
): void {
  if (shared === true && mergeable === true)
    report([...path, "mergeable"], "shared memory cannot be merged with that of others", "remove shared or mergeable");
  if (hugepage_size !== undefined && hugepages !== true)
    report([...path, "hugepage_size"], "hugepage_size means nothing without hugepages", "set hugepages: true");
  if (hugepage_size !== undefined && !isPowerOfTwo(hugepage_size))
    report(
      [...path, "hugepage_size"],
      `a page has a power of two of bytes, not ${hugepage_size}`,
      "2097152 or 1073741824",
    );
  const page = hugepages === true ? (hugepage_size ?? PAGE) : PAGE;
  if (size % page !== 0)
    report([...path, "size"], `${size} bytes are no whole number of pages of ${page} bytes`, "round it to whole pages");
}

type Room = Pick<MemoryConfig, "hotplug_size" | "hotplugged_size">;

function checkRoom(
  { hotplug_size, hotplugged_size }: Room,
  method: NonNullable<MemoryConfig["hotplug_method"]>,
  path: ConfigPath,
  report: ReportProblem,
): void {
  if (hotplug_size === 0) report([...path, "hotplug_size"], "room for nothing", "leave hotplug_size out");
  if (hotplugged_size === undefined) return;
  const at = [...path, "hotplugged_size"];
  if (hotplug_size === undefined) report(at, "memory is plugged and there is no room for it", "add hotplug_size");
  else if (hotplugged_size > hotplug_size)
    report(at, `${hotplugged_size} bytes are plugged and there is room for ${hotplug_size}`, "raise hotplug_size");
  if (method === "Acpi")
    report(at, "only virtio-mem boots with plugged memory", "set memory.hotplug_method: VirtioMem");
}

/** Some of these make the hypervisor panic when it reads them. */
function checkConsoles(config: VmConfig, report: ReportProblem): void {
  for (const line of ["serial", "console", "debug_console"] as const) {
    const device: { readonly mode: string; readonly file?: string; readonly socket?: string } | undefined =
      config[line];
    if (device?.mode === "File" && device.file === undefined)
      report([line], `${line} writes to a file, and none is named`, `add ${line}.file`);
    if (device?.mode !== "Socket") continue;
    if (line !== "serial") report([line, "mode"], `${line} cannot be a socket: only serial can`, "use File or Pty");
    else if (device.socket === undefined) report([line], "serial is a socket, and none is named", "add serial.socket");
  }
}

function checkNuma({ numa = [], memory, platform, cpus, pci_segments: _ }: VmConfig, report: ReportProblem): void {
  const zones = new Set((memory?.zones ?? []).map(({ id }) => id));
  const nodes = new Set<number>();
  const usedZones = new Map<string, number>();
  const usedSegments = new Map<number, number>();
  for (const [index, node] of numa.entries()) {
    const path = ["numa", index];
    const { guest_numa_id: id } = node;
    if (nodes.has(id)) report([...path, "guest_numa_id"], `there are two NUMA nodes ${id}`, "number them differently");
    nodes.add(id);
    checkNumaNode(node, path, report);
    for (const [place, zone] of (node.memory_zones ?? []).entries()) {
      const at = [...path, "memory_zones", place];
      if (!zones.has(zone)) report(at, `there is no memory zone ${zone}`, "add it to memory.zones");
      else if (usedZones.has(zone))
        report(at, `the memory zone ${zone} is node ${usedZones.get(zone)}'s`, "a zone is in one node");
      usedZones.set(zone, id);
    }
    for (const [place, segment] of (node.pci_segments ?? []).entries()) {
      const at = [...path, "pci_segments", place];
      const segments = platform?.num_pci_segments ?? 1;
      if (segment >= segments)
        report(at, `there is no PCI segment ${segment}`, `raise platform.num_pci_segments to ${segment + 1}`);
      if (segment === 0 && id !== 0) report(at, "PCI segment 0 belongs to NUMA node 0", "use another segment");
      if (usedSegments.has(segment))
        report(at, `PCI segment ${segment} is node ${usedSegments.get(segment)}'s`, "a segment is in one node");
      usedSegments.set(segment, id);
    }
    for (const [place, cpu] of (node.cpus ?? []).entries())
      if (cpu >= (cpus?.max_vcpus ?? 1))
        report(
          [...path, "cpus", place],
          `there is no CPU ${cpu}: max_vcpus is ${cpus?.max_vcpus ?? 1}`,
          "they count from 0",
        );
  }
}

function checkNumaNode({ device_id, cpus, memory_zones }: NumaConfig, path: ConfigPath, report: ReportProblem): void {
  if (device_id !== undefined && (cpus !== undefined || memory_zones !== undefined))
    report([...path, "device_id"], "a NUMA node has either a device or CPUs and memory", "remove one of them");
  else if (device_id === undefined && cpus === undefined && memory_zones === undefined)
    report(path, "this NUMA node has nothing", "add cpus, memory_zones or device_id");
  if (device_id === "") report([...path, "device_id"], "device_id is empty", "name a device by its id");
  for (const [key, list] of [
    ["cpus", cpus],
    ["memory_zones", memory_zones],
  ] as const)
    if (list?.length === 0) report([...path, key], `${key} of this NUMA node is empty`, "leave it out");
}

function checkPlatform(platform: PlatformConfig, report: ReportProblem): void {
  const { num_pci_segments: segments = 1, iommu_segments = [], iommu_address_width_bits: bits = 64 } = platform;
  if (segments < 1 || segments > MOST_PCI_SEGMENTS)
    report(["platform", "num_pci_segments"], `${segments} PCI segments cannot be`, `from 1 to ${MOST_PCI_SEGMENTS}`);
  for (const [index, segment] of iommu_segments.entries())
    if (segment >= segments)
      report(
        ["platform", "iommu_segments", index],
        `there is no PCI segment ${segment}`,
        `raise num_pci_segments to ${segment + 1}`,
      );
  if (bits > 64) report(["platform", "iommu_address_width_bits"], `an address has no ${bits} bits`, "at most 64");
  if (platform.iommufd_fd !== undefined)
    report(["platform", "iommufd_fd"], "descriptors cannot be given in a configuration", "remove it");
  for (const [old, now] of [
    ["serial_number", "system_serial_number"],
    ["uuid", "system_uuid"],
  ] as const)
    if (platform[old] !== undefined && platform[now] !== undefined)
      report(["platform", old], `${old} is the older word for ${now}, and both are given`, "keep one");
}

function checkSegments({ pci_segments = [], platform }: VmConfig, report: ReportProblem): void {
  const segments = platform?.num_pci_segments ?? 1;
  for (const [
    index,
    { pci_segment, mmio32_aperture_weight = 1, mmio64_aperture_weight = 1 },
  ] of pci_segments.entries()) {
    if (pci_segment >= segments)
      report(
        ["pci_segments", index, "pci_segment"],
        `there is no PCI segment ${pci_segment}`,
        `raise platform.num_pci_segments to ${pci_segment + 1}`,
      );
    for (const [key, weight] of Object.entries({ mmio32_aperture_weight, mmio64_aperture_weight }))
      if (weight === 0)
        report(["pci_segments", index, key], `${key} is 0: the segment would have no room`, "at least 1");
  }
}

function checkConfidential({ platform, payload, cpus }: VmConfig, report: ReportProblem): void {
  if (platform?.tdx === true && platform.sev_snp === true)
    report(["platform", "sev_snp"], "a guest is protected by TDX or by SEV-SNP, not both", "remove one of them");
  if (platform?.tdx === true) {
    if (payload?.firmware === undefined)
      report(["platform", "tdx"], "a TDX guest boots firmware", "add payload.firmware");
    if (cpus !== undefined && cpus.max_vcpus !== cpus.boot_vcpus)
      report(["cpus", "max_vcpus"], "a TDX guest cannot be given more CPUs later", "make max_vcpus equal boot_vcpus");
  }
  if (platform?.sev_snp === true && payload?.igvm === undefined)
    report(["platform", "sev_snp"], "a SEV-SNP guest boots an IGVM file", "add payload.igvm");
}

function checkLandlock({ path, access }: { path: string; access: string }, index: number, report: ReportProblem): void {
  if (!["r", "w", "rw", "wr"].includes(access))
    report(
      ["landlock_rules", index, "access"],
      `landlock knows no access ${JSON.stringify(access)}`,
      "one of r, w, rw",
    );
  if (!path.startsWith("/"))
    report(["landlock_rules", index, "path"], `${path} is no absolute path`, "begin it with /");
}

/** Bytes that the guest boots with. */
export function totalRam(memory: MemoryConfig | undefined): number {
  if (memory === undefined) return 512 * 1024 * 1024;
  const parts = memory.zones === undefined || memory.zones.length === 0 ? [memory] : memory.zones;
  return parts.reduce((sum, { size, hotplugged_size = 0 }) => sum + size + hotplugged_size, 0);
}
