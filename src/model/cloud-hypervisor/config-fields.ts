/** Every field of a VmConfig: its type, range and default, and the version that brought it. The types in `vm-config.ts`, as a value. */
import {
  bool,
  descriptor,
  type Field,
  list,
  oneOf,
  REQUIRED,
  type RecordField,
  record,
  text,
  u8,
  u16,
  u32,
  u64,
} from "./field.ts";
import type * as ch from "./vm-config.ts";

const pciDevice = {
  id: text(),
  pci_segment: u16({ default: 0 }),
  pci_device_id: u8({ since: 52 }),
};
const iommuDevice = { ...pciDevice, iommu: bool(false) };
/** Devices that are on no segment of the user's choice before v52. */
const laterOnPci = {
  id: text({ since: 52 }),
  pci_segment: u16({ default: 0, since: 52 }),
  pci_device_id: u8({ since: 52 }),
};

const hostCpus = list(u32(), REQUIRED);

const tokenBucket = record<ch.TokenBucket>({
  size: u64(REQUIRED),
  one_time_burst: u64(),
  refill_time: u64(REQUIRED),
});

const rateLimiter = record<ch.RateLimiterConfig>({ bandwidth: tokenBucket, ops: tokenBucket });

const memoryZone = record<ch.MemoryZoneConfig>({
  id: text(REQUIRED),
  size: u64(REQUIRED),
  file: text(),
  shared: bool(false),
  hugepages: bool(false),
  hugepage_size: u64(),
  host_numa_node: u32(),
  hotplug_size: u64(),
  hotplugged_size: u64(),
  prefault: bool(false),
  reserve: bool(false, { since: 53 }),
  mergeable: bool(false, { since: 52 }),
});

const cpus = record<ch.CpusConfig>(
  {
    boot_vcpus: u32({ ...REQUIRED, min: 1, default: 1 }),
    max_vcpus: u32({ ...REQUIRED, min: 1, default: 1 }),
    topology: record<ch.CpuTopology>({
      threads_per_core: u16(REQUIRED),
      cores_per_die: u16(REQUIRED),
      dies_per_package: u16(REQUIRED),
      packages: u16(REQUIRED),
    }),
    kvm_hyperv: bool(false),
    max_phys_bits: u8({ default: 46 }),
    affinity: list(record<ch.CpuAffinity>({ vcpu: u32(REQUIRED), host_cpus: hostCpus })),
    features: record<ch.CpuFeatures>({ amx: bool(false) }, { always: true }),
    nested: bool(true),
    core_scheduling: oneOf({ Vm: 0, Vcpu: 0, Off: 0 }, "Vm", { since: 52 }),
    profile: text({ default: "Host", since: 53 }),
  },
  { always: true },
);

const memory = record<ch.MemoryConfig>(
  {
    size: u64({ ...REQUIRED, default: 512 * 1024 * 1024 }),
    mergeable: bool(false),
    hotplug_method: oneOf({ Acpi: 0, VirtioMem: 0 }, "Acpi"),
    hotplug_size: u64(),
    hotplugged_size: u64(),
    shared: bool(false),
    hugepages: bool(false),
    hugepage_size: u64(),
    prefault: bool(false),
    reserve: bool(false, { since: 53 }),
    zones: list(memoryZone),
    thp: bool(true),
  },
  { always: true },
);

const payload = record<ch.PayloadConfig>({
  firmware: text(),
  kernel: text(),
  cmdline: text(),
  initramfs: text(),
  igvm: text(),
  host_data: text(),
  fw_cfg_config: record<ch.FwCfgConfig>({
    e820: bool(true),
    kernel: bool(true),
    cmdline: bool(true),
    initramfs: bool(true),
    acpi_tables: bool(true),
    items: record<NonNullable<ch.FwCfgConfig["items"]>>({
      item_list: list(record<ch.FwCfgItem>({ name: text(REQUIRED), file: text(), string: text({ since: 52 }) })),
    }),
  }),
});

const disk = record<ch.DiskConfig>({
  ...iommuDevice,
  path: text(),
  readonly: bool(false),
  direct: bool(false),
  num_queues: u32({ min: 1, default: 1 }),
  queue_size: u16({ default: 128 }),
  vhost_user: bool(false),
  vhost_socket: text(),
  rate_limiter_config: rateLimiter,
  rate_limit_group: text(),
  serial: text(),
  queue_affinity: list(record<ch.QueueAffinity>({ queue_index: u16(REQUIRED), host_cpus: hostCpus })),
  backing_files: bool(false, { since: 51 }),
  sparse: bool(true, { since: 51 }),
  image_type: oneOf({ Raw: 0, Qcow2: 0, FixedVhd: 0, Vhdx: 0, FlatVmdk: 54, Unknown: 0 }, "Unknown", { since: 51 }),
  lock_granularity: oneOf({ ByteRange: 0, Full: 0 }, "ByteRange", { since: 52 }),
  disable_io_uring: bool(false),
  disable_aio: bool(false),
});

const net = record<ch.NetConfig>({
  ...iommuDevice,
  tap: text(),
  ip: text(),
  mask: text(),
  mac: text(),
  host_mac: text(),
  mtu: u16(),
  num_queues: u32({ default: 2 }),
  queue_size: u16({ default: 256 }),
  vhost_user: bool(false),
  vhost_socket: text(),
  vhost_mode: oneOf({ Client: 0, Server: 0 }, "Client"),
  fds: list(descriptor),
  rate_limiter_config: rateLimiter,
  offload_tso: bool(true),
  offload_ufo: bool(true),
  offload_csum: bool(true),
});

