/** A node that was fenced, as it is found now: does it answer, and with which VMs that are elsewhere by now? */
import { hasProcess } from "../model/capacity.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import type { Returned } from "../report/what-if/unfence-text.ts";

export function findReturned(node: NodeName, fleet: string, observed: ObservedState): Returned {
  const here = observed.nodes.find(({ name }) => name === node);
  if (here === undefined || here.reach === "silent") return { node, answers: false, twice: [] };
  const others = observed.nodes.flatMap((each) =>
    each.reach === "answered" && each.name !== node ? each.report.vms.map((vm) => ({ vm, at: each.name })) : [],
  );
  const twice = here.report.vms.flatMap((vm) => {
    if (vm.fleet !== fleet || vm.migration?.stage === "left") return [];
    const other = others.find((each) => each.vm.name === vm.name && each.vm.migration?.stage !== "left");
    return other === undefined ? [] : [{ vm: vm.name, elsewhere: other.at, runsHere: hasProcess(vm) }];
  });
  return { node, answers: true, twice: twice.sort((a, b) => byName(a.vm, b.vm)) };
}
