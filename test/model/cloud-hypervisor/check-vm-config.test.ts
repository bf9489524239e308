/** Each constraint of a VmConfig, one by one: the smallest config that breaks it, where it is said to be broken, and nothing else said. */
import { describe, expect, test } from "vitest";
import { totalRam } from "../../../src/model/cloud-hypervisor/check-machine.ts";
import { bodyLimit, checkVmConfig } from "../../../src/model/cloud-hypervisor/check-vm-config.ts";
import { pathText } from "../../../src/model/cloud-hypervisor/problem.ts";
import type { VmConfig } from "../../../src/model/cloud-hypervisor/vm-config.ts";
import { asVmInfoSays, configOf, MIB, nic, overlay } from "./any-vm.ts";

const GOOD = {
  payload: { kernel: "/boot/vmlinux" },
  memory: { size: 512 * MIB },
  cpus: { boot_vcpus: 1, max_vcpus: 2 },
};
const SHARED = { memory: { size: 512 * MIB, shared: true } };

/** Untyped, as it comes from a manifest or over the wire. */
const problemsOf = (config: object, version: string | null = null) =>
  checkVmConfig({ ...GOOD, ...config } as VmConfig, { version }).map(
    ({ path, message }) => `${pathText(path)}: ${message}`,
  );

test("nothing is wrong with a good one, in any version", () => {
  expect(problemsOf({})).toEqual([]);
  for (const version of ["50.0", "51.0.0", "v52.0", "53.0.0", "54.0-dirty", "main"])
    expect(problemsOf({}, version)).toEqual([]);
});

const zone = (over: object = {}) => ({ id: "z0", size: 512 * MIB, ...over });
const zoned = (over: object = {}, memory: object = {}) => ({ memory: { size: 0, zones: [zone(over)], ...memory } });
const disk = (over: object = {}) => ({ disks: [{ path: "/d.raw", ...over }] });
const net = (over: object = {}) => ({ net: [{ tap: "tap0", ...over }] });
const limit = { bandwidth: { size: 1, refill_time: 1000 } };

