/**
 * What `odorobo status --json` prints: the fleet as it was seen, beside what the manifests name (`schemas/status.schema.json`).
 * It judges nothing (that is `plan`); what could not be seen stands in it as unknown and is counted nowhere else.
 */
import type { DesiredNode, DesiredState, Maintenance } from "../model/desired-state.ts";
import { maintenanceAt } from "../model/maintenance.ts";
import { byName, type Instant, type NodeName, type VmName } from "../model/names.ts";
import type {
  DriftedField,
  ImageProblem,
  NodeReport,
  ObservedNode,
  ObservedState,
  OwedChange,
  Phase,
  RestartState,
  VmReport,
} from "../model/observed-state.ts";
import type { RunStrategy } from "../model/vm-spec.ts";

export interface StatusDocument {
  readonly kind: "Status";
  readonly version: 1;
  readonly fleet: string;
  /** Where the manifests came from, as in a plan. */
  readonly source: string;
  readonly commit: string | null;
  readonly observedAt: Instant;
  readonly summary: StatusSummary;
  /** Sorted by name, as are the lists below. */
  readonly nodes: readonly NodeStatus[];
  /** Every VM of the nodes that answered. The summary counts this fleet's own, those that are left included. */
  readonly vms: readonly VmStatus[];
  /** In the manifests, on no node, and every node answered. */
  readonly absent: readonly VmName[];
  /** In the manifests and not seen, while a node that may have it is silent. */
  readonly unknown: readonly VmName[];
  /** On a node whose record of them cannot be read: neither absent nor known. */
  readonly unreadable: readonly { readonly name: VmName; readonly node: NodeName; readonly problem: string }[];
}

export interface StatusSummary {
  readonly nodes: number;
  readonly silentNodes: number;
  readonly vms: number;
  readonly running: number;
  readonly notReady: number;
  /** Somebody else changed them. */
  readonly drifted: number;
  /** Something was applied to them and waits for the guest, or for its next boot. */
  readonly pending: number;
  readonly absent: number;
  readonly unknown: number;
}

export interface NodeStatus {
  readonly name: NodeName;
  readonly address: string;
  readonly reach: "answered" | "silent";
  readonly error: string | null;
  readonly cordoned: boolean;
  readonly fenced: boolean;
  /** Left out where none is planned. */
  readonly maintenance?: Maintenance & { readonly isUnderWay: boolean };
  readonly agentVersion: string | null;
  readonly hypervisors: readonly { readonly kind: string; readonly version: string }[];
  readonly capacity: { readonly cpus: number; readonly memoryMiB: number } | null;
  /** Sum of the specs of the VMs that have a process. */
  readonly used: { readonly cpus: number; readonly memoryMiB: number } | null;
  /** That live there. */
  readonly vms: number | null;
  readonly tombstones: number | null;
}

export interface VmStatus {
  readonly name: VmName;
  readonly node: NodeName;
  /** `fleet`: named by these manifests. `left`: applied by this fleet and no longer named. `other`: another fleet's, or made by hand. */
  readonly belongs: "fleet" | "left" | "other";
  readonly phase: Phase;
  readonly ready: boolean | null;
  readonly reason: string | null;
  readonly since: Instant;
  readonly runStrategy: RunStrategy;
  readonly generation: number;
  readonly commit: string | null;
  readonly appliedAt: Instant;
  readonly drift: readonly DriftedField[];
  /** Where its guest can be found, as its agent knows it. Left out: nothing is known. */
  readonly addresses?: VmReport["addresses"];
  /** Which of `drift` is nobody's doing: it was applied and waits for the guest, or for its next boot. Left out where there is none. */
  readonly pending?: readonly OwedChange[];
  /** The agent starts the guest again by itself, or has given that up; left out while there is nothing to tell. */
  readonly restart?: RestartState;
  /** It has moved away, and its old disks are still here: how much, and until when at least. */
  readonly left?: { readonly bytes: number; readonly until: Instant };
  /** Its agent would not boot it again, though it may run now: other bytes lie below this disk. Left out while all is well. */
  readonly bootRefused?: { readonly disk: string; readonly code: ImageProblem["code"] };
}

export interface StatusInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly source: string;
  readonly commit: string | null;
}

