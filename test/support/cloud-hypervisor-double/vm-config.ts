/** The double's own reading of VmConfig: types of what it holds, and shapes by which it reads and shows it. */
import {
  bool,
  defaulted,
  type Field,
  integer,
  ip,
  listOf,
  mac,
  oneOf,
  optional,
  required,
  since,
  struct,
  text,
} from "./shapes.ts";

export interface PciDevice {
  id?: string;
  iommu: boolean;
  pci_segment: number;
  readonly pci_device_id?: number;
}

export interface RateLimiter {
  readonly bandwidth?: unknown;
  readonly ops?: unknown;
}

export interface DiskConfig extends PciDevice {
  readonly path?: string;
  readonly readonly: boolean;
  readonly num_queues: number;
  readonly queue_size: number;
  readonly vhost_user: boolean;
  readonly vhost_socket?: string;
  readonly rate_limiter_config?: RateLimiter;
  readonly rate_limit_group?: string;
  readonly serial?: string;
  backing_files?: boolean;
  image_type?: string;
}

export interface NetConfig extends PciDevice {
  readonly tap?: string;
  readonly ip?: string;
  readonly mask?: string;
  readonly mac: string;
  readonly mtu?: number;
  readonly num_queues: number;
  readonly queue_size: number;
  readonly vhost_user: boolean;
  readonly vhost_socket?: string;
  readonly vhost_mode: string;
  readonly rate_limiter_config?: RateLimiter;
  readonly offload_tso: boolean;
  readonly offload_ufo: boolean;
  readonly offload_csum: boolean;
}

export interface FsConfig extends PciDevice {
  readonly tag: string;
  readonly socket: string;
  readonly num_queues: number;
  readonly queue_size: number;
}

export interface GenericVhostUserConfig extends PciDevice {
  readonly socket: string;
  readonly queue_sizes: readonly number[];
  readonly device_type: number;
}

export interface PmemConfig extends PciDevice {
  readonly file: string;
  readonly size?: number;
}

export interface VdpaConfig extends PciDevice {
  readonly path: string;
  readonly num_queues: number;
}

export interface VsockConfig extends PciDevice {
  readonly cid: number;
  readonly socket: string;
}

export interface DeviceConfig extends PciDevice {
  readonly path?: string;
  readonly x_exclude_mmap_bars?: readonly number[];
}

export interface UserDeviceConfig extends PciDevice {
  readonly socket: string;
}

export type ConsoleMode = "Off" | "Pty" | "Tty" | "File" | "Socket" | "Null";

export interface ConsoleConfig {
  file?: string;
  readonly socket?: string;
  readonly mode: ConsoleMode;
}

export interface MemoryZone {
  readonly id: string;
  size: number;
  readonly shared: boolean;
  readonly hugepages: boolean;
  readonly mergeable: boolean;
  readonly file?: string;
  readonly host_numa_node?: number;
  readonly hotplug_size?: number;
  hotplugged_size?: number;
}

export interface MemoryConfig {
  size: number;
  readonly hotplug_method: "Acpi" | "VirtioMem";
  readonly hotplug_size?: number;
  hotplugged_size?: number;
  readonly mergeable: boolean;
  readonly shared: boolean;
  readonly hugepages: boolean;
  readonly hugepage_size?: number;
  readonly zones?: readonly MemoryZone[];
}

