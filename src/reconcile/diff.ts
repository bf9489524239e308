/**
 * Desired × observed → what every VM needs, each by itself.
 *
 *   locate-vms.ts → [diff.ts: diff-vm.ts for each] → place-vms.ts
 */

import type { Blocked, Selection } from "../model/changes.ts";
import type { DesiredNode, DesiredState, DesiredVm } from "../model/desired-state.ts";
import { maintenanceAt } from "../model/maintenance.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type { DiffMemory } from "./diff-memory.ts";
import { diffRemovedVm } from "./diff-removed-vm.ts";
import { diffPresentVm, type Finding } from "./diff-vm.ts";
import type { Sightings } from "./locate-vms.ts";
import { isSelected } from "./select.ts";

/** `at`: when the world was seen. `memory`: of who plans again and again. What every VM needs, by itself: desired ones, and those of this fleet that are no longer desired. Sorted by name. */
export function findDifferences(
  desired: DesiredState,
  sightings: Sightings,
  selection: Selection | null,
  at: Instant,
  removedBecause = "it is no longer in the manifests",
  memory: DiffMemory | null = null,
): Map<VmName, Finding> {
  memory?.begin();
  const nodes = new Map(desired.nodes.map((node) => [node.name, node]));
  const findings: [VmName, Finding][] = [];
  for (const vm of desired.vms) {
    if (selection === null || isSelected({ name: vm.name, labels: vm.spec.labels }, selection))
      findings.push([vm.name, findDifference(vm, desired.fleet.name, sightings, nodes, at, memory)]);
  }
  const wanted = new Set(desired.vms.map((vm) => vm.name));
  for (const name of sightings.ofFleet.keys()) {
    if (wanted.has(name)) continue;
    const location = sightings.locate(name);
    if (location.kind === "unknown" && isSelected({ name, labels: {} }, selection))
      findings.push([name, unknownVm(name, location.because)]);
    if (location.kind === "two-homes") findings.push([name, twoHomes(name, location.nodes, null)]);
    if (location.kind !== "present" || !isSelected({ name, labels: location.vm.spec.labels }, selection)) continue;
    const report = sightings.reports.get(location.node);
    if (report) findings.push([name, diffRemovedVm(location.vm, location.node, report, removedBecause)]);
  }
  return new Map(findings.sort(([a], [b]) => byName(a, b)));
}

function findDifference(
  vm: DesiredVm,
  fleet: string,
  sightings: Sightings,
  nodes: ReadonlyMap<NodeName, DesiredNode>,
  at: Instant,
  memory: DiffMemory | null,
): Finding {
  const location = sightings.locate(vm.name);
  const remains = sightings.remains(vm.name);
  switch (location.kind) {
    case "unknown":
      return unknownVm(vm.name, location.because);
    case "two-homes":
      return twoHomes(vm.name, location.nodes, vm.source);
    case "absent": {
      const kept = location.tombstone;
      const text = kept && kept.tombstone.disks.length > 0 ? `it comes back to its disks on ${kept.node}` : "it is new";
      const reasons = [
        {
          because: "git",
          field: null,
          from: null,
          to: vm.spec.runStrategy === "Always" || vm.spec.runStrategy === "RerunOnFailure" ? "running" : "stopped",
          class: "live",
          text,
          source: vm.source,
        },
      ] as const;
      return {
        kind: "homeless",
        homeless: {
          ...{ vm, spec: vm.spec, keptDisks: kept, remains, from: null, moves: null, reasons },
          above: sightings.lastGeneration(vm.name),
        },
      };
    }
    case "present": {
      const node = nodes.get(location.node);
      const report = sightings.reports.get(location.node);
      if (!node || !report) throw new Error(`the report of ${location.node} belongs to no node of the fleet`);
      const maintenance = maintenanceAt(node, at);
      const present = { vm: location.vm, node, report, maintenance, remains };
      const find = () => diffPresentVm(vm, present, fleet);
      return memory === null ? find() : memory.finding(vm, present, fleet, find);
    }
  }
}

const unknownVm = (name: VmName, because: string): Finding => ({
  kind: "unknown",
  unknown: { kind: "VirtualMachine", name, node: null, because },
});

const twoHomes = (name: VmName, nodes: readonly NodeName[], source: Blocked["source"]): Finding => ({
  kind: "blocked",
  blocked: {
    name,
    code: "TWO_HOMES",
    message: `${name} exists on ${nodes.join(" and ")}; odorobo touches neither`,
    hint: `find out which one is right and delete the other: ${nodes.map((node) => `odorobo vm delete ${name} --node ${node}`).join(", or ")}`,
    source,
  },
});
