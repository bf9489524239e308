/**
 * Where every VM is, in the three values of the world: present on one node, absent, or unknown. First step of planning.
 *
 *   [locate-vms.ts] → diff-vm.ts → place-vms.ts → make-steps.ts → order-steps.ts
 *
 * The rule: while a node is silent and nobody has fenced it, a VM that no other node reports may be there.
 * It is not absent, it is unknown, and nothing is started for it. The same holds for a VM whose last known home has left
 * the manifests: nobody asks that node any more. And for one that was migrated by hand, to where nobody here can see.
 */
import type { DesiredState } from "../model/desired-state.ts";
import type { Instant, NodeName, VmName } from "../model/names.ts";
import type {
  NodeReport,
  ObservedNode,
  ObservedState,
  Tombstone,
  VmReport,
  Whereabouts,
} from "../model/observed-state.ts";
import { whyUntouched } from "../model/unreadable-vm.ts";
import { isLaterNote } from "../model/whereabouts.ts";
import { withoutLapsedArrivals } from "./lapsed-arrivals.ts";

export type Location =
  | { readonly kind: "present"; readonly node: NodeName; readonly vm: VmReport }
  /** `tombstone`: where its disks were kept when it was last deleted. */
  | { readonly kind: "absent"; readonly tombstone: KeptDisks | null }
  | { readonly kind: "unknown"; readonly because: string }
  | { readonly kind: "two-homes"; readonly nodes: readonly NodeName[] };

export interface KeptDisks {
  readonly node: NodeName;
  readonly tombstone: Tombstone;
}

export type SilentNode = Extract<ObservedNode, { readonly reach: "silent" }>;

export interface Sightings {
  readonly locate: (name: VmName) => Location;
  /** What is left of deleted VMs of this name, on whatever node and of whichever fleet, in the order of nodes. */
  readonly remains: (name: VmName) => readonly KeptDisks[];
  /** The highest that a node reports of it, what it left when it moved away included; 0: none does. */
  readonly lastGeneration: (name: VmName) => number;
  /** Nodes that keep disks which it left when it moved away. They are older than it is, by definition. */
  readonly leftDisks: (name: VmName) => readonly NodeName[];
  /** VMs that this fleet applied, wherever they are, with their homes. */
  readonly ofFleet: ReadonlyMap<VmName, NodeName>;
  /** Nodes that answered, by name. */
  readonly reports: ReadonlyMap<NodeName, NodeReport>;
  /** Silent and not fenced: what lives there is unknown. */
  readonly silent: readonly SilentNode[];
}