const CONSTRAINTS: readonly (readonly [string, object, string, RegExp])[] = [
  // What it cannot read, or would ignore
  ["an unknown field", { wathdog: true }, "wathdog", /would ignore/],
  ["an unknown field deep inside", { rng: { src: "/dev/urandom", scr: "" } }, "rng.scr", /would ignore/],
  [
    "an unknown field of the one type that refuses them",
    { rate_limit_groups: [{ id: "a", rate_limiter_config: { ...limit, iops: {} } }] },
    "rate_limit_groups[0].rate_limiter_config.iops",
    /would ignore/,
  ],
  ["a number where a switch is", { watchdog: 1 }, "watchdog", /true or false/],
  ["a text where a number is", { memory: { size: "512M" } }, "memory.size", /whole number/],
  ["half a byte", { memory: { size: 0.5 } }, "memory.size", /whole number/],
  ["a negative number", { balloon: { size: -1 } }, "balloon.size", /is -1/],
  ["a number that is too large", { net: [{ mtu: 70_000 }] }, "net[0].mtu", /is 70000/],
  ["a word that is none of its", { console: { mode: "off" } }, "console.mode", /cannot be "off"/],
  ["a list that is none", { disks: {} }, "disks", /must be a list/],
  ["a group that is none", { cpus: 2 }, "cpus", /must be a group/],
  ["something required that is missing", { cpus: { boot_vcpus: 1 } }, "cpus", /has no max_vcpus/],
  ["a NUL in a path", { payload: { kernel: "/a\0b" } }, "payload.kernel", /NUL/],
  // What is booted
  ["nothing to boot", { payload: {} }, "payload", /nothing to boot/],
  ["no payload at all", { payload: undefined }, "payload", /nothing to boot/],
  ["firmware and a kernel", { payload: { firmware: "/f", kernel: "/k" } }, "payload.kernel", /either/],
  ["firmware and a command line", { payload: { firmware: "/f", cmdline: "x" } }, "payload.cmdline", /would be dropped/],
  [
    "firmware and an initramfs",
    { payload: { firmware: "/f", initramfs: "/i" } },
    "payload.initramfs",
    /would be dropped/,
  ],
  [
    "an IGVM file and a kernel",
    { payload: { igvm: "/i", kernel: "/k" } },
    "payload.igvm",
    /there is a firmware or kernel too/,
  ],
  ["host data of the wrong length", { payload: { kernel: "/k", host_data: "abc" } }, "payload.host_data", /64/],
  [
    "an fw_cfg item of nothing",
    { payload: { kernel: "/k", fw_cfg_config: { items: { item_list: [{ name: "a" }] } } } },
    "payload.fw_cfg_config.items.item_list[0]",
    /neither/,
  ],
  // CPUs
  ["fewer CPUs at most than at boot", { cpus: { boot_vcpus: 2, max_vcpus: 1 } }, "cpus.max_vcpus", /at most 1/],
  ["no CPU", { cpus: { boot_vcpus: 0, max_vcpus: 1 } }, "cpus.boot_vcpus", /is 0/],
  ["too many CPUs", { cpus: { boot_vcpus: 1, max_vcpus: 8193 } }, "cpus.max_vcpus", /too many/],
  [
    "a topology of other CPUs",
    { cpus: { ...GOOD.cpus, topology: { threads_per_core: 1, cores_per_die: 1, dies_per_package: 1, packages: 1 } } },
    "cpus.topology",
    /= 1 CPUs, and max_vcpus is 2/,
  ],
  [
    "a topology with a 0",
    { cpus: { ...GOOD.cpus, topology: { threads_per_core: 0, cores_per_die: 2, dies_per_package: 1, packages: 1 } } },
    "cpus.topology",
    /may be 0/,
  ],
  [
    "three threads per core",
    {
      cpus: {
        boot_vcpus: 1,
        max_vcpus: 3,
        topology: { threads_per_core: 3, cores_per_die: 1, dies_per_package: 1, packages: 1 },
      },
    },
    "cpus.topology.threads_per_core",
    /no 3 threads/,
  ],
  [
    "affinity of a CPU that is not there",
    { cpus: { ...GOOD.cpus, affinity: [{ vcpu: 2, host_cpus: [0] }] } },
    "cpus.affinity[0].vcpu",
    /no CPU 2/,
  ],
  // Memory
  ["no memory", { memory: { size: 0 } }, "memory.size", /no memory/],
  ["a size and zones", { memory: { size: 512 * MIB, zones: [zone()] } }, "memory.size", /either/],
  ["half a page", { memory: { size: 512 * MIB + 1 } }, "memory.size", /pages of 4096/],
  [
    "half a huge page",
    { memory: { size: 511 * MIB, hugepages: true, hugepage_size: 2 * MIB } },
    "memory.size",
    /pages of 2097152/,
  ],
  [
    "shared and mergeable",
    { memory: { size: 512 * MIB, shared: true, mergeable: true } },
    "memory.mergeable",
    /merged/,
  ],
  [
    "a page size without huge pages",
    { memory: { size: 512 * MIB, hugepage_size: 2 * MIB } },
    "memory.hugepage_size",
    /without hugepages/,
  ],
  [
    "an odd page size",
    { memory: { size: 513 * MIB, hugepages: true, hugepage_size: 3 * MIB } },
    "memory.hugepage_size",
    /power of two/,
  ],
  ["room for nothing", { memory: { size: 512 * MIB, hotplug_size: 0 } }, "memory.hotplug_size", /room for nothing/],
  [
    "plugged without room",
    { memory: { size: 512 * MIB, hotplug_method: "VirtioMem", hotplugged_size: MIB } },
    "memory.hotplugged_size",
    /no room/,
  ],
  [
    "plugged beyond the room",
    { memory: { size: 512 * MIB, hotplug_method: "VirtioMem", hotplug_size: MIB, hotplugged_size: 2 * MIB } },
    "memory.hotplugged_size",
    /room for 1048576/,
  ],
  [
    "plugged by ACPI at boot",
    { memory: { size: 512 * MIB, hotplug_size: 2 * MIB, hotplugged_size: MIB } },
    "memory.hotplugged_size",
    /virtio-mem/,
  ],
  ["a zone that grows by ACPI", zoned({ hotplug_size: MIB }), "memory.zones[0].hotplug_size", /virtio-mem only/],
  [
    "a zone in a shared file on a node",
    zoned({ shared: true, file: "/f", host_numa_node: 0 }),
    "memory.zones[0].host_numa_node",
    /cannot be bound/,
  ],
  ["a shared zone that is mergeable", zoned({ shared: true, mergeable: true }), "memory.zones[0].mergeable", /merged/],
  ["an empty zone", zoned({ size: 0 }), "memory.zones[0].size", /empty/],
  ["a zone without a name", zoned({ id: "" }), "memory.zones[0].id", /no name/],
  [
    "room beside zones",
    zoned({}, { hotplug_size: MIB, hotplug_method: "VirtioMem" }),
    "memory.hotplug_size",
    /each zone/,
  ],
  ["a balloon as large as the memory", { balloon: { size: 512 * MIB } }, "balloon.size", /not smaller/],
  // Names and places
  ["a reserved id", disk({ id: "__d" }), "disks[0].id", /reserved/],
  [
    "a disk and a NIC of one name",
    { ...disk({ id: "a" }), ...net({ id: "a" }) },
    "net[0].id",
    /a disk and a NIC are both called a/,
  ],
  [
    "a zone and a disk of one name",
    { ...zoned({ id: "a" }), ...disk({ id: "a" }) },
    "memory.zones[0].id",
    /both called a/,
  ],
  [
    "a rate limit group and a disk of one name",
    { rate_limit_groups: [{ id: "a", rate_limiter_config: limit }], ...disk({ id: "a" }) },
    "rate_limit_groups[0].id",
    /both called a/,
  ],
  ["PCI slot 0", disk({ pci_device_id: 0 }), "disks[0].pci_device_id", /host bridge/],
  ["PCI slot 32", disk({ pci_device_id: 32 }), "disks[0].pci_device_id", /no PCI slot 32/],
  [
    "one slot twice",
    { ...disk({ pci_device_id: 9 }), ...net({ pci_device_id: 9 }) },
    "net[0].pci_device_id",
    /slot 9 too/,
  ],
  ["a segment that is not there", disk({ pci_segment: 1 }), "disks[0].pci_segment", /no PCI segment 1/],
  [
    "a device in front of the IOMMU on a segment behind it",
    { platform: { num_pci_segments: 2, iommu_segments: [1] }, ...disk({ pci_segment: 1 }) },
    "disks[0]",
    /behind the virtual IOMMU/,
  ],
  // Disks
  ["more queues than CPUs", disk({ num_queues: 2 }), "disks[0].num_queues", /more than the one CPU/],
  ["an odd queue size", disk({ queue_size: 100 }), "disks[0].queue_size", /power of two/],
  ["a queue size of 2", disk({ queue_size: 2 }), "disks[0].queue_size", /too small/],
  [
    "a path and a socket",
    { ...SHARED, ...disk({ vhost_user: true, vhost_socket: "/s" }) },
    "disks[0].vhost_socket",
    /either/,
  ],
  ["neither path nor socket", { disks: [{ id: "a" }] }, "disks[0]", /neither/],
  [
    "vhost-user without shared memory",
    { disks: [{ vhost_user: true, vhost_socket: "/s" }] },
    "disks[0].vhost_user",
    /not shared/,
  ],
  ["vhost-user without a socket", { ...SHARED, ...disk({ vhost_user: true }) }, "disks[0].vhost_user", /socket/],
  [
    "a rate limit on vhost-user",
    { ...SHARED, disks: [{ vhost_user: true, vhost_socket: "/s", rate_limiter_config: limit }] },
    "disks[0].rate_limiter_config",
    /cannot limit/,
  ],
  [
    "the IOMMU on vhost-user",
    { ...SHARED, disks: [{ vhost_user: true, vhost_socket: "/s", iommu: true }] },
    "disks[0].iommu",
    /cannot be behind/,
  ],
  [
    "a limit of its own and a group's",
    {
      rate_limit_groups: [{ id: "g", rate_limiter_config: limit }],
      ...disk({ rate_limit_group: "g", rate_limiter_config: limit }),
    },
    "disks[0].rate_limit_group",
    /either/,
  ],
  ["a group that is not there", disk({ rate_limit_group: "g" }), "disks[0].rate_limit_group", /no rate limit group g/],
  [
    "a group that limits nothing",
    { rate_limit_groups: [{ id: "g", rate_limiter_config: {} }] },
    "rate_limit_groups[0].rate_limiter_config",
    /limits nothing/,
  ],
  ["a long serial number", disk({ serial: "x".repeat(21) }), "disks[0].serial", /20 bytes/],
  [
    "backing files of a raw disk",
    disk({ image_type: "Raw", backing_files: true }),
    "disks[0].backing_files",
    /only Qcow2/,
  ],
  [
    "affinity of a queue that is not there",
    disk({ queue_affinity: [{ queue_index: 1, host_cpus: [0] }] }),
    "disks[0].queue_affinity[0].queue_index",
    /no queue 1/,
  ],
  // NICs
  ["one queue", net({ num_queues: 1 }), "net[0].num_queues", /in pairs/],
  ["three queues", net({ num_queues: 3 }), "net[0].num_queues", /in pairs/],
  ["more pairs than CPUs", net({ num_queues: 4 }), "net[0].num_queues", /2 pairs, more than the one CPU/],
  ["a small MTU", net({ mtu: 1279 }), "net[0].mtu", /too small/],
  ["an address without a mask", net({ ip: "10.0.0.1" }), "net[0]", /ip is given without mask/],
  ["a mask without an address", net({ mask: "255.0.0.0" }), "net[0]", /mask is given without ip/],
  ["no MAC address", net({ mac: "52:54" }), "net[0].mac", /no MAC address/],
  [
    "segmentation without checksums",
    net({ offload_csum: false, offload_ufo: false }),
    "net[0].offload_csum",
    /checksum/,
  ],
  ["descriptors in the text", net({ fds: [3] }), "net[0].fds", /descriptors/],
  // Others
  ["a shared folder without shared memory", { fs: [{ tag: "a", socket: "/s" }] }, "fs", /not shared/],
  ["a long tag", { ...SHARED, fs: [{ tag: "x".repeat(37), socket: "/s" }] }, "fs[0].tag", /36 bytes/],
  [
    "a tag twice",
    {
      ...SHARED,
      fs: [
        { tag: "a", socket: "/s" },
        { tag: "a", socket: "/t" },
      ],
    },
    "fs[1].tag",
    /twice/,
  ],
  [
    "a folder behind the IOMMU",
    { ...SHARED, fs: [{ tag: "a", socket: "/s", iommu: true }] },
    "fs[0].iommu",
    /cannot be behind/,
  ],
  [
    "a vhost-user device without shared memory",
    { generic_vhost_user: [{ socket: "/s", queue_sizes: [128], device_type: 26 }] },
    "generic_vhost_user",
    /not shared/,
  ],
  [
    "an odd queue of a vhost-user device",
    { ...SHARED, generic_vhost_user: [{ socket: "/s", queue_sizes: [100], device_type: 26 }] },
    "generic_vhost_user[0].queue_sizes[0]",
    /power of two/,
  ],
  ["a vfio-user device without shared memory", { user_devices: [{ socket: "/s" }] }, "user_devices", /not shared/],
  [
    "a vfio-user device twice",
    { ...SHARED, user_devices: [{ socket: "/s" }, { socket: "/s" }] },
    "user_devices[1].socket",
    /twice/,
  ],
  ["odd persistent memory", { pmem: [{ file: "/p", size: MIB }] }, "pmem[0].size", /2 MiB/],
  ["a device twice", { devices: [{ path: "/d" }, { path: "/d" }] }, "devices[1].path", /twice/],
  ["a device without a path", { devices: [{}] }, "devices[0]", /no path/],
  [
    "GPUDirect without peer to peer",
    { platform: { vfio_p2p_dma: false }, devices: [{ path: "/d", x_nv_gpudirect_clique: 0 }] },
    "devices[0].x_nv_gpudirect_clique",
    /vfio_p2p_dma/,
  ],
  [
    "a seventh BAR",
    { devices: [{ path: "/d", x_exclude_mmap_bars: [6] }] },
    "devices[0].x_exclude_mmap_bars[0]",
    /no BAR 6/,
  ],
  ["a reserved vsock cid", { vsock: { cid: 2, socket: "/v" } }, "vsock.cid", /reserved/],
  ["the other reserved vsock cid", { vsock: { cid: 0xffff_ffff, socket: "/v" } }, "vsock.cid", /reserved/],
  // Consoles: the first two end the process
  ["a serial file without a name", { serial: { mode: "File" } }, "serial", /none is named/],
  ["a serial socket without a name", { serial: { mode: "Socket" } }, "serial", /none is named/],
  ["a console file without a name", { console: { mode: "File" } }, "console", /none is named/],
  ["a console that is a socket", { console: { mode: "Socket", socket: "/s" } }, "console.mode", /only serial/],
  ["a debug console that is a socket", { debug_console: { mode: "Socket" } }, "debug_console.mode", /only serial/],
  // NUMA and platform
  ["a NUMA node of nothing", { numa: [{ guest_numa_id: 0 }] }, "numa[0]", /nothing/],
  [
    "a NUMA node twice",
    {
      numa: [
        { guest_numa_id: 0, cpus: [0] },
        { guest_numa_id: 0, cpus: [1] },
      ],
    },
    "numa[1].guest_numa_id",
    /two NUMA nodes 0/,
  ],
  [
    "a zone in two nodes",
    {
      ...zoned(),
      numa: [
        { guest_numa_id: 0, memory_zones: ["z0"] },
        { guest_numa_id: 1, memory_zones: ["z0"] },
      ],
    },
    "numa[1].memory_zones[0]",
    /node 0's/,
  ],
  [
    "a zone that is not there",
    { numa: [{ guest_numa_id: 0, memory_zones: ["z1"] }] },
    "numa[0].memory_zones[0]",
    /no memory zone z1/,
  ],
  [
    "segment 0 on another node",
    { numa: [{ guest_numa_id: 1, cpus: [0], pci_segments: [0] }] },
    "numa[0].pci_segments[0]",
    /belongs to NUMA node 0/,
  ],
  ["a device and CPUs", { numa: [{ guest_numa_id: 0, device_id: "a", cpus: [0] }] }, "numa[0].device_id", /either/],
  ["a CPU that is not there", { numa: [{ guest_numa_id: 0, cpus: [2] }] }, "numa[0].cpus[0]", /no CPU 2/],
  ["the descriptor of a device", { devices: [{ fd: 5 }] }, "devices[0].fd", /descriptors cannot be given/],
  ["a device without a path", { devices: [{ id: "gpu" }] }, "devices[0]", /no path/],
  ["a limit that limits nothing", disk({ rate_limiter_config: {} }), "disks[0].rate_limiter_config", /limits nothing/],
  [
    "the older segmentation offload without checksums",
    net({ offload_csum: false, offload_tso: false }),
    "net[0].offload_csum",
    /needs checksum/,
  ],
  [
    "the newer segmentation offload without checksums",
    net({ offload_csum: false, offload_ufo: false }),
    "net[0].offload_csum",
    /needs checksum/,
  ],
  [
    "a PCI segment of two NUMA nodes",
    {
      platform: { num_pci_segments: 2 },
      numa: [
        { guest_numa_id: 0, cpus: [0], pci_segments: [1] },
        { guest_numa_id: 1, cpus: [1], pci_segments: [1] },
      ],
    },
    "numa[1].pci_segments[0]",
    /segment 1 is node 0's/,
  ],
  ["no segment", { platform: { num_pci_segments: 0 } }, "platform.num_pci_segments", /cannot be/],
  ["a descriptor", { platform: { iommufd_fd: 5 } }, "platform.iommufd_fd", /descriptors cannot be given/],
  ["97 segments", { platform: { num_pci_segments: 97 } }, "platform.num_pci_segments", /cannot be/],
  [
    "an IOMMU segment that is not there",
    { platform: { iommu_segments: [1] } },
    "platform.iommu_segments[0]",
    /no PCI segment 1/,
  ],
  [
    "65 address bits",
    { platform: { iommu_address_width_bits: 65 } },
    "platform.iommu_address_width_bits",
    /no 65 bits/,
  ],
  [
    "a serial number in two words",
    { platform: { serial_number: "a", system_serial_number: "b" } },
    "platform.serial_number",
    /both/,
  ],
  [
    "a segment without room",
    { pci_segments: [{ pci_segment: 0, mmio32_aperture_weight: 0 }] },
    "pci_segments[0].mmio32_aperture_weight",
    /is 0/,
  ],
  [
    "TDX without firmware",
    { platform: { tdx: true }, cpus: { boot_vcpus: 1, max_vcpus: 1 } },
    "platform.tdx",
    /firmware/,
  ],
  ["SEV-SNP without an IGVM file", { platform: { sev_snp: true } }, "platform.sev_snp", /IGVM/],
  [
    "landlock's fourth access",
    { landlock_rules: [{ path: "/a", access: "rwx" }] },
    "landlock_rules[0].access",
    /no access/,
  ],
  [
    "landlock on a relative path",
    { landlock_rules: [{ path: "a", access: "r" }] },
    "landlock_rules[0].path",
    /absolute/,
  ],
  [
    "shared memory between guests of no power of two",
    { ivshmem: { path: "/i", size: 3 } },
    "ivshmem.size",
    /power of two/,
  ],
];

