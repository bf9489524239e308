/** Every VM of a fleet that is or should be, a row each (`schemas/gateway-vms.schema.json`). Pure; ten thousand of them in some milliseconds. */
import { type ChangeClass, worstClass } from "../../model/change-class.ts";
import type { Change } from "../../model/changes.ts";
import type { DesiredVm } from "../../model/desired-state.ts";
import { byName, type NodeName, type VmName } from "../../model/names.ts";
import type { DriftedField, OwedChange, VmReport } from "../../model/observed-state.ts";
import type { VmSpec } from "../../model/vm-spec.ts";
import type { Plan } from "../../plan/plan-document.ts";
import type { RowPhase, VmAddress, VmRow } from "./page-documents.ts";
import { type Sight, type Sighting, sightsOf } from "./sighting.ts";

/** Sorted by name. */
export function toVmRows(sighting: Sighting): readonly VmRow[] {
  const sights = sightsOf(sighting);
  const desired = new Map(sighting.desired.vms.map((vm) => [vm.name, vm]));
  const planned = plannedIn(sighting.plan);
  const unreadable = unreadableOn(sighting);
  const isSomeSilent = silentNodes(sighting).size > 0;
  const names = [...new Set([...desired.keys(), ...sights.keys()])].sort(byName);
  return names.map((name) => {
    const vm = desired.get(name);
    const sight = sights.get(name);
    const known = {
      name,
      named: vm !== undefined,
      change: shown(planned.changes.get(name)),
      held: planned.held.get(name) ?? null,
    };
    if (sight !== undefined) return { ...known, ...seenRow(sight, planned.changes.get(name)) };
    const node = unreadable.get(name) ?? null;
    const phase: RowPhase = node !== null ? "unreadable" : isSomeSilent ? "unknown" : "absent";
    return { ...known, ...unseenRow(vm?.spec, phase, node) };
  });
}

/** What somebody else changed: not what was applied and waits. */
export const driftedIn = ({ drift, owed = [] }: Pick<VmReport, "drift" | "owed">): readonly DriftedField[] =>
  drift.filter(({ path }) => !owed.some((each) => each.path === path));

export const pendingIn = ({ owed = [] }: Pick<VmReport, "owed">): readonly OwedChange[] => owed;

type Known = Pick<VmRow, "name" | "named" | "change" | "held">;

function seenRow({ node, report, silentSince }: Sight, change: Change | undefined): Omit<VmRow, keyof Known> {
  const size = report.live ?? report.spec;
  return {
    node,
    group: report.spec.group,
    phase: silentSince === null ? report.phase : "unknown",
    ready: silentSince === null ? report.ready : null,
    pending: silentSince === null && pendingIn(report).length > 0,
    drift: silentSince === null ? driftClass(report, change) : null,
    cpus: size.cpus.count,
    memoryMiB: size.memory.sizeMiB,
    addresses: report.addresses?.map(({ address, source }) => ({ address, source })) ?? addressesOf(report.spec),
  };
}

const unseenRow = (spec: VmSpec | undefined, phase: RowPhase, node: NodeName | null): Omit<VmRow, keyof Known> => ({
  ...{ node, phase, ready: null, pending: false, drift: null },
  group: spec?.group ?? null,
  cpus: spec?.cpus.count ?? 0,
  memoryMiB: spec?.memory.sizeMiB ?? 0,
  addresses: spec === undefined ? [] : addressesOf(spec),
});

function driftClass(report: VmReport, change: Change | undefined): ChangeClass | null {
  const reasons = change?.reasons.filter(({ because }) => because === "drift") ?? [];
  if (driftedIn(report).length === 0 && reasons.length === 0) return null;
  return worstClass(reasons.map((reason) => reason.class));
}

function addressesOf({ nics }: VmSpec): readonly VmAddress[] {
  return nics.flatMap(({ address }) =>
    address === null ? [] : [{ address: address.replace(/\/.*$/, ""), source: "declared" }],
  );
}

const shown = (change: Change | undefined): VmRow["change"] =>
  change === undefined ? null : { action: change.action, class: change.class };

function plannedIn({ changes, waiting = [], blocked }: Plan) {
  const held = new Map<VmName, "waiting" | "blocked">();
  for (const { change } of waiting) held.set(change.name, "waiting");
  for (const { name } of blocked) held.set(name, "blocked");
  return { changes: new Map(changes.map((change) => [change.name, change])), held };
}

function unreadableOn({ observed }: Sighting): ReadonlyMap<VmName, NodeName> {
  return new Map(
    observed.nodes.flatMap((node) =>
      node.reach === "silent" ? [] : (node.report.unreadable ?? []).map(({ name }) => [name, node.name] as const),
    ),
  );
}

/** Of a node that somebody said is off nothing can be seen that runs. */
function silentNodes({ desired, observed }: Sighting): ReadonlySet<NodeName> {
  const fenced = new Set(desired.nodes.filter((node) => node.fenced).map(({ name }) => name));
  return new Set(observed.nodes.flatMap(({ name, reach }) => (reach === "silent" && !fenced.has(name) ? [name] : [])));
}

/** Which VM is desired under that name. */
export const desiredNamed = ({ desired }: Sighting, name: string): DesiredVm | undefined =>
  desired.vms.find((vm) => vm.name === name);
