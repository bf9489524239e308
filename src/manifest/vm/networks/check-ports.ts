/**
 * Ports of a node that two VMs are to have, as far as manifests can say it: both run, and can only be on the one node. Where a VM may be on
 * several nodes the plan knows, and the agent that would have to open a port twice. Pure.
 */
import type { Forward, VmSpec } from "../../../model/vm-spec.ts";
import type { BuiltVm, ReportAbout } from "../built-vm.ts";

/** `nodes`: all of the fleet. Of two that clash, the later one hears of it. */
export function checkPorts(vms: readonly BuiltVm[], nodes: readonly string[], report: ReportAbout): void {
  const taken = new Map<string, { readonly vm: BuiltVm; readonly forward: Forward }[]>();
  for (const vm of vms) {
    const homes = vm.placement.nodes.length > 0 ? vm.placement.nodes : nodes;
    const [home] = homes;
    if (homes.length !== 1 || home === undefined || !runs(vm.spec)) continue;
    for (const { name, forwards = [] } of vm.spec.nics)
      for (const forward of forwards) {
        if (forward.hostPort === null) continue;
        const key = `${home} ${forward.protocol} ${forward.hostPort}`;
        const others = taken.get(key) ?? [];
        const other = others.find((each) => each.vm !== vm && overlaps(each.forward.host, forward.host));
        taken.set(key, [...others, { vm, forward }]);
        if (other !== undefined)
          report(vm, ["nics", name, "forwards"], {
            code: "conflicting-fields",
            message: `${other.vm.name} is to have port ${forward.hostPort} of ${home} too`,
            hint: `name another one, or none: forwards: [${forward.guestPort}] has the agent choose one that is free`,
          });
      }
  }
}

const runs = ({ runStrategy }: VmSpec): boolean => runStrategy === "Always" || runStrategy === "RerunOnFailure";

const overlaps = (one: string, other: string): boolean => one === other || one === ANY || other === ANY;

const ANY = "0.0.0.0";
