/** A fleet as it was seen last, with what is remembered of those who do not answer any more. Pure. */
import { hasProcess } from "../../model/capacity.ts";
import type { DesiredState } from "../../model/desired-state.ts";
import type { Instant, NodeName, VmName } from "../../model/names.ts";
import type { NodeReport, ObservedState, VmReport } from "../../model/observed-state.ts";
import type { Plan } from "../../plan/plan-document.ts";

export interface Sighting {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  /** Of the last plan. What is seen may be younger. */
  readonly plan: Plan;
  readonly silence: ReadonlyMap<NodeName, Silence>;
}

export interface Silence {
  readonly since: Instant;
  /** What it said last; null: nothing, to this process. */
  readonly last: NodeReport | null;
}

/** A VM of the fleet, and where. */
export interface Sight {
  readonly node: NodeName;
  readonly report: VmReport;
  /** It is as it was before its node went silent. */
  readonly silentSince: Instant | null;
}

/** Each VM of this fleet that an agent has, once: of one that moves, where its guest is. Those that answer come before those that did. */
export function sightsOf({ desired, observed, silence }: Sighting): ReadonlyMap<VmName, Sight> {
  const sights = new Map<VmName, Sight>();
  const put = (node: NodeName, report: NodeReport, silentSince: Instant | null) => {
    for (const vm of report.vms) {
      if (vm.fleet !== desired.fleet.name || vm.migration?.stage === "left") continue;
      const before = sights.get(vm.name);
      if (before === undefined || isRather(vm, silentSince, before))
        sights.set(vm.name, { node, report: vm, silentSince });
    }
  };
  for (const node of observed.nodes) {
    if (node.reach === "answered") put(node.name, node.report, null);
    else {
      const known = silence.get(node.name);
      if (known?.last) put(node.name, known.last, known.since);
    }
  }
  return sights;
}

function isRather(vm: VmReport, silentSince: Instant | null, before: Sight): boolean {
  if ((silentSince === null) !== (before.silentSince === null)) return silentSince === null;
  const isHome = ({ migration }: VmReport) => migration === undefined || migration.role === "source";
  if (isHome(vm) !== isHome(before.report)) return isHome(vm);
  return hasProcess(vm) && !hasProcess(before.report);
}