export function locateVms(desired: DesiredState, observed: ObservedState): Sightings {
  const fleet = desired.fleet.name;
  const fenced = new Set(desired.nodes.filter((node) => node.fenced).map((node) => node.name));
  const reports = withoutLapsedArrivals(observed);
  const silent: SilentNode[] = [];
  const homes = new Map<VmName, { node: NodeName; vm: VmReport }[]>();
  const remains = new Map<VmName, KeptDisks[]>();
  const ofFleet = new Map<VmName, NodeName>();
  const unreadable = new Map<VmName, { readonly node: NodeName; readonly because: string }>();

  for (const node of observed.nodes) {
    if (node.reach === "silent") {
      if (!fenced.has(node.name)) silent.push(node);
      continue;
    }
    for (const vm of reports.get(node.name)?.vms ?? []) {
      const known = homes.get(vm.name);
      if (known) known.push({ node: node.name, vm });
      else homes.set(vm.name, [{ node: node.name, vm }]);
      // Where it left it has no home, if it has another one.
      if (vm.fleet === fleet && !((hasLeft(vm) || isAwaited(vm)) && ofFleet.has(vm.name)))
        ofFleet.set(vm.name, node.name);
    }
    for (const vm of node.report.unreadable ?? [])
      unreadable.set(vm.name, { node: node.name, because: whyUntouched(node.name, vm) });
    for (const tombstone of node.report.tombstones) {
      const known = remains.get(tombstone.name);
      if (known) known.push({ node: node.name, tombstone });
      else remains.set(tombstone.name, [{ node: node.name, tombstone }]);
    }
  }

  const mayBeElsewhere = describeSilent(silent) ?? describeIllegible(reports);
  const told = latestWhereabouts(fleet, reports.values());
  const lastHomes = told?.homes ?? {};
  // Whose it is stands in the record that cannot be read; what the agents were told of the fleet knows it too.
  for (const [name, { node }] of unreadable) if (Object.hasOwn(lastHomes, name)) ofFleet.set(name, node);
  const named = new Set(desired.nodes.map((node) => node.name));
  const isBuriedAt = (node: NodeName, name: VmName) => remains.get(name)?.some((each) => each.node === node) === true;
  /**
   * Where it moved to there is nothing of it any more: the node is lost, and a person has said so; or it answers, has the data
   * folder that it had, and whoever applied since has seen the VM there last, or nowhere.
   */
  const isGoneFrom = ({ migration }: VmReport, name: VmName): boolean => {
    if (migration?.stage !== "left" || migration.peer === undefined) return false;
    const { peer, since } = migration;
    const report = reports.get(peer);
    if (report === undefined) return fenced.has(peer);
    if (told === null || told.at <= since) return false;
    const lastHome = Object.hasOwn(lastHomes, name) ? lastHomes[name] : peer;
    return lastHome === peer && told.ids?.[peer] === report.node.id;
  };
  const locate = (name: VmName): Location => {
    const found = homes.get(name) ?? [];
    const [first] = found;
    const broken = unreadable.get(name);
    if (broken !== undefined) return { kind: "unknown", because: broken.because };
    // Nearly all are: ours, seen once, and not on the way.
    if (first !== undefined && found.length === 1 && first.vm.fleet === fleet && first.vm.migration === undefined)
      return { kind: "present", node: first.node, vm: first.vm };
    // Another fleet's VM of this name is another VM. One without a fleet may be ours, copied by hand.
    const ours = found.filter(({ vm }) => vm.fleet === fleet || vm.fleet === null);
    const stay = ours.filter(({ vm }) => !hasLeft(vm) && !isAwaited(vm));
    if (stay.length > 1) return { kind: "two-homes", nodes: stay.map((each) => each.node) };
    if (stay[0]) return { kind: "present", ...stay[0] };
    const awaited = ours.find(({ vm }) => isAwaited(vm));
    if (awaited) return { kind: "unknown", because: describeAwaited(awaited.node, awaited.vm) };
    const buried = latestOf(remains.get(name) ?? [], fleet);
    // It was deleted where it had arrived: what it left on its way is no question any more.
    if (ours[0] && buried !== null && ours.every(({ vm }) => hasLeftBefore(vm, buried.tombstone.deletedAt)))
      return { kind: "absent", tombstone: buried };
    const last = lastToLeave(ours);
    if (last && mayBeElsewhere === null && isGoneFrom(last.vm, name)) return { kind: "absent", tombstone: buried };
    if (last) return { kind: "unknown", because: describeMoved(last.node, last.vm) };
    if (first) return { kind: "present", ...first };
    if (mayBeElsewhere !== null) return { kind: "unknown", because: mayBeElsewhere };
    const lastHome = Object.hasOwn(lastHomes, name) ? lastHomes[name] : undefined;
    if (lastHome !== undefined && !named.has(lastHome)) return { kind: "unknown", because: describeLeft(lastHome) };
    if (told !== null && lastHome !== undefined && !fenced.has(lastHome) && !isBuriedAt(lastHome, name)) {
      const now = reports.get(lastHome)?.node.id;
      const then = homeIdOf(told, name);
      if (now !== undefined && then !== undefined && now !== then)
        return { kind: "unknown", because: describeOtherData(lastHome) };
    }
    return { kind: "absent", tombstone: latestOf(remains.get(name) ?? [], fleet) };
  };
  const lastGeneration = (name: VmName) => Math.max(0, ...(homes.get(name) ?? []).map(({ vm }) => vm.generation));
  const leftDisks = (name: VmName) =>
    (homes.get(name) ?? []).flatMap(({ node, vm }) => (keepsLeftDisks(vm) ? [node] : []));
  return { locate, remains: (name) => remains.get(name) ?? [], lastGeneration, leftDisks, ofFleet, reports, silent };
}

