/** Every endpoint of Cloud Hypervisor's API: what it is asked with, what it answers, how long that may take. */
import type {
  PciDeviceInfo,
  RequestBodies,
  VmCounters,
  VmInfo,
  VmmPingResponse,
} from "../../../model/cloud-hypervisor/api.ts";

/** Answers with a body. All others answer nothing. */
interface Answers {
  readonly "vmm.ping": VmmPingResponse;
  readonly "vm.info": VmInfo;
  readonly "vm.counters": VmCounters;
  /** Of a device that was added to a running guest; null where the guest is off and only its configuration was changed. */
  readonly "vm.add-device": PciDeviceInfo | null;
  readonly "vm.add-user-device": PciDeviceInfo | null;
  readonly "vm.add-disk": PciDeviceInfo | null;
  readonly "vm.add-fs": PciDeviceInfo | null;
  readonly "vm.add-generic-vhost-user": PciDeviceInfo | null;
  readonly "vm.add-pmem": PciDeviceInfo | null;
  readonly "vm.add-net": PciDeviceInfo | null;
  readonly "vm.add-vdpa": PciDeviceInfo | null;
  readonly "vm.add-vsock": PciDeviceInfo | null;
}

interface EndpointFacts {
  readonly method: "GET" | "PUT";
  /** Null: as long as it takes, or until the caller's signal. */
  readonly deadlineMs: number | null;
}

/** Answers come within a millisecond; one that waits behind another process's long call does not. */
const QUICK_MS = 15_000;
/** Opens disks, reserves memory, connects to back ends: with `prefault` it touches every page of the guest first. */
const BOOT_MS = 10 * 60_000;

const get = (deadlineMs: number | null): EndpointFacts => ({ method: "GET", deadlineMs });
const put = (deadlineMs: number | null): EndpointFacts => ({ method: "PUT", deadlineMs });

export const ENDPOINTS = {
  "vmm.ping": get(QUICK_MS),
  "vmm.shutdown": put(QUICK_MS),
  "vm.info": get(QUICK_MS),
  "vm.counters": get(QUICK_MS),
  "vm.create": put(QUICK_MS),
  "vm.delete": put(QUICK_MS),
  "vm.boot": put(BOOT_MS),
  "vm.pause": put(QUICK_MS),
  "vm.resume": put(QUICK_MS),
  "vm.shutdown": put(QUICK_MS),
  "vm.reboot": put(BOOT_MS),
  "vm.power-button": put(QUICK_MS),
  "vm.nmi": put(QUICK_MS),
  "vm.resize": put(QUICK_MS),
  "vm.resize-disk": put(QUICK_MS),
  "vm.resize-zone": put(QUICK_MS),
  "vm.add-device": put(QUICK_MS),
  "vm.add-user-device": put(QUICK_MS),
  "vm.add-disk": put(QUICK_MS),
  "vm.add-fs": put(QUICK_MS),
  "vm.add-generic-vhost-user": put(QUICK_MS),
  "vm.add-pmem": put(QUICK_MS),
  "vm.add-net": put(QUICK_MS),
  "vm.add-vdpa": put(QUICK_MS),
  "vm.add-vsock": put(QUICK_MS),
  "vm.remove-device": put(QUICK_MS),
  // They write or read the guest's whole memory.
  "vm.snapshot": put(null),
  "vm.restore": put(null),
  "vm.coredump": put(null),
  // They wait for another host.
  "vm.receive-migration": put(null),
  "vm.send-migration": put(null),
} as const satisfies Readonly<Record<string, EndpointFacts>>;

export type Endpoint = keyof typeof ENDPOINTS;
export type BodyOf<E extends Endpoint> = E extends keyof RequestBodies ? RequestBodies[E] : null;
export type AnswerOf<E extends Endpoint> = E extends keyof Answers ? Answers[E] : null;
