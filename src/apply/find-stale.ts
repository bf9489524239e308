/**
 * Is the world still as the plan saw it? Asked before a saved plan is applied, of the VMs that it touches and no others. Pure.
 *
 *   plan-file.ts → observe/ → [find-stale.ts] → apply.ts
 */

import type { SeenVm } from "../model/changes.ts";
import { OdoroboError } from "../model/errors.ts";
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedState, VmReport } from "../model/observed-state.ts";
import { whyUntouched } from "../model/unreadable-vm.ts";
import type { Plan } from "../plan/plan-document.ts";

export interface StaleVm {
  readonly vm: VmName;
  /** What the plan saw; null: no such VM. */
  readonly planned: SeenVm | null;
  /** Where it is now; empty: nowhere. Null: it cannot be told, because `silent` do not answer. */
  readonly now: readonly SeenVm[] | null;
  readonly silent: readonly NodeName[];
  /** Both states in a sentence, the VM's name first. */
  readonly text: string;
}

/**
 * The VMs of the plan that have moved on or cannot be checked, sorted by name.
 * `fenced`: nodes that a person declared off; nothing is made of their silence. Without it every silent node counts.
 */
export function findStale(plan: Plan, observed: ObservedState, fenced: ReadonlySet<NodeName> = new Set()): StaleVm[] {
  const touched = Object.keys(plan.base.vms) as VmName[];
  const world = lookAt(plan, new Set(touched), observed);
  const silent = observed.nodes.filter((node) => node.reach === "silent" && !fenced.has(node.name));
  const silentNames = silent.map((node) => node.name);
  const needed = nodesOf(plan);
  const stale: StaleVm[] = [];
  for (const vm of touched.sort(byName)) {
    const planned = plan.base.vms[vm] ?? null;
    const homes = world.homes.get(vm) ?? [];
    const unseen = silentNames.filter((node) => matters(node, planned, needed.get(vm)));
    const text = compare(planned, homes, world.unreadable.get(vm), unseen);
    if (text === null) continue;
    const now = homes.length === 0 && unseen.length > 0 ? null : homes.map(toSeen);
    stale.push({ vm, planned, now, silent: unseen, text: `${vm}: ${text}` });
  }
  return stale;
}

/** Throws PLAN_STALE, naming every VM and both its states. */
export function refuseStale(plan: Plan, stale: readonly StaleVm[]): void {
  if (stale.length === 0) return;
  const all = Object.keys(plan.base.vms).length;
  const head = `plan ${plan.id} no longer fits ${stale.length} of the ${all} VMs that it touches`;
  throw new OdoroboError("PLAN_STALE", [`${head}:`, ...stale.map(({ text }) => `  ${text}`)].join("\n"), {
    hint: "nothing was begun; make a new plan",
  });
}

interface Home {
  readonly node: NodeName;
  readonly report: VmReport;
}

interface World {
  readonly homes: ReadonlyMap<VmName, readonly Home[]>;
  /** VMs that are there, with records that their agents cannot read: which node, and the problem. */
  readonly unreadable: ReadonlyMap<VmName, string>;
}

function lookAt(plan: Plan, wanted: ReadonlySet<VmName>, observed: ObservedState): World {
  const homes = new Map<VmName, Home[]>();
  const unreadable = new Map<VmName, string>();
  /** Nodes that report a VM whose name cannot be read: it may be any that is seen nowhere. */
  const nameless = new Map<VmName, NodeName>();
  for (const node of observed.nodes) {
    if (node.reach === "silent") continue;
    for (const report of node.report.vms) {
      // Another fleet's VM of the same name is a second home of none that was seen as ours.
      const isOthers = report.fleet !== null && report.fleet !== plan.fleet;
      if (hasNoLife(report) || !wanted.has(report.name) || (isOthers && (plan.base.vms[report.name] ?? null) !== null))
        continue;
      const home = { node: node.name, report };
      const known = homes.get(report.name);
      if (known) known.push(home);
      else homes.set(report.name, [home]);
    }
    for (const vm of node.report.unreadable ?? []) {
      if (wanted.has(vm.name)) unreadable.set(vm.name, whyUntouched(node.name, vm));
    }
    if (!node.report.illegible) continue;
    for (const name of wanted) nameless.set(name, node.name);
  }
  for (const [name, node] of nameless)
    if (!homes.has(name) && !unreadable.has(name))
      unreadable.set(name, `it may be on ${node}, which reports a VM without a name that can be read`);
  return { homes, unreadable };
}

/** What a move left behind, and a guest that is expected and has not set out: neither is a home. */
const hasNoLife = ({ migration }: VmReport): boolean => migration?.stage === "left" || migration?.stage === "expected";

/** A VM that was nowhere may by now be on any node; one that had a home is looked for there, and where its steps take it. */
const matters = (silent: NodeName, planned: SeenVm | null, steps: ReadonlySet<NodeName> | undefined): boolean =>
  planned === null || planned.node === silent || steps?.has(silent) === true;

function nodesOf(plan: Plan): ReadonlyMap<VmName, ReadonlySet<NodeName>> {
  const nodes = new Map<VmName, Set<NodeName>>();
  for (const step of plan.steps) {
    const known = nodes.get(step.vm) ?? new Set();
    nodes.set(step.vm, known.add(step.node));
    if (step.kind === "migrateVm") known.add(step.fromNode);
  }
  return nodes;
}

/** Null: as it was. */
function compare(
  planned: SeenVm | null,
  homes: readonly Home[],
  unreadable: string | undefined,
  silent: readonly NodeName[],
): string | null {
  const [home] = homes;
  const same =
    planned === null
      ? home === undefined
      : homes.length === 1 &&
        home?.node === planned.node &&
        home.report.generation === planned.generation &&
        home.report.serial === planned.serial;
  const before = `the plan saw ${describeSeen(planned)}`;
  if (unreadable !== undefined) return `${before}; now ${unreadable}`;
  if (!same && homes.length > 0) return `${before}; now ${homes.map(describeHome).join(" and ")}`;
  if (silent.length > 0) return `${before}; now it cannot be checked, because ${listNodes(silent)}`;
  return same ? null : `${before}; now it is nowhere`;
}

const toSeen = ({ node, report: { generation, serial } }: Home): SeenVm => ({ node, generation, serial });

const describeSeen = (seen: SeenVm | null): string =>
  seen === null ? "no such VM" : `generation ${seen.generation}, serial ${seen.serial} on ${seen.node}`;

function describeHome(home: Home): string {
  const { phase, reason, commit } = home.report;
  const state = reason === null ? phase : `${phase}: ${reason}`;
  const origin = commit === null ? "applied from no commit" : `applied from commit ${commit}`;
  return `${describeSeen(toSeen(home))} (${state}; ${origin})`;
}

function listNodes(nodes: readonly NodeName[]): string {
  const [first, ...others] = nodes;
  if (others.length === 0) return `${first} does not answer`;
  const shown = nodes.slice(0, 3).join(", ");
  return `${nodes.length} nodes do not answer (${shown}${nodes.length > 3 ? ", …" : ""})`;
}
