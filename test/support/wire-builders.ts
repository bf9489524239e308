/** Documents of the wire, complete and valid; a test says only what differs. */
import { digestOf } from "../../src/model/digest.ts";
import { instant, nodeName, type VmName, vmName } from "../../src/model/names.ts";
import type { NodeReport, VmReport } from "../../src/model/observed-state.ts";
import type { VmSpec } from "../../src/model/vm-spec.ts";
import type { OperationResult, PutVmRequest } from "../../src/wire/operations.ts";

const NOON = instant("2026-01-01T12:00:00.000Z");

export const aWireSpec = (over: Partial<VmSpec> = {}): VmSpec => ({
  hypervisor: "noop",
  runStrategy: "Always",
  labels: { app: "web" },
  annotations: {},
  cpus: { count: 1, max: 1 },
  memory: { sizeMiB: 128, maxMiB: 128 },
  boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
  disks: [
    {
      name: "root",
      origin: { kind: "image", image: "debian-12", path: "/images/d.qcow2", format: "qcow2", sizeMiB: 64 },
      readonly: false,
    },
  ],
  nics: [
    { name: "eth0", network: "front", attachment: { kind: "user" }, mac: "52:54:00:00:00:01", address: "10.0.0.11/24" },
  ],
  cloudInit: null,
  ready: null,
  migration: { mode: "live", downtimeMs: 300, timeoutSeconds: 600 },
  onDrain: "migrate",
  group: null,
  protect: false,
  retainDisksSeconds: 604_800,
  shutdownGraceSeconds: 90,
  weights: { cpu: null, io: null },
  passthrough: {},
  ...over,
});

export const aPut = (over: Partial<PutVmRequest> = {}): PutVmRequest => ({
  id: "put-1",
  fleet: "shop",
  commit: null,
  generation: 1,
  spec: aWireSpec(),
  files: {},
  expect: null,
  ...over,
});

export const aVmReport = (name: string, over: Partial<VmReport> = {}): VmReport => {
  const spec = over.spec ?? aWireSpec();
  const { cpus, memory, boot, disks, nics, cloudInit, passthrough } = spec;
  return {
    name: vmName(name),
    fleet: "shop",
    generation: 1,
    serial: 1,
    phase: "running",
    endedBy: null,
    reason: null,
    ready: true,
    since: NOON,
    spec,
    specDigest: digestOf(spec),
    commit: null,
    appliedAt: NOON,
    live: { cpus, memory, boot, disks, nics, cloudInit, passthrough },
    drift: [],
    pid: 4711,
    ...over,
  };
};

export const aNodeReport = (name: string, over: Partial<NodeReport> = {}): NodeReport => ({
  apiVersion: 1,
  at: NOON,
  node: { name: nodeName(name), id: `id-of-${name}`, agentVersion: "0.1.0", bootId: "boot-1", startedAt: NOON },
  capacity: { cpus: 8, memoryMiB: 16_384 },
  hypervisors: [],
  vms: [],
  tombstones: [],
  unfinished: [],
  ...over,
});

export const aResult = (vm: VmName, id: string, over: Partial<OperationResult> = {}): OperationResult => ({
  id,
  vm,
  kind: "boot",
  outcome: "done",
  noop: false,
  error: null,
  after: aVmReport(vm),
  ...over,
});