export interface VmConfig {
  readonly cpus: {
    boot_vcpus: number;
    readonly max_vcpus: number;
    readonly topology?: {
      readonly threads_per_core: number;
      readonly cores_per_die: number;
      readonly dies_per_package: number;
      readonly packages: number;
    };
  };
  readonly memory: MemoryConfig;
  readonly payload?: { firmware?: string; kernel?: string; cmdline?: string; initramfs?: string; igvm?: string };
  readonly rate_limit_groups?: readonly { readonly id: string; readonly rate_limiter_config: RateLimiter }[];
  disks?: DiskConfig[];
  net?: NetConfig[];
  readonly rng: PciDevice & { readonly src: string };
  readonly rtc?: PciDevice;
  readonly balloon?: PciDevice & { size: number };
  generic_vhost_user?: GenericVhostUserConfig[];
  fs?: FsConfig[];
  pmem?: PmemConfig[];
  readonly serial: ConsoleConfig;
  readonly console: ConsoleConfig & PciDevice;
  readonly debug_console: ConsoleConfig;
  devices?: DeviceConfig[];
  user_devices?: UserDeviceConfig[];
  vdpa?: VdpaConfig[];
  vsock?: VsockConfig;
  readonly pvpanic: boolean;
  iommu: boolean;
  readonly watchdog: boolean;
  readonly numa?: readonly {
    readonly guest_numa_id: number;
    readonly cpus?: readonly number[];
    readonly memory_zones?: readonly string[];
    readonly pci_segments?: readonly number[];
    readonly device_id?: string;
  }[];
  readonly pci_segments?: readonly {
    readonly pci_segment: number;
    readonly mmio32_aperture_weight: number;
    readonly mmio64_aperture_weight: number;
  }[];
  readonly platform?: {
    readonly num_pci_segments: number;
    readonly iommu_segments?: readonly number[];
    readonly iommu_address_width_bits: number;
    readonly iommufd?: boolean;
  };
  readonly tpm?: { readonly socket: string };
  readonly landlock_enable: boolean;
  readonly landlock_rules?: readonly { readonly path: string; readonly access: string }[];
}

/** Where a device is told of in VmConfig. */
export type DeviceList =
  | "disks"
  | "net"
  | "fs"
  | "generic_vhost_user"
  | "pmem"
  | "vdpa"
  | "vsock"
  | "devices"
  | "user_devices";

export function devicesOf(config: VmConfig, list: DeviceList): readonly PciDevice[] {
  if (list === "vsock") return config.vsock === undefined ? [] : [config.vsock];
  return config[list] ?? [];
}

/** None: the field is gone, as the real one leaves it out. */
export function setDevices(config: VmConfig, list: DeviceList, devices: readonly PciDevice[] | null): void {
  const lists = config as unknown as Partial<Record<DeviceList, unknown>>;
  if (devices === null || (list === "vsock" && devices.length === 0)) delete lists[list];
  else lists[list] = list === "vsock" ? devices[0] : devices;
}

const PCI: Readonly<Record<string, Field>> = {
  id: optional(text),
  iommu: { ...defaulted(bool, false), quietWhenFalse: true },
  pci_segment: defaulted(integer("u16"), 0),
  pci_device_id: since(52, optional(integer("u8"))),
};

const TOKEN_BUCKET = struct("TokenBucketConfig", {
  size: required(integer("u64")),
  one_time_burst: optional(integer("u64")),
  refill_time: required(integer("u64")),
});

const RATE_LIMITER = struct(
  "RateLimiterConfig",
  { bandwidth: optional(TOKEN_BUCKET), ops: optional(TOKEN_BUCKET) },
  true,
);

const CPUS = struct("CpusConfig", {
  boot_vcpus: required(integer("u32")),
  max_vcpus: required(integer("u32")),
  topology: optional(
    struct("CpuTopology", {
      threads_per_core: required(integer("u16")),
      cores_per_die: required(integer("u16")),
      dies_per_package: required(integer("u16")),
      packages: required(integer("u16")),
    }),
  ),
  kvm_hyperv: defaulted(bool, false),
  max_phys_bits: defaulted(integer("u8"), 46),
  affinity: optional(
    listOf(struct("CpuAffinity", { vcpu: required(integer("u32")), host_cpus: required(listOf(integer("u32"))) })),
  ),
  features: defaulted(struct("CpuFeatures", { amx: defaulted(bool, false) }), {}),
  nested: defaulted(bool, true),
  core_scheduling: since(52, defaulted(oneOf("Vm", "Vcpu", "Off"), "Vm")),
  profile: since(53, defaulted(oneOf("Host"), "Host")),
});

const MEMORY_ZONE = struct("MemoryZoneConfig", {
  id: required(text),
  size: required(integer("u64")),
  file: optional(text),
  shared: defaulted(bool, false),
  hugepages: defaulted(bool, false),
  hugepage_size: optional(integer("u64")),
  host_numa_node: optional(integer("u32")),
  hotplug_size: optional(integer("u64")),
  hotplugged_size: optional(integer("u64")),
  prefault: defaulted(bool, false),
  reserve: since(53, defaulted(bool, false)),
  mergeable: defaulted(bool, false),
});

