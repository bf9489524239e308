/** VmConfig now × VmConfig wanted → the API calls that make true what can be made true while the guest runs. Pure. */
import type { RequestBodies } from "./api.ts";
import type { ChangeFacts } from "./change-rules.ts";
import type { VmConfig } from "./vm-config.ts";

type LiveEndpoint =
  | "vm.resize"
  | "vm.resize-disk"
  | "vm.resize-zone"
  | "vm.add-disk"
  | "vm.add-net"
  | "vm.add-fs"
  | "vm.add-generic-vhost-user"
  | "vm.add-pmem"
  | "vm.add-vdpa"
  | "vm.add-vsock"
  | "vm.add-device"
  | "vm.add-user-device"
  | "vm.remove-device";

/** One PUT: `{ endpoint: "vm.resize", body: { desired_vcpus: 2 } }`. A `vm.resize` changes one thing. */
export type LiveCall = {
  [Endpoint in LiveEndpoint]: { readonly endpoint: Endpoint; readonly body: RequestBodies[Endpoint] };
}[LiveEndpoint];

/** Bytes by device id: `vm.info` tells no disk's size. */
export interface DiskSizes {
  readonly now: Readonly<Record<string, number>>;
  readonly wanted: Readonly<Record<string, number>>;
}

/** In the order in which they are to be made, one by one: removals first, for they free ids and slots. */
export function planLiveChanges(
  _now: VmConfig,
  _wanted: VmConfig,
  _facts: ChangeFacts,
  _sizes?: DiskSizes,
): readonly LiveCall[] {
  throw new Error("not written yet");
}
