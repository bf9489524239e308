/** What the agents of a fleet say when every VM runs as the manifests want: one JSON file per node, made before anything is timed. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DesiredState, DesiredVm } from "../src/model/desired-state.ts";
import { digestOf } from "../src/model/digest.ts";
import { toLiveConfig } from "../src/model/fields.ts";
import { instant, type NodeName, nodeName } from "../src/model/names.ts";
import type { HypervisorReport, NodeReport, VmReport, Whereabouts } from "../src/model/observed-state.ts";

const NOON = instant("2026-01-01T12:00:00.000Z");

/** Some nodes know where all the others' VMs are, too: as many as an apply tells. */
const WITNESSES = 7;

export async function writeReports(
  folder: string,
  desired: DesiredState,
  homeOf: (vm: DesiredVm) => string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const homes = Map.groupBy(desired.vms, homeOf);
  const whereabouts: Whereabouts = {
    fleet: desired.fleet.name,
    at: NOON,
    homes: Object.fromEntries(desired.vms.map((vm) => [vm.name, nodeName(homeOf(vm))])),
  };
  for (const [index, { name }] of desired.nodes.entries()) {
    const report = reportOf(name, homes.get(name) ?? [], desired.fleet.name);
    const told = index < WITNESSES ? { ...report, whereabouts: [whereabouts] } : report;
    await writeFile(reportFile(folder, name), JSON.stringify(told));
  }
}

export const reportFile = (folder: string, node: string): string => join(folder, `${node}.json`);

const reportOf = (node: NodeName, vms: readonly DesiredVm[], fleet: string): NodeReport => ({
  apiVersion: 1,
  at: NOON,
  node: { name: nodeName(node), id: `id-of-${node}`, agentVersion: "0.1.0", bootId: "boot-1", startedAt: NOON },
  capacity: { cpus: 64, memoryMiB: 262_144 },
  hypervisors: [CLOUD_HYPERVISOR],
  vms: vms.map((vm) => vmReportOf(vm, fleet)),
  tombstones: [],
  unfinished: [],
});

const vmReportOf = ({ name, spec }: DesiredVm, fleet: string): VmReport => ({
  name,
  fleet,
  generation: 3,
  serial: 17,
  phase: "running",
  endedBy: null,
  reason: null,
  ready: true,
  since: NOON,
  spec,
  specDigest: digestOf(spec),
  commit: "3f786850e387550fdab836ed7e6dc881de23001b",
  appliedAt: NOON,
  live: toLiveConfig(spec),
  drift: [],
  pid: 4711,
});

const CLOUD_HYPERVISOR: HypervisorReport = {
  kind: "cloud-hypervisor",
  version: "48.0",
  accelerator: "kvm",
  capabilities: {
    live: {
      cpusUp: true,
      cpusDown: true,
      memoryUp: true,
      memoryDown: false,
      diskGrow: true,
      diskAttach: true,
      diskDetach: true,
      nicAttach: true,
      nicDetach: true,
    },
    pause: true,
    migrate: true,
    bootKinds: ["firmware", "kernel"],
    diskKinds: ["image", "blank", "file", "rbd"],
    nicKinds: ["user", "bridge", "none"],
    cloudInit: true,
  },
};