const CONSOLE_MODES = { Off: 0, Pty: 0, Tty: 0, File: 0, Socket: 0, Null: 0 };
const consoleMode = (value: string): Field => oneOf(CONSOLE_MODES, value, REQUIRED);

const platform = record<ch.PlatformConfig>({
  num_pci_segments: u16({ default: 1 }),
  iommu_segments: list(u16()),
  iommu_address_width_bits: u8({ default: 64 }),
  system_serial_number: text({ since: 53 }),
  system_uuid: text({ since: 53 }),
  serial_number: text(),
  uuid: text(),
  oem_strings: list(text()),
  system_manufacturer: text({ since: 53 }),
  system_product_name: text({ since: 53 }),
  system_version: text({ since: 53 }),
  system_family: text({ since: 53 }),
  system_sku_number: text({ since: 53 }),
  chassis_asset_tag: text({ since: 53 }),
  tdx: bool(false),
  sev_snp: bool(false),
  iommufd: bool(false, { since: 52 }),
  iommufd_fd: descriptor,
  vfio_p2p_dma: bool(true),
});

export const VM_CONFIG: RecordField = record<ch.VmConfig>({
  cpus,
  memory,
  payload,
  rate_limit_groups: list(
    record<ch.RateLimitGroupConfig>({ id: text(REQUIRED), rate_limiter_config: { ...rateLimiter, ...REQUIRED } }),
  ),
  disks: list(disk),
  net: list(net),
  rng: record<ch.RngConfig>(
    { ...laterOnPci, iommu: bool(false), src: text({ ...REQUIRED, default: "/dev/urandom" }) },
    { always: true },
  ),
  balloon: record<ch.BalloonConfig>({
    ...laterOnPci,
    iommu: bool(false, { since: 52 }),
    size: u64(REQUIRED),
    deflate_on_oom: bool(false),
    free_page_reporting: bool(false),
  }),
  generic_vhost_user: list(
    record<ch.GenericVhostUserConfig>({
      ...iommuDevice,
      socket: text(REQUIRED),
      queue_sizes: list(u16(), REQUIRED),
      device_type: u32(REQUIRED),
    }),
    { since: 52 },
  ),
  fs: list(
    record<ch.FsConfig>({
      ...iommuDevice,
      tag: text(REQUIRED),
      socket: text(REQUIRED),
      num_queues: u32({ min: 1, default: 1 }),
      queue_size: u16({ default: 1024 }),
    }),
  ),
  pmem: list(record<ch.PmemConfig>({ ...iommuDevice, file: text(REQUIRED), size: u64(), discard_writes: bool(false) })),
  serial: record<ch.SerialConfig>({ mode: consoleMode("Null"), file: text(), socket: text() }, { always: true }),
  console: record<ch.ConsoleConfig>(
    { ...laterOnPci, iommu: bool(false), mode: consoleMode("Tty"), file: text(), socket: text() },
    { always: true },
  ),
  debug_console: record<ch.DebugConsoleConfig>(
    { mode: consoleMode("Off"), file: text(), iobase: u16({ default: 0xe9 }) },
    { always: true },
  ),
  devices: list(
    record<ch.DeviceConfig>({
      ...iommuDevice,
      path: text(),
      fd: descriptor,
      x_nv_gpudirect_clique: u8(),
      x_exclude_mmap_bars: list(u64(), { since: 52 }),
    }),
  ),
  user_devices: list(record<ch.UserDeviceConfig>({ ...iommuDevice, socket: text(REQUIRED) })),
  vdpa: list(record<ch.VdpaConfig>({ ...iommuDevice, path: text(REQUIRED), num_queues: u32({ min: 1, default: 1 }) })),
  vsock: record<ch.VsockConfig>({ ...iommuDevice, cid: u32(REQUIRED), socket: text(REQUIRED) }),
  numa: list(
    record<ch.NumaConfig>({
      guest_numa_id: u32(REQUIRED),
      cpus: list(u32()),
      distances: list(record<ch.NumaDistance>({ destination: u32(REQUIRED), distance: u8(REQUIRED) })),
      memory_zones: list(text()),
      pci_segments: list(u16()),
      device_id: text({ since: 51 }),
    }),
  ),
  iommu: bool(false),
  watchdog: bool(false),
  rtc: record<ch.RtcConfig>(iommuDevice, { since: 53 }),
  pvpanic: bool(false),
  pci_segments: list(
    record<ch.PciSegmentConfig>({
      pci_segment: u16(REQUIRED),
      mmio32_aperture_weight: u32({ default: 1 }),
      mmio64_aperture_weight: u32({ default: 1 }),
    }),
  ),
  platform,
  tpm: record<ch.TpmConfig>({ socket: text(REQUIRED) }),
  landlock_enable: bool(false),
  landlock_rules: list(record<ch.LandlockConfig>({ path: text(REQUIRED), access: text(REQUIRED) })),
  gdb: bool(false),
  pvmemcontrol: record<Readonly<Record<never, never>>>({}),
  ivshmem: record<ch.IvshmemConfig>({ ...iommuDevice, path: text(REQUIRED), size: u64(REQUIRED) }),
});