test.each(CONSTRAINTS)("%s", (_, config, path, message) => {
  const problems = problemsOf(config);
  expect(problems).toHaveLength(1);
  expect(problems[0]?.startsWith(`${path}: `), problems[0]).toBe(true);
  expect(problems[0]).toMatch(message);
});

test.each([
  ["neither memory nor CPUs said", { memory: undefined, cpus: undefined }],
  ["backing files of an image of a type that shows", disk({ backing_files: true })],
  ["backing files of a qcow2 image", disk({ backing_files: true, image_type: "Qcow2" })],
  ["no offload at all", net({ offload_csum: false, offload_tso: false, offload_ufo: false })],
  ["the older word alone", { platform: { serial_number: "a", uuid: "b" } }],
  ["the newer word alone", { platform: { system_serial_number: "a", system_uuid: "b" } }],
  ["as many segments as there can be", { platform: { num_pci_segments: 96 } }],
  ["the last BAR", { devices: [{ path: "/d", x_exclude_mmap_bars: [5] }] }],
  ["a limit of one kind", disk({ rate_limiter_config: { ops: { size: 1, refill_time: 1 } } })],
])("nothing is wrong with %s", (_, config) => {
  expect(problemsOf(config)).toEqual([]);
});

test("where fields are few, all of them are named to somebody who wrote another; where they are many, eight", () => {
  const hint = (config: object) => checkVmConfig({ ...GOOD, ...config } as VmConfig, { version: null })[0]?.hint;
  expect(hint({ rng: { src: "/r", zzz: 1 } })).toMatch(/^here it knows \w+(, \w+){4}$/);
  expect(hint(disk({ zzz: 1 }))).toMatch(/^here it knows (\w+, ){8}…$/);
});

