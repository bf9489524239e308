/**
 * VmConfig as Cloud Hypervisor's API takes it (`vm.create`) and gives it back (`vm.info`), versions 50 to 54.
 *
 * Field names are the wire's. What may be left out is optional: Cloud Hypervisor fills in a default when it reads it.
 * Sizes are bytes, times milliseconds. It ignores fields that it does not know, which is why `check-vm-config.ts` looks for them;
 * the table of fields there is compared with these types by the compiler.
 */

export interface VmConfig {
  readonly cpus?: CpusConfig;
  readonly memory?: MemoryConfig;
  /** Optional for the parser; a VM without one does not boot. */
  readonly payload?: PayloadConfig;
  readonly rate_limit_groups?: readonly RateLimitGroupConfig[];
  readonly disks?: readonly DiskConfig[];
  readonly net?: readonly NetConfig[];
  readonly rng?: RngConfig;
  readonly balloon?: BalloonConfig;
  readonly generic_vhost_user?: readonly GenericVhostUserConfig[];
  readonly fs?: readonly FsConfig[];
  readonly pmem?: readonly PmemConfig[];
  readonly serial?: SerialConfig;
  readonly console?: ConsoleConfig;
  /** x86_64 only. */
  readonly debug_console?: DebugConsoleConfig;
  readonly devices?: readonly DeviceConfig[];
  readonly user_devices?: readonly UserDeviceConfig[];
  readonly vdpa?: readonly VdpaConfig[];
  readonly vsock?: VsockConfig;
  readonly numa?: readonly NumaConfig[];
  /** Set by itself when any device has `iommu`. */
  readonly iommu?: boolean;
  readonly watchdog?: boolean;
  /** v53. */
  readonly rtc?: RtcConfig;
  readonly pvpanic?: boolean;
  readonly pci_segments?: readonly PciSegmentConfig[];
  readonly platform?: PlatformConfig;
  readonly tpm?: TpmConfig;
  readonly landlock_enable?: boolean;
  readonly landlock_rules?: readonly LandlockConfig[];
  /** Built with `guest_debug`. */
  readonly gdb?: boolean;
  /** Built with `pvmemcontrol`. */
  readonly pvmemcontrol?: Readonly<Record<string, never>>;
  /** Built with `ivshmem`. */
  readonly ivshmem?: IvshmemConfig;
}

export interface CpusConfig {
  readonly boot_vcpus: number;
  readonly max_vcpus: number;
  readonly topology?: CpuTopology;
  readonly kvm_hyperv?: boolean;
  readonly max_phys_bits?: number;
  readonly affinity?: readonly CpuAffinity[];
  readonly features?: CpuFeatures;
  readonly nested?: boolean;
  readonly core_scheduling?: "Vm" | "Vcpu" | "Off";
  readonly profile?: string;
}

export interface CpuTopology {
  readonly threads_per_core: number;
  readonly cores_per_die: number;
  readonly dies_per_package: number;
  readonly packages: number;
}

export interface CpuAffinity {
  readonly vcpu: number;
  readonly host_cpus: readonly number[];
}

export interface CpuFeatures {
  readonly amx?: boolean;
}

export interface MemoryConfig {
  /** 0 exactly when zones are given. */
  readonly size: number;
  readonly mergeable?: boolean;
  readonly hotplug_method?: "Acpi" | "VirtioMem";
  readonly hotplug_size?: number;
  readonly hotplugged_size?: number;
  readonly shared?: boolean;
  readonly hugepages?: boolean;
  readonly hugepage_size?: number;
  readonly prefault?: boolean;
  /** v53. */
  readonly reserve?: boolean;
  readonly zones?: readonly MemoryZoneConfig[];
  readonly thp?: boolean;
}

export interface MemoryZoneConfig {
  readonly id: string;
  readonly size: number;
  readonly file?: string;
  readonly shared?: boolean;
  readonly hugepages?: boolean;
  readonly hugepage_size?: number;
  readonly host_numa_node?: number;
  readonly hotplug_size?: number;
  readonly hotplugged_size?: number;
  readonly prefault?: boolean;
  /** v53. */
  readonly reserve?: boolean;
  readonly mergeable?: boolean;
}

export interface PayloadConfig {
  readonly firmware?: string;
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly initramfs?: string;
  /** Built with `igvm`. */
  readonly igvm?: string;
  /** Built with `sev_snp`: 64 hex digits. */
  readonly host_data?: string;
  /** Built with `fw_cfg`. */
  readonly fw_cfg_config?: FwCfgConfig;
}

export interface FwCfgConfig {
  readonly e820?: boolean;
  readonly kernel?: boolean;
  readonly cmdline?: boolean;
  readonly initramfs?: boolean;
  readonly acpi_tables?: boolean;
  readonly items?: { readonly item_list?: readonly FwCfgItem[] };
}

/** Exactly one of `file` and `string`. */
export interface FwCfgItem {
  readonly name: string;
  readonly file?: string;
  readonly string?: string;
}

export interface RateLimitGroupConfig {
  readonly id: string;
  readonly rate_limiter_config: RateLimiterConfig;
}

/** The one type that refuses unknown fields. */
export interface RateLimiterConfig {
  readonly bandwidth?: TokenBucket;
  readonly ops?: TokenBucket;
}

export interface TokenBucket {
  readonly size: number;
  readonly one_time_burst?: number;
  /** Milliseconds. */
  readonly refill_time: number;
}

