/** Status, and the tables of nodes and VMs, for people. Rendered from the documents. */
import { describeMaintenance } from "../model/maintenance.ts";
import { driftedOf, type NodeStatus, type StatusDocument, type VmStatus } from "./status-document.ts";
import { showAddresses } from "./words/addresses.ts";
import { plural, showNames } from "./words/names.ts";
import { type Paint, paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";
import { showDifference, showRoughMiB } from "./words/values.ts";

export function renderStatus(status: StatusDocument, options: TableOptions): string {
  const paint = paintWith(options.colour);
  const sections = [
    `${paint("bold", describeSummary(status))}\n${paint("dim", `fleet ${safeLine(status.fleet)}, from ${safeLine(status.source)}${status.commit === null ? "" : ` at ${status.commit.slice(0, 12)}`}, seen at ${status.observedAt}`)}`,
    renderNodes(status.nodes, options),
    ...(status.vms.length === 0 ? [] : [renderVms(status.vms, options)]),
    ...renderDrift(status.vms, paint),
    ...status.unreadable.map(
      (vm) => `${paint("yellow", "Unreadable")} on ${safeLine(vm.node)}: ${safeLine(vm.name)}: ${safeLine(vm.problem)}`,
    ),
    ...(status.absent.length === 0 ? [] : [`In the manifests and on no node: ${showNames(status.absent)}`]),
    ...(status.unknown.length === 0
      ? []
      : [`${paint("yellow", "Unknown")}, while a node is silent: ${showNames(status.unknown)}`]),
  ];
  return sections.join("\n\n");
}

function describeSummary({ summary }: StatusDocument): string {
  const parts = [`${summary.running} of ${plural(summary.vms, "VM")} running`];
  if (summary.notReady > 0) parts.push(`${summary.notReady} not ready`);
  if (summary.drifted > 0) parts.push(`${summary.drifted} drifted`);
  if (summary.pending > 0) parts.push(`${summary.pending} pending`);
  if (summary.absent > 0) parts.push(`${summary.absent} absent`);
  if (summary.unknown > 0) parts.push(`${summary.unknown} unknown`);
  const silent = summary.silentNodes > 0 ? `, ${summary.silentNodes} silent` : "";
  return `${parts.join(", ")}; ${plural(summary.nodes, "node")}${silent}`;
}

const NODE_COLUMNS: readonly Column<NodeStatus>[] = [
  { title: "NODE", kind: "name", show: (node) => node.name },
  { title: "STATE", kind: "state", show: describeNodeState },
  { title: "VMS", kind: "number", show: (node) => (node.vms === null ? "?" : String(node.vms)) },
  { title: "CPUS", kind: "number", show: (node) => (node.capacity ? `${node.used?.cpus}/${node.capacity.cpus}` : "?") },
  {
    title: "MEMORY",
    kind: "number",
    show: (node) =>
      node.capacity ? `${showRoughMiB(node.used?.memoryMiB ?? 0)}/${showRoughMiB(node.capacity.memoryMiB)}` : "?",
  },
  {
    title: "HYPERVISORS",
    show: (node) =>
      node.hypervisors.length === 0 ? "-" : node.hypervisors.map((each) => `${each.kind} ${each.version}`).join(", "),
  },
  { title: "ADDRESS", show: (node) => (node.error === null ? node.address : `${node.address}  ${node.error}`) },
];

function describeNodeState(node: NodeStatus): string {
  return [node.reach === "answered" ? "up" : "silent", ...marksOf(node)].join(", ");
}

/** What its manifest says of it beside where it is. */
export function marksOf({ cordoned, fenced, maintenance }: NodeStatus): string[] {
  const marks: string[] = [];
  if (cordoned) marks.push("cordoned");
  if (fenced) marks.push("fenced");
  if (maintenance?.isUnderWay) marks.push(describeMaintenance(maintenance));
  else if (maintenance?.from) marks.push(`maintenance from ${maintenance.from}`);
  return marks;
}

export const renderNodes = (nodes: readonly NodeStatus[], options: TableOptions): string =>
  nodes.length === 0 ? "No nodes." : renderTable(NODE_COLUMNS, nodes, options);

const VM_COLUMNS: readonly Column<VmStatus>[] = [
  { title: "VM", kind: "name", show: (vm) => vm.name },
  { title: "NODE", kind: "name", show: (vm) => vm.node },
  { title: "PHASE", kind: "state", show: describePhase },
  { title: "READY", kind: "state", show: (vm) => (vm.ready === null ? "-" : vm.ready ? "yes" : "no") },
  { title: "GEN", kind: "number", show: (vm) => String(vm.generation) },
  { title: "COMMIT", kind: "state", show: (vm) => vm.commit?.slice(0, 8) ?? "-" },
  { title: "NOTES", show: describeNotes },
];

/** A guest that is off and will not stay so, or that nobody starts any more though it should run. */
function describePhase({ phase, restart }: VmStatus): string {
  if (restart?.givenUp) return `${phase}, given up`;
  return restart?.nextAt ? `${phase}, to start again` : phase;
}

function describeNotes(vm: VmStatus): string {
  const notes: string[] = [];
  const drifted = driftedOf(vm);
  if (drifted.length > 0) notes.push(`drift: ${drifted.map((field) => field.path).join(", ")}`);
  if (vm.pending !== undefined) notes.push(`pending: ${vm.pending.map(({ path }) => path).join(", ")}`);
  if (vm.belongs === "left") notes.push("no longer in the manifests");
  if (vm.belongs === "other") notes.push("not this fleet's");
  if (vm.bootRefused !== undefined) notes.push(`its next boot is refused: ${describeRefusal(vm.bootRefused)}`);
  if (vm.reason !== null) notes.push(vm.reason);
  if (vm.left !== undefined)
    notes.push(`${showRoughMiB(Math.ceil(vm.left.bytes / 1_048_576))} of old disks kept until ${vm.left.until}`);
  return notes.join("; ");
}

/** All of it is in `vm info`, with what to do. */
const describeRefusal = ({ disk, code }: NonNullable<VmStatus["bootRefused"]>): string =>
  `the image below disk ${safeLine(disk)} ${code === "IMAGE_MISSING" ? "is missing" : "was exchanged"} (${code})`;

const ADDRESSES: Column<VmStatus> = { title: "ADDRESSES", show: ({ addresses = [] }) => showAddresses(addresses) };
const WIDE_COLUMNS = [...VM_COLUMNS.slice(0, -1), ADDRESSES, ...VM_COLUMNS.slice(-1)];

/** `wide`: with where guests can be found. */
export const renderVms = (vms: readonly VmStatus[], options: TableOptions & { readonly wide?: boolean }): string =>
  vms.length === 0 ? "No VMs." : renderTable(options.wide === true ? WIDE_COLUMNS : VM_COLUMNS, vms, options);

function renderDrift(vms: readonly VmStatus[], paint: Paint): string[] {
  const section = (title: string, of: (vm: VmStatus) => VmStatus["drift"]): string[] => {
    const lines = vms.flatMap((vm) =>
      driftLines(of(vm)).map((line) => `  ${paint("bold", safeLine(vm.name))} ${line}`),
    );
    return lines.length === 0 ? [] : [[title, ...lines].join("\n")];
  };
  const isPending = (vm: VmStatus) => vm.drift.filter((field) => !driftedOf(vm).includes(field));
  return [
    ...section("Drift (applied → live):", driftedOf),
    ...section("Pending, applied and not in the guest before it lets go or boots anew (applied → live):", isPending),
  ];
}

export const driftLines = (drift: VmStatus["drift"]): string[] =>
  drift.flatMap((field) => showDifference(field.path, field.applied, field.live));