const MEMORY = struct("MemoryConfig", {
  size: required(integer("u64")),
  mergeable: defaulted(bool, false),
  hotplug_method: defaulted(oneOf("Acpi", "VirtioMem"), "Acpi"),
  hotplug_size: optional(integer("u64")),
  hotplugged_size: optional(integer("u64")),
  shared: defaulted(bool, false),
  hugepages: defaulted(bool, false),
  hugepage_size: optional(integer("u64")),
  prefault: defaulted(bool, false),
  reserve: since(53, defaulted(bool, false)),
  zones: optional(listOf(MEMORY_ZONE)),
  thp: defaulted(bool, true),
});

const imageTypes = (release: number): readonly string[] =>
  release >= 54
    ? ["FixedVhd", "Qcow2", "Raw", "Vhdx", "FlatVmdk", "Unknown"]
    : ["FixedVhd", "Qcow2", "Raw", "Vhdx", "Unknown"];

export const diskShape = (release: number) =>
  struct("DiskConfig", {
    ...PCI,
    path: optional(text),
    readonly: defaulted(bool, false),
    direct: defaulted(bool, false),
    num_queues: defaulted(integer("u64"), 1),
    queue_size: defaulted(integer("u16"), 128),
    vhost_user: defaulted(bool, false),
    vhost_socket: optional(text),
    rate_limit_group: optional(text),
    rate_limiter_config: optional(RATE_LIMITER),
    disable_io_uring: defaulted(bool, false),
    disable_aio: defaulted(bool, false),
    serial: optional(text),
    queue_affinity: optional(
      listOf(
        struct("VirtQueueAffinity", {
          queue_index: required(integer("u16")),
          host_cpus: required(listOf(integer("u32"))),
        }),
      ),
    ),
    backing_files: since(51, defaulted(bool, false)),
    sparse: since(51, defaulted(bool, true)),
    image_type: since(51, defaulted(oneOf(...imageTypes(release)), "Unknown")),
    lock_granularity: defaulted(oneOf("ByteRange", "Full"), "ByteRange"),
  });

export const NET = struct("NetConfig", {
  ...PCI,
  tap: optional(text),
  ip: optional(ip),
  mask: optional(ip),
  mac: defaulted(mac, null),
  host_mac: optional(mac),
  mtu: optional(integer("u16")),
  num_queues: defaulted(integer("u64"), 2),
  queue_size: defaulted(integer("u16"), 256),
  vhost_user: defaulted(bool, false),
  vhost_socket: optional(text),
  vhost_mode: defaulted(oneOf("Client", "Server"), "Client"),
  rate_limiter_config: optional(RATE_LIMITER),
  offload_tso: defaulted(bool, true),
  offload_ufo: defaulted(bool, true),
  offload_csum: defaulted(bool, true),
});

export const FS = struct("FsConfig", {
  ...PCI,
  tag: required(text),
  socket: required(text),
  num_queues: defaulted(integer("u64"), 1),
  queue_size: defaulted(integer("u16"), 1024),
});

export const GENERIC_VHOST_USER = struct("GenericVhostUserConfig", {
  ...PCI,
  socket: required(text),
  queue_sizes: required(listOf(integer("u16"))),
  device_type: required(integer("u32")),
});

export const PMEM = struct("PmemConfig", {
  ...PCI,
  file: required(text),
  size: optional(integer("u64")),
  discard_writes: defaulted(bool, false),
});

export const VDPA = struct("VdpaConfig", { ...PCI, path: required(text), num_queues: defaulted(integer("u64"), 1) });
export const VSOCK = struct("VsockConfig", { ...PCI, cid: required(integer("u32")), socket: required(text) });
export const USER_DEVICE = struct("UserDeviceConfig", { ...PCI, socket: required(text) });
export const DEVICE = struct("DeviceConfig", {
  ...PCI,
  path: optional(text),
  x_nv_gpudirect_clique: optional(integer("u8")),
  x_exclude_mmap_bars: since(53, defaulted(listOf(integer("u64")), [])),
});

const MODE = oneOf("Off", "Pty", "Tty", "File", "Socket", "Null");

