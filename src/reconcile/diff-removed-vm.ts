/**
 * One VM of this fleet that the manifests no longer want → its deletion, or why it stays.
 *
 *   locate-vms.ts → [diff-removed-vm.ts] → make-steps.ts
 */

import { heldBy, NOTHING } from "../model/capacity.ts";
import type { NodeName } from "../model/names.ts";
import type { NodeReport, VmReport } from "../model/observed-state.ts";
import type { Finding } from "./diff-vm.ts";

/** A VM that is no longer in the manifests: stopped and tombstoned, its disks kept. */
export function diffRemovedVm(vm: VmReport, node: NodeName, report: NodeReport, why: string): Finding {
  if (vm.spec.protect) {
    return {
      kind: "blocked",
      blocked: {
        name: vm.name,
        code: "PROTECTED",
        message: `${vm.name} on ${node} is protected, and ${why}`,
        hint: "to delete it, first apply its manifest with protect: false, then remove the manifest",
        source: null,
      },
    };
  }
  if (report.unfinished.some((entry) => entry.vm === vm.name)) {
    const because = `an operation is under way on ${node}; plan again when it has ended`;
    return { kind: "unknown", unknown: { kind: "VirtualMachine", name: vm.name, node, because } };
  }
  const days = Math.round(vm.spec.retainDisksSeconds / 8640) / 10;
  const text =
    vm.spec.disks.length === 0 ? why : `${why}; its disks are kept for ${days} ${days === 1 ? "day" : "days"}`;
  return {
    kind: "change",
    draft: {
      name: vm.name,
      node,
      action: "destroy",
      class: "destroy",
      reasons: [{ because: "git", field: null, from: vm.phase, to: null, class: "destroy", text, source: null }],
      seen: { node, generation: vm.generation, serial: vm.serial },
      put: null,
      power: "delete",
      staysDown: false,
      restsAfter: false,
      before: heldBy(vm),
      after: NOTHING,
      departure: { kind: "rooted", why: "it is deleted" },
      group: vm.spec.group,
      source: null,
    },
  };
}