/** Its agent sent it to another node, or has given it to one and waits for its word. */
const hasLeft = ({ migration, phase }: VmReport): boolean =>
  migration?.role === "source" && (phase === "stopped" || phase === "crashed" || migration.stage === "given");

/** One that does not say how much it keeps may keep some. */
export const keepsLeftDisks = ({ migration, left }: VmReport): boolean =>
  migration?.stage === "left" && left?.bytes !== 0;

/** Of those who sent it on, the latest: it knows best where it went. */
function lastToLeave<At extends { readonly vm: VmReport }>(left: readonly At[]): At | undefined {
  const since = ({ vm }: At): string => vm.migration?.since ?? "";
  return left.reduce<At | undefined>(
    (latest, each) => (latest && since(latest) >= since(each) ? latest : each),
    undefined,
  );
}

/** Surely: the agents have settled it between them. */
const hasLeftBefore = ({ migration }: VmReport, at: Instant): boolean =>
  migration?.role === "source" && migration.stage === "left" && migration.since < at;

/** Two agents move it here, and it is not taken in: until then its home is where it comes from. */
const isAwaited = ({ migration }: VmReport): boolean =>
  migration?.role === "destination" && migration.stage !== undefined;

const describeMoved = (node: NodeName, { migration }: VmReport): string =>
  migration?.stage === undefined
    ? `was sent from ${node} to ${migration?.url} by hand, and no node that can be seen has it; if it runs nowhere, delete it on ${node}`
    : `moved from ${node} to ${migration.peer}, and no node that can be seen has it; if it runs nowhere and never will there, delete it on ${node}`;

const describeAwaited = (node: NodeName, { migration }: VmReport): string =>
  migration?.stage === "whole"
    ? `arrived on ${node} from ${migration.peer}, which has not released it; if ${migration.peer} is off and stays off: odorobo vm resume on ${node}`
    : `is expected on ${node} from ${migration?.peer}, which nobody can see`;

/** The latest deletion is where the VM last lived; the first in the order of nodes among equals. */
function latestOf(remains: readonly KeptDisks[], fleet: string): KeptDisks | null {
  let latest: KeptDisks | null = null;
  for (const each of remains) {
    if (each.tombstone.fleet !== fleet) continue;
    // ISO instants order as text.
    if (latest === null || latest.tombstone.deletedAt < each.tombstone.deletedAt) latest = each;
  }
  return latest;
}

/** The latest of what the agents were told about a fleet; the first in the order of nodes among equals. */
export function latestWhereabouts(fleet: string, reports: Iterable<NodeReport>): Whereabouts | null {
  let latest: Whereabouts | null = null;
  for (const report of reports) {
    for (const told of report.whereabouts ?? []) {
      if (told.fleet === fleet && (latest === null || isLaterNote(told, latest))) latest = told;
    }
  }
  return latest;
}

/** The id of the data folder that a VM was last seen in; undefined: nobody noted it. */
export const homeIdOf = ({ homes, ids, missingSince }: Whereabouts, name: VmName): string | undefined => {
  if (missingSince !== undefined && Object.hasOwn(missingSince, name)) return missingSince[name];
  const home = Object.hasOwn(homes, name) ? homes[name] : undefined;
  return home === undefined || ids === undefined || !Object.hasOwn(ids, home) ? undefined : ids[home];
};

const describeOtherData = (node: NodeName): string =>
  `was last on ${node}, which has another data folder by now: start its agent with the one that it had, or say fenced: true of that Node for one apply if it is lost`;

const describeLeft = (node: NodeName): string =>
  `was last on ${node}, which the manifests no longer name: put that Node back, with fenced: true if it is gone for good`;

function describeIllegible(reports: ReadonlyMap<NodeName, NodeReport>): string | null {
  for (const [name, { illegible }] of reports)
    if (illegible !== undefined && illegible > 0)
      return `may be on ${name}, which reports a VM without a name that can be read`;
  return null;
}

function describeSilent(silent: readonly { name: NodeName }[]): string | null {
  const names = silent.map((node) => node.name);
  if (names.length === 0) return null;
  if (names.length === 1) return `may be on ${names[0]}, which does not answer`;
  const shown = names.slice(0, 3).join(", ");
  return `may be on one of ${names.length} nodes that do not answer (${shown}${names.length > 3 ? ", …" : ""})`;
}