/** What every device on the PCI bus has. */
export interface PciDevice {
  readonly id?: string;
  readonly pci_segment?: number;
  /** 1 to 31. v52. */
  readonly pci_device_id?: number;
}

/** Devices that can stand behind the virtual IOMMU. */
export interface IommuDevice extends PciDevice {
  readonly iommu?: boolean;
}

export type ImageType = "Raw" | "Qcow2" | "FixedVhd" | "Vhdx" | "FlatVmdk" | "Unknown";

export interface DiskConfig extends IommuDevice {
  readonly path?: string;
  readonly readonly?: boolean;
  readonly direct?: boolean;
  readonly num_queues?: number;
  readonly queue_size?: number;
  readonly vhost_user?: boolean;
  readonly vhost_socket?: string;
  readonly rate_limiter_config?: RateLimiterConfig;
  readonly rate_limit_group?: string;
  readonly serial?: string;
  readonly queue_affinity?: readonly QueueAffinity[];
  /** v51: before, an overlay's backing file was always followed. */
  readonly backing_files?: boolean;
  readonly sparse?: boolean;
  readonly image_type?: ImageType;
  readonly lock_granularity?: "ByteRange" | "Full";
  /** For its tests. */
  readonly disable_io_uring?: boolean;
  readonly disable_aio?: boolean;
}

export interface QueueAffinity {
  readonly queue_index: number;
  readonly host_cpus: readonly number[];
}

export interface NetConfig extends IommuDevice {
  readonly tap?: string;
  readonly ip?: string;
  readonly mask?: string;
  readonly mac?: string;
  readonly host_mac?: string;
  readonly mtu?: number;
  readonly num_queues?: number;
  readonly queue_size?: number;
  readonly vhost_user?: boolean;
  readonly vhost_socket?: string;
  readonly vhost_mode?: "Client" | "Server";
  /** Only said by `vm.info`: descriptors come beside the request, never in it. */
  readonly fds?: readonly number[];
  readonly rate_limiter_config?: RateLimiterConfig;
  readonly offload_tso?: boolean;
  readonly offload_ufo?: boolean;
  readonly offload_csum?: boolean;
}

export interface RngConfig extends IommuDevice {
  readonly src: string;
}

export interface RtcConfig extends IommuDevice {}

export interface BalloonConfig extends IommuDevice {
  readonly size: number;
  readonly deflate_on_oom?: boolean;
  readonly free_page_reporting?: boolean;
}

export interface FsConfig extends IommuDevice {
  readonly tag: string;
  readonly socket: string;
  readonly num_queues?: number;
  readonly queue_size?: number;
}

export interface GenericVhostUserConfig extends IommuDevice {
  readonly socket: string;
  readonly queue_sizes: readonly number[];
  /** Virtio's number: 1 net, 2 block, 19 vsock, 26 fs, 27 pmem. */
  readonly device_type: number;
}

export interface PmemConfig extends IommuDevice {
  readonly file: string;
  readonly size?: number;
  readonly discard_writes?: boolean;
}

export type ConsoleMode = "Off" | "Pty" | "Tty" | "File" | "Socket" | "Null";

export interface SerialConfig {
  readonly mode: ConsoleMode;
  readonly file?: string;
  readonly socket?: string;
}

export interface ConsoleConfig extends SerialConfig, IommuDevice {}

export interface DebugConsoleConfig {
  readonly mode: ConsoleMode;
  readonly file?: string;
  readonly iobase?: number;
}

export interface DeviceConfig extends IommuDevice {
  readonly path?: string;
  /** Only said by `vm.info`. */
  readonly fd?: number;
  readonly x_nv_gpudirect_clique?: number;
  readonly x_exclude_mmap_bars?: readonly number[];
}

export interface UserDeviceConfig extends IommuDevice {
  readonly socket: string;
}

export interface VdpaConfig extends IommuDevice {
  readonly path: string;
  readonly num_queues?: number;
}

export interface VsockConfig extends IommuDevice {
  readonly cid: number;
  readonly socket: string;
}

export interface IvshmemConfig extends IommuDevice {
  readonly path: string;
  readonly size: number;
}

export interface NumaConfig {
  readonly guest_numa_id: number;
  readonly cpus?: readonly number[];
  readonly distances?: readonly NumaDistance[];
  readonly memory_zones?: readonly string[];
  readonly pci_segments?: readonly number[];
  readonly device_id?: string;
}

export interface NumaDistance {
  readonly destination: number;
  readonly distance: number;
}

export interface PciSegmentConfig {
  readonly pci_segment: number;
  readonly mmio32_aperture_weight?: number;
  readonly mmio64_aperture_weight?: number;
}

export interface PlatformConfig {
  readonly num_pci_segments?: number;
  readonly iommu_segments?: readonly number[];
  readonly iommu_address_width_bits?: number;
  readonly system_serial_number?: string;
  readonly system_uuid?: string;
  /** The older words for the two above. */
  readonly serial_number?: string;
  readonly uuid?: string;
  readonly oem_strings?: readonly string[];
  readonly system_manufacturer?: string;
  readonly system_product_name?: string;
  readonly system_version?: string;
  readonly system_family?: string;
  readonly system_sku_number?: string;
  readonly chassis_asset_tag?: string;
  readonly tdx?: boolean;
  readonly sev_snp?: boolean;
  readonly iommufd?: boolean;
  readonly iommufd_fd?: number;
  readonly vfio_p2p_dma?: boolean;
}

export interface TpmConfig {
  readonly socket: string;
}

export interface LandlockConfig {
  readonly path: string;
  readonly access: string;
}
