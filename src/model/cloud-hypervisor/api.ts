/** What Cloud Hypervisor's API takes and gives beside VmConfig, by endpoint. Field names are the wire's; sizes are bytes. */
import type {
  DeviceConfig,
  DiskConfig,
  FsConfig,
  GenericVhostUserConfig,
  NetConfig,
  PmemConfig,
  UserDeviceConfig,
  VdpaConfig,
  VmConfig,
  VsockConfig,
} from "./vm-config.ts";

export interface VmmPingResponse {
  readonly build_version?: string;
  readonly version: string;
  readonly pid?: number;
  /** What it was built with: `kvm`, `guest_debug`, … */
  readonly features?: readonly string[];
}

/** `Shutdown` is never seen: a VM that was shut down is `Created`. `BreakPoint`: stopped by gdb. */
export type VmState = "Created" | "Running" | "Shutdown" | "Paused" | "BreakPoint";

export interface VmInfo {
  readonly config: VmConfig;
  readonly state: VmState;
  readonly memory_actual_size?: number;
  /** Left out while nothing is booted; with `Created` it tells a boot that broke half-way. */
  readonly device_tree?: DeviceTree;
}

export type DeviceTree = Readonly<Record<string, DeviceNode>>;

export interface DeviceNode {
  readonly id: string;
  readonly resources?: readonly unknown[];
  readonly parent?: string;
  readonly children?: readonly string[];
  /** `0000:00:05.0`; of virtio devices on their `_virtio-pci-…` parent. */
  readonly pci_bdf?: string;
}

/** By device id, then by counter. */
export type VmCounters = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface PciDeviceInfo {
  readonly id: string;
  readonly bdf: string;
}

export interface VmResize {
  readonly desired_vcpus?: number;
  readonly desired_ram?: number;
  readonly desired_balloon?: number;
}

export interface VmResizeDisk {
  readonly id: string;
  readonly desired_size: number;
}

export interface VmResizeZone {
  readonly id: string;
  readonly desired_ram: number;
}

export interface VmRemoveDevice {
  readonly id: string;
}

/** `file:///folder`, which exists and holds no snapshot yet. */
export interface VmSnapshotConfig {
  readonly destination_url: string;
}

/** `file:///file`. */
export interface VmCoredumpData {
  readonly destination_url: string;
}

export interface RestoreConfig {
  readonly source_url: string;
  readonly prefault?: boolean;
  readonly memory_restore_mode?: "Copy" | "OnDemand";
  /** v52. */
  readonly resume?: boolean;
  readonly net_fds?: readonly { readonly id: string; readonly num_fds: number }[];
  readonly vfio_fds?: readonly { readonly id: string; readonly num_fds: number }[];
  readonly iommufd_fd?: number;
  /** v54. */
  readonly zone_updates?: readonly ZoneUpdate[];
}

export interface ZoneUpdate {
  readonly id: string;
  readonly host_numa_node: number;
}

export type MigrationMemoryMode = "Precopy" | "Postcopy";

export interface ReceiveMigrationData {
  /** `tcp:host:port` or `unix:/path`. */
  readonly receiver_url: string;
  readonly tls_dir?: string;
  readonly memory_mode?: MigrationMemoryMode;
  /** v54. */
  readonly zone_updates?: readonly ZoneUpdate[];
  readonly vfio_fds?: readonly { readonly id: string; readonly num_fds: number }[];
  readonly iommufd_fd?: number;
}

export interface SendMigrationData {
  readonly destination_url: string;
  /** Same host, by handing over the memory: `unix:` only, needs shared memory. */
  readonly local?: boolean;
  readonly downtime_ms?: number;
  readonly timeout_s?: number;
  readonly timeout_strategy?: "Cancel" | "Ignore";
  /** 1 to 128, `tcp:` only. */
  readonly connections?: number;
  readonly tls_dir?: string;
  readonly memory_mode?: MigrationMemoryMode;
  /** v54, with `local`. */
  readonly preserve_source?: boolean;
}

/** Every endpoint with a body: what a PUT takes. */
export interface RequestBodies {
  readonly "vm.create": VmConfig;
  readonly "vm.resize": VmResize;
  readonly "vm.resize-disk": VmResizeDisk;
  readonly "vm.resize-zone": VmResizeZone;
  readonly "vm.add-device": DeviceConfig;
  readonly "vm.add-user-device": UserDeviceConfig;
  readonly "vm.add-disk": DiskConfig;
  readonly "vm.add-fs": FsConfig;
  readonly "vm.add-generic-vhost-user": GenericVhostUserConfig;
  readonly "vm.add-pmem": PmemConfig;
  readonly "vm.add-net": NetConfig;
  readonly "vm.add-vdpa": VdpaConfig;
  readonly "vm.add-vsock": VsockConfig;
  readonly "vm.remove-device": VmRemoveDevice;
  readonly "vm.snapshot": VmSnapshotConfig;
  readonly "vm.coredump": VmCoredumpData;
  readonly "vm.restore": RestoreConfig;
  readonly "vm.receive-migration": ReceiveMigrationData;
  readonly "vm.send-migration": SendMigrationData;
}