test("all that is wrong is told at once", () => {
  expect(
    problemsOf({ ...disk({ num_queues: 9 }), ...net({ num_queues: 1 }), vsock: { cid: 0, socket: "/v" } }),
  ).toHaveLength(3);
});

describe("what a version does not know, it would ignore", () => {
  test.each([
    ["51", disk({ backing_files: true, image_type: "Qcow2" }), "50"],
    ["51", disk({ sparse: false }), "50"],
    ["52", disk({ pci_device_id: 9 }), "51"],
    ["52", disk({ lock_granularity: "Full" }), "51"],
    ["52", { cpus: { ...GOOD.cpus, core_scheduling: "Off" } }, "51"],
    ["52", { ...SHARED, generic_vhost_user: [{ socket: "/s", queue_sizes: [128], device_type: 26 }] }, "51"],
    ["53", { rtc: {} }, "52"],
    ["53", { memory: { size: 512 * MIB, reserve: true } }, "52"],
    ["53", { platform: { system_uuid: "a" } }, "52"],
    ["54", disk({ image_type: "FlatVmdk" }), "53"],
  ])("came with %s", (since, config, before) => {
    expect(problemsOf(config, `${since}.0`)).toEqual([]);
    const problems = problemsOf(config, `${before}.0`);
    expect(problems.length).toBeGreaterThan(0);
    for (const problem of problems) expect(problem).toContain(`came with version ${since}`);
    // Of the newest, and of one that nobody can tell, everything is believed.
    expect(problemsOf(config, null)).toEqual([]);
    expect(problemsOf(config, "main")).toEqual([]);
  });
});

test("a config that is too long for the version's server is refused before it is sent", () => {
  const long = { payload: { kernel: "/k", cmdline: "x".repeat(60_000) } };
  expect(problemsOf(long, "53.0")).toEqual([expect.stringContaining("this version takes 51200")]);
  expect(problemsOf(long, "54.0")).toEqual([]);
  expect(bodyLimit("v53.0.0")).toBe(51_200);
});

test("what vm.info says back is as good as what was sent", () => {
  const config = configOf({ disks: [overlay("root")], nics: [nic("eth0")] });
  expect(checkVmConfig(asVmInfoSays(config), { version: "53.0" })).toEqual([]);
});

test("what a guest boots with is its memory, or all of its zones, and half a gibibyte when nobody says", () => {
  expect(totalRam(undefined)).toBe(512 * MIB);
  expect(totalRam({ size: 64 * MIB, zones: [] })).toBe(64 * MIB);
  expect(totalRam({ size: 64 * MIB, hotplugged_size: 32 * MIB })).toBe(96 * MIB);
  const zones = [
    { id: "a", size: 64 * MIB },
    { id: "b", size: 8 * MIB, hotplugged_size: 4 * MIB },
  ];
  expect(totalRam({ size: 0, zones })).toBe(76 * MIB);
});
