/** Deleted VMs and what is kept of them, in words: what one is asked before, and told afterwards. */
import type { Tombstone, VmReport } from "../model/observed-state.ts";
import type { DeletedVm } from "./lists.ts";
import { type VmAction, warningLines } from "./vm-action-text.ts";
import { paintWith } from "./words/paint.ts";
import { safeLine } from "./words/safe-text.ts";
import { type Column, renderTable, type TableOptions } from "./words/table.ts";
import { showMilliseconds, showSeconds } from "./words/values.ts";

interface Options {
  readonly colour: boolean;
}

export const askDeletion = (vm: VmReport, node: string): string => `This deletes ${describeLoss(vm, node)}`;

export const askDestruction = (vm: VmReport, node: string): string =>
  `This cuts off and deletes ${describeLoss(vm, node)}`;

function describeLoss({ name, phase, fleet, spec }: VmReport, node: string): string {
  const disks = spec.disks.filter((disk) => disk.origin.kind !== "external").map((disk) => disk.name);
  const whose = fleet === null ? "made by hand" : `of fleet ${safeLine(fleet)}`;
  const kept =
    disks.length === 0
      ? "It has no disks of its own"
      : `Its disks (${safeLine(disks.join(", "))}) are kept for ${showSeconds(spec.retainDisksSeconds)}`;
  return `${safeLine(name)} on ${safeLine(node)} (${phase}, ${whose}). ${kept}. Only "yes" is accepted:`;
}

/** `isNamed`: by the manifests of its fleet; null when they are not at hand. */
export function renderDeletion(
  { before, node, result, milliseconds }: VmAction,
  isNamed: boolean | null,
  options: Options,
): string {
  const paint = paintWith(options.colour);
  const what = `${before.phase} → deleted in ${showMilliseconds(milliseconds)}`;
  const note = returnNote(before, isNamed);
  return [
    `${paint("bold", safeLine(before.name))} on ${safeLine(node)}: ${what}`,
    describeKept(result.tombstone, node),
    ...warningLines(result, paint),
    ...(note === null ? [] : [paint("yellow", note)]),
  ].join("\n");
}

function describeKept(tombstone: Tombstone | undefined, node: string): string {
  if (tombstone === undefined || tombstone.retainUntil <= tombstone.deletedAt)
    return "Nothing is kept of it: it has no retention.";
  if (tombstone.disks.length === 0) return "It had no disks of its own.";
  const name = safeLine(tombstone.name);
  return [
    `Its disks (${safeLine(tombstone.disks.join(", "))}) are kept on ${safeLine(node)} until ${tombstone.retainUntil}.`,
    `To remove them before: odorobo vm purge ${name} --node ${safeLine(node)}`,
  ].join("\n");
}

/** What is deleted here and stands in git is wanted again: the next plan says so, unless it lives elsewhere too. */
function returnNote({ fleet }: VmReport, isNamed: boolean | null): string | null {
  if (fleet === null || isNamed === false) return null;
  const manifests = `the manifests of fleet ${safeLine(fleet)}`;
  return isNamed
    ? `It stands in ${manifests}: where no node has it, their next plan makes it again, from these disks, unless its manifest goes.`
    : `Should it stand in ${manifests}, their next plan makes it again, unless its manifest goes.`;
}

/** What is kept of one VM. */
interface Kept {
  readonly deleted: { readonly node: string; readonly tombstone: Tombstone } | null;
  readonly left: readonly { readonly node: string; readonly vm: VmReport; readonly peer: string }[];
}

export function askPurge(name: string, { deleted, left }: Kept): string {
  const whats = [
    ...(deleted === null
      ? []
      : [`on ${deleted.node} (${sayDisks(deleted.tombstone.disks)}; deleted at ${deleted.tombstone.deletedAt})`]),
    ...left.map(({ node, vm, peer }) => `on ${node} (${sayDisks(vm.disks ?? [])}; left when it moved to ${peer})`),
  ];
  return safeLine(`This removes for good what is kept of ${name} ${whats.join(" and ")}. Type the VM's name to go on:`);
}

const sayDisks = (disks: readonly string[]): string => (disks.length === 0 ? "no disks" : `disks: ${disks.join(", ")}`);

export function renderPurge(name: string, { deleted, left }: Kept, options: Options): string {
  const line = (node: string, disks: readonly string[]) =>
    `${paintWith(options.colour)("bold", safeLine(name))} on ${safeLine(node)}: purged (${safeLine(
      disks.length === 0 ? "it had no disks" : `gone for good: ${disks.join(", ")}`,
    )})`;
  return [
    ...(deleted === null ? [] : [line(deleted.node, deleted.tombstone.disks)]),
    ...left.map(({ node, vm }) => line(node, vm.disks ?? [])),
  ].join("\n");
}

const DELETED_COLUMNS: readonly Column<DeletedVm>[] = [
  { title: "VM", kind: "name", show: (vm) => vm.name },
  { title: "NODE", kind: "name", show: (vm) => vm.node },
  { title: "FLEET", show: (vm) => vm.fleet ?? "-" },
  { title: "DELETED AT", show: (vm) => vm.deletedAt },
  { title: "KEPT UNTIL", kind: "state", show: (vm) => vm.retainUntil },
  { title: "DISKS", show: (vm) => (vm.disks.length === 0 ? "-" : vm.disks.join(", ")) },
];

export const renderDeletedVms = (vms: readonly DeletedVm[], options: TableOptions): string =>
  vms.length === 0 ? "No deleted VMs: nothing is kept." : renderTable(DELETED_COLUMNS, vms, options);