const PLATFORM = struct("PlatformConfig", {
  num_pci_segments: defaulted(integer("u16"), 1),
  iommu_segments: optional(listOf(integer("u16"))),
  iommu_address_width_bits: defaulted(integer("u8"), 64),
  system_serial_number: { ...optional(text), alias: "serial_number" },
  system_uuid: { ...optional(text), alias: "uuid" },
  oem_strings: optional(listOf(text)),
  system_manufacturer: since(53, optional(text)),
  system_product_name: since(53, optional(text)),
  system_version: since(53, optional(text)),
  system_family: since(53, optional(text)),
  system_sku_number: since(53, optional(text)),
  chassis_asset_tag: since(53, optional(text)),
  iommufd: since(52, defaulted(bool, false)),
  vfio_p2p_dma: defaulted(bool, true),
});

const NUMA = struct("NumaConfig", {
  guest_numa_id: required(integer("u32")),
  cpus: optional(listOf(integer("u32"))),
  distances: optional(
    listOf(
      struct("NumaDistance", { destination: defaulted(integer("u32"), 0), distance: defaulted(integer("u8"), 0) }),
    ),
  ),
  memory_zones: optional(listOf(text)),
  pci_segments: optional(listOf(integer("u16"))),
  device_id: since(51, optional(text)),
});

export const vmConfigShape = (release: number) =>
  struct("VmConfig", {
    cpus: defaulted(CPUS, { boot_vcpus: 1, max_vcpus: 1 }),
    memory: defaulted(MEMORY, { size: 512 * 1024 * 1024 }),
    payload: optional(
      struct("PayloadConfig", {
        firmware: optional(text),
        kernel: optional(text),
        cmdline: optional(text),
        initramfs: optional(text),
      }),
    ),
    rate_limit_groups: optional(
      listOf(
        struct("RateLimiterGroupConfig", { id: defaulted(text, ""), rate_limiter_config: defaulted(RATE_LIMITER, {}) }),
      ),
    ),
    disks: optional(listOf(diskShape(release))),
    net: optional(listOf(NET)),
    rng: defaulted(struct("RngConfig", { ...PCI, src: required(text) }), { src: "/dev/urandom" }),
    balloon: optional(
      struct("BalloonConfig", {
        ...PCI,
        size: required(integer("u64")),
        deflate_on_oom: defaulted(bool, false),
        free_page_reporting: defaulted(bool, false),
      }),
    ),
    generic_vhost_user: since(52, optional(listOf(GENERIC_VHOST_USER))),
    fs: optional(listOf(FS)),
    pmem: optional(listOf(PMEM)),
    serial: defaulted(struct("SerialConfig", { file: optional(text), mode: required(MODE), socket: optional(text) }), {
      mode: "Null",
    }),
    console: defaulted(
      struct("ConsoleConfig", { file: optional(text), mode: required(MODE), socket: optional(text), ...PCI }),
      { mode: "Tty" },
    ),
    debug_console: defaulted(
      struct("DebugConsoleConfig", { file: optional(text), mode: required(MODE), iobase: optional(integer("u16")) }),
      { mode: "Off", iobase: 233 },
    ),
    devices: optional(listOf(DEVICE)),
    user_devices: optional(listOf(USER_DEVICE)),
    vdpa: optional(listOf(VDPA)),
    vsock: optional(VSOCK),
    pvpanic: defaulted(bool, false),
    iommu: defaulted(bool, false),
    numa: optional(listOf(NUMA)),
    watchdog: defaulted(bool, false),
    rtc: since(53, optional(struct("RtcConfig", PCI))),
    pci_segments: optional(
      listOf(
        struct("PciSegmentConfig", {
          pci_segment: defaulted(integer("u16"), 0),
          mmio32_aperture_weight: defaulted(integer("u32"), 1),
          mmio64_aperture_weight: defaulted(integer("u32"), 1),
        }),
      ),
    ),
    platform: optional(PLATFORM),
    tpm: optional(struct("TpmConfig", { socket: required(text) })),
    landlock_enable: defaulted(bool, false),
    landlock_rules: optional(listOf(struct("LandlockConfig", { path: required(text), access: required(text) }))),
  });
