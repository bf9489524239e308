/** What a plan was made of, in one digest: two plans with the same one saw the same world. */
import { digestOf } from "../model/digest.ts";
import type { Digest } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";

/** The serial moves with everything that happens to a VM, so it stands for the rest of its report. */
export function digestOfObserved(observed: ObservedState): Digest {
  const facts = observed.nodes.map((node) => {
    if (node.reach === "silent") return [node.name, "silent"];
    const { capacity, hypervisors, vms, tombstones } = node.report;
    const looks = node.looks === undefined ? [] : [node.looks];
    const kinds = hypervisors.map((each) => `${each.kind} ${each.version}`);
    const seen = vms.map((vm) => `${vm.name} ${vm.generation} ${vm.serial} ${vm.phase} ${vm.specDigest}`);
    const kept = tombstones.map((each) => `${each.name} ${each.generation} ${each.serial}`);
    return [node.name, capacity.cpus, capacity.memoryMiB, kinds, seen, kept, ...looks];
  });
  return digestOf(facts);
}