export function toStatusDocument({ desired, observed, source, commit }: StatusInput): StatusDocument {
  const named = new Set(desired.vms.map((vm) => vm.name));
  const answered = observed.nodes.filter((node) => node.reach === "answered");
  const vms = answered
    .flatMap((node) => node.report.vms.map((vm) => toVmStatus(vm, node.name, desired.fleet.name, named)))
    .sort((a, b) => byName(a.name, b.name) || byName(a.node, b.node));
  const unreadable = answered
    .flatMap((node) => (node.report.unreadable ?? []).map((vm) => ({ ...vm, node: node.name })))
    .sort((a, b) => byName(a.name, b.name));
  const seen = new Set([...vms, ...unreadable].map((vm) => vm.name));
  const unseen = desired.vms.map((vm) => vm.name).filter((name) => !seen.has(name));
  const fenced = new Set(desired.nodes.filter((node) => node.fenced).map((node) => node.name));
  const byNode = new Map(desired.nodes.map((node) => [node.name, node]));
  // What a VM left where it moved away from is no VM of its own.
  const left = new Set(
    answered.flatMap(({ name: node, report }) =>
      report.vms.flatMap(({ name, migration }) => (migration?.stage === "left" ? [`${node}/${name}`] : [])),
    ),
  );
  const own = vms.filter((vm) => vm.belongs !== "other" && !left.has(`${vm.node}/${vm.name}`));
  const someSilent = observed.nodes.some((node) => node.reach === "silent" && !fenced.has(node.name));
  const absent = someSilent ? [] : unseen;
  const unknown = someSilent ? unseen : [];
  return {
    kind: "Status",
    version: 1,
    fleet: desired.fleet.name,
    source,
    commit,
    observedAt: observed.at,
    summary: {
      nodes: observed.nodes.length,
      silentNodes: observed.nodes.length - answered.length,
      vms: own.length,
      running: own.filter((vm) => vm.phase === "running").length,
      notReady: own.filter((vm) => vm.ready === false).length,
      drifted: own.filter((vm) => driftedOf(vm).length > 0).length,
      pending: own.filter((vm) => vm.pending !== undefined).length,
      absent: absent.length,
      unknown: unknown.length + unreadable.length,
    },
    nodes: observed.nodes.map((node) => toNodeStatus(node, byNode.get(node.name), observed.at)),
    vms,
    absent,
    unknown,
    unreadable,
  };
}

/** What somebody else changed. */
export const driftedOf = ({ drift, pending = [] }: Pick<VmStatus, "drift" | "pending">): readonly DriftedField[] =>
  drift.filter(({ path }) => !pending.some((each) => each.path === path));

/** `at`: when it was seen. */
export function toNodeStatus(node: ObservedNode, desired: DesiredNode | undefined, at: Instant): NodeStatus {
  const report = node.reach === "answered" ? node.report : null;
  const maintenance = desired?.maintenance ?? null;
  return {
    name: node.name,
    address: desired?.address ?? "",
    reach: node.reach,
    error: node.reach === "silent" ? node.error : null,
    cordoned: desired?.cordoned ?? false,
    fenced: desired?.fenced ?? false,
    ...(desired && maintenance
      ? { maintenance: { ...maintenance, isUnderWay: maintenanceAt(desired, at) !== null } }
      : {}),
    agentVersion: report?.node.agentVersion ?? null,
    hypervisors: report?.hypervisors.map(({ kind, version }) => ({ kind, version })) ?? [],
    capacity: report?.capacity ?? null,
    used: report === null ? null : sumOf(report),
    vms: report?.vms.filter(livesHere).length ?? null,
    tombstones: report?.tombstones.length ?? null,
  };
}

/** Neither what a VM left when it moved away, nor one that is only expected. */
const livesHere = ({ migration }: VmReport): boolean => migration?.stage !== "left" && migration?.stage !== "expected";

function sumOf(report: NodeReport): { cpus: number; memoryMiB: number } {
  const running = report.vms
    .filter((vm) => vm.phase !== "stopped" && vm.phase !== "crashed")
    .map((vm) => vm.live ?? toSize(vm));
  return {
    cpus: running.reduce((sum, vm) => sum + vm.cpus.count, 0),
    memoryMiB: running.reduce((sum, vm) => sum + vm.memory.sizeMiB, 0),
  };
}

const toSize = ({ spec }: VmReport) => ({ cpus: spec.cpus, memory: spec.memory });

/** `named`: the VMs of the manifests at hand; null when there are none at hand and only the agent is asked. */
export function toVmStatus(vm: VmReport, node: NodeName, fleet: string | null, named: ReadonlySet<VmName>): VmStatus {
  return {
    name: vm.name,
    node,
    belongs: vm.fleet === null || vm.fleet !== fleet ? "other" : named.has(vm.name) ? "fleet" : "left",
    phase: vm.phase,
    ready: vm.ready,
    reason: vm.reason,
    since: vm.since,
    runStrategy: vm.spec.runStrategy,
    generation: vm.generation,
    commit: vm.commit,
    appliedAt: vm.appliedAt,
    ...(vm.left === undefined ? {} : { left: vm.left }),
    drift: vm.drift,
    ...(vm.addresses === undefined ? {} : { addresses: vm.addresses }),
    ...(vm.owed === undefined || vm.owed.length === 0 ? {} : { pending: vm.owed }),
    ...(vm.restart === undefined ? {} : { restart: vm.restart }),
    ...bootRefusal(vm),
  };
}

function bootRefusal({ images }: VmReport): Pick<VmStatus, "bootRefused"> {
  for (const { disk, problem } of images ?? []) {
    if (problem !== undefined) return { bootRefused: { disk, code: problem.code } };
  }
  return {};
}
