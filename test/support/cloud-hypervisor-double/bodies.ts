/** The bodies of requests other than VmConfig and devices. */
import { bool, defaulted, integer, nonZero, oneOf, optional, required, since, struct, text } from "./shapes.ts";

export const RESIZE = struct("VmResizeData", {
  desired_vcpus: optional(integer("u32")),
  desired_ram: optional(integer("u64")),
  desired_balloon: optional(integer("u64")),
});
export interface Resize {
  readonly desired_vcpus?: number;
  readonly desired_ram?: number;
  readonly desired_balloon?: number;
}

export const RESIZE_DISK = struct("VmResizeDiskData", { id: required(text), desired_size: required(integer("u64")) });
export const RESIZE_ZONE = struct("VmResizeZoneData", { id: required(text), desired_ram: required(integer("u64")) });
export const REMOVE_DEVICE = struct("VmRemoveDeviceData", { id: required(text) });
export const SNAPSHOT = struct("VmSnapshotConfig", { destination_url: required(text) });
export const COREDUMP = struct("VmCoredumpData", { destination_url: required(text) });

export const RESTORE = struct("RestoreConfig", {
  source_url: required(text),
  prefault: defaulted(bool, false),
  memory_restore_mode: since(52, defaulted(oneOf("Copy", "OnDemand"), "Copy")),
  resume: since(52, defaulted(bool, false)),
});
export interface Restore {
  readonly source_url: string;
  readonly prefault: boolean;
  readonly memory_restore_mode?: string;
  readonly resume?: boolean;
}

const MODES = oneOf("Precopy", "Postcopy");

export const RECEIVE = struct("VmReceiveMigrationData", {
  receiver_url: required(text),
  tls_dir: since(53, optional(text)),
  memory_mode: since(53, defaulted(MODES, "Precopy")),
});
export interface Receive {
  readonly receiver_url: string;
  readonly tls_dir?: string;
  readonly memory_mode?: string;
}

export const SEND = struct("VmSendMigrationData", {
  destination_url: required(text),
  local: defaulted(bool, false),
  downtime_ms: since(52, defaulted(nonZero("u64"), 300)),
  timeout_s: since(52, defaulted(nonZero("u64"), 3600)),
  timeout_strategy: since(52, defaulted(oneOf("Cancel", "Ignore"), "Cancel")),
  connections: since(52, defaulted(nonZero("u32"), 1)),
  tls_dir: since(53, optional(text)),
  memory_mode: since(53, defaulted(MODES, "Precopy")),
  preserve_source: since(54, defaulted(bool, false)),
});
export interface Send {
  readonly destination_url: string;
  readonly local: boolean;
  readonly connections?: number;
  readonly tls_dir?: string;
  readonly memory_mode?: string;
}
