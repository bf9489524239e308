/**
 * A fleet at one moment as a document: what it should be and what it was seen to be, enough to plan from without asking anybody. What
 * `odorobo snapshot` prints (`schemas/fleet-snapshot.schema.json`). No secrets: texts by digest only, and nothing that guests said.
 */
import type { DesiredState, DesiredVm, SourcePosition } from "../model/desired-state.ts";
import type { VmName } from "../model/names.ts";
import type { ObservedNode, ObservedState } from "../model/observed-state.ts";

/** Raised when an older reader would misread the document. A reader refuses every other version. */
export const SNAPSHOT_VERSION = 1;

export interface FleetSnapshot {
  readonly kind: "FleetSnapshot";
  readonly version: typeof SNAPSHOT_VERSION;
  readonly source: string;
  readonly commit: string | null;
  readonly desired: Omit<DesiredState, "files" | "vms"> & { readonly vms: readonly SnapshotVm[] };
  readonly observed: ObservedState;
}

export interface SnapshotVm extends Omit<DesiredVm, "whereIs"> {
  /** Where values of its manifest stand, by pointer: those that a plan of this moment names. */
  readonly places: Readonly<Record<string, SourcePosition>>;
}

export interface SnapshotInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly source: string;
  readonly commit: string | null;
  /** What was asked of `whereIs` while a plan was made, by VM. */
  readonly asked: ReadonlyMap<VmName, ReadonlySet<string>>;
}

export function toSnapshot({ desired, observed, source, commit, asked }: SnapshotInput): FleetSnapshot {
  const { files: _, vms, ...others } = desired;
  return {
    kind: "FleetSnapshot",
    version: SNAPSHOT_VERSION,
    source,
    commit,
    desired: { ...others, vms: vms.map((vm) => toSnapshotVm(vm, asked.get(vm.name) ?? new Set())) },
    observed: { ...observed, nodes: observed.nodes.map(withoutWords) },
  };
}

function toSnapshotVm({ whereIs, ...vm }: DesiredVm, pointers: ReadonlySet<string>): SnapshotVm {
  const places = [...pointers].sort().flatMap((pointer) => {
    const position = whereIs(pointer);
    return position === null ? [] : [[pointer, position] as const];
  });
  return { ...vm, places: Object.fromEntries(places) };
}

/** The last lines of consoles and logs hold whatever guests print: passwords of first boots, too. */
function withoutWords(node: ObservedNode): ObservedNode {
  if (node.reach === "silent") return node;
  const vms = node.report.vms.map((vm) =>
    vm.lastEvent === undefined ? vm : { ...vm, lastEvent: { ...vm.lastEvent, console: [], log: [] } },
  );
  return { ...node, report: { ...node.report, vms } };
}

/** As it was planned from. The texts are not there: nothing can be carried out with it. */
export function fromSnapshot({ desired, observed }: FleetSnapshot): {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
} {
  const vms = desired.vms.map(({ places, ...vm }): DesiredVm => {
    const known = new Map(Object.entries(places));
    return { ...vm, whereIs: (pointer) => known.get(pointer) ?? null };
  });
  return { desired: { ...desired, vms, files: new Map() }, observed };
}
