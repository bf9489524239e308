/**
 * A guest that a node expects, and that nobody sends: whoever asked for the move died between its two halves. The room that is
 * kept for it is its own, and the next plan moves it as if nobody had asked (the agent takes a new ticket in place of the old).
 */
import type { NodeName, VmName } from "../model/names.ts";
import type { NodeReport, ObservedState, VmReport } from "../model/observed-state.ts";

const isSending = ({ migration }: VmReport): boolean => migration?.role === "source" && migration.stage !== "left";

/** Node by node as they answered, without them. One whose source is silent stays: nobody knows what it does. */
export function withoutLapsedArrivals({ nodes }: ObservedState): ReadonlyMap<NodeName, NodeReport> {
  const reports = new Map<NodeName, NodeReport>();
  for (const node of nodes) if (node.reach === "answered") reports.set(node.name, node.report);
  const idle = (source: NodeName | undefined, name: VmName) => {
    const there = source === undefined ? undefined : reports.get(source);
    return there !== undefined && !there.vms.some((vm) => vm.name === name && isSending(vm));
  };
  const hasLapsed = ({ name, migration }: VmReport) =>
    migration?.role === "destination" && migration.stage === "expected" && idle(migration.peer, name);
  for (const [node, report] of reports)
    if (report.vms.some(hasLapsed)) reports.set(node, { ...report, vms: report.vms.filter((vm) => !hasLapsed(vm)) });
  return reports;
}
