/**
 * The world as a plan would leave it, were all its steps done: for questions about it that need no order and no time.
 *
 *   Plan + ObservedState → [after-plan.ts] → explain-vm.ts, rebalance.ts
 */
import type { Change } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { digestOf } from "../model/digest.ts";
import { toLiveConfig } from "../model/fields.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedNode, ObservedState, VmReport } from "../model/observed-state.ts";
import { type VmSpec, wantsRunning } from "../model/vm-spec.ts";
import type { Plan } from "../plan/plan-document.ts";

/** `except`: VMs that are left as they are, whatever the plan does to them. */
export function afterPlan(
  plan: Plan,
  desired: DesiredState,
  observed: ObservedState,
  except: ReadonlySet<VmName> = new Set(),
): ObservedState {
  const changes = plan.changes.filter(({ name }) => !except.has(name));
  if (changes.length === 0) return observed;
  const isChanged = new Set(changes.map(({ name }) => name));
  const before = new Map<VmName, VmReport>();
  for (const node of observed.nodes)
    if (node.reach === "answered") for (const vm of node.report.vms) before.set(vm.name, vm);
  const wanted = new Map(desired.vms.map(({ name, spec }) => [name, spec]));
  const arrivals = new Map<NodeName, VmReport[]>();
  for (const change of changes) {
    const spec = plan.specs[change.name] ?? before.get(change.name)?.spec ?? wanted.get(change.name);
    if (change.action === "destroy" || spec === undefined) continue;
    const vm = settled(change, spec, before.get(change.name), plan, observed);
    arrivals.set(change.node, [...(arrivals.get(change.node) ?? []), vm]);
  }
  const nodes = observed.nodes.map((node): ObservedNode => {
    if (node.reach === "silent") return node;
    const stay = node.report.vms.filter((vm) => !isChanged.has(vm.name) || vm.migration?.stage === "left");
    const vms = [...stay, ...(arrivals.get(node.name) ?? [])].sort((a, b) => byName(a.name, b.name));
    return { ...node, report: { ...node.report, vms } };
  });
  return { ...observed, nodes };
}

function settled(
  { name, action }: Change,
  spec: VmSpec,
  before: VmReport | undefined,
  plan: Plan,
  observed: ObservedState,
): VmReport {
  const wasUp = before !== undefined && (before.phase === "running" || before.phase === "paused");
  const isUp = action !== "stop" && (action === "boot" || wasUp || wantsRunning(spec.runStrategy, false) === true);
  const base: VmReport = before ?? {
    name,
    fleet: plan.fleet,
    generation: 0,
    serial: 0,
    phase: "stopped",
    endedBy: null,
    reason: null,
    ready: null,
    since: observed.at,
    spec,
    specDigest: digestOf(spec),
    commit: plan.base.commit,
    appliedAt: observed.at,
    live: null,
    drift: [],
    pid: null,
  };
  return {
    ...base,
    spec,
    generation: base.generation + 1,
    phase: isUp ? "running" : "stopped",
    live: isUp ? toLiveConfig(spec) : null,
  };
}
