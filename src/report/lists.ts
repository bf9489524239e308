/** What `vm list --json` and `node list --json` print (`schemas/vm-list.schema.json`, `schemas/node-list.schema.json`). */
import { byName, type NodeName, type VmName } from "../model/names.ts";
import type { ObservedNode, Tombstone } from "../model/observed-state.ts";
import { type NodeStatus, toVmStatus, type VmStatus } from "./status-document.ts";
import { safeLine } from "./words/safe-text.ts";

export interface VmList {
  readonly kind: "VmList";
  readonly version: 1;
  readonly vms: readonly VmStatus[];
  /** Deleted, with disks that are kept; all fleets'. */
  readonly deleted: readonly DeletedVm[];
  /** Nodes that did not answer: what they have is not in the list. */
  readonly silent: readonly SilentNode[];
}

export interface DeletedVm extends Tombstone {
  readonly node: NodeName;
}

export interface SilentNode {
  readonly name: string;
  readonly error: string;
}

export interface NodeList {
  readonly kind: "NodeList";
  readonly version: 1;
  readonly nodes: readonly NodeStatus[];
}

/** `fleet` and `named` from the manifests at hand; without manifests a VM belongs to the fleet that it says. */
export function toVmList(
  observed: readonly ObservedNode[],
  manifests: { readonly fleet: string; readonly named: ReadonlySet<VmName> } | null,
): VmList {
  const vms = observed.flatMap((node) =>
    node.reach === "silent"
      ? []
      : node.report.vms.map((vm) =>
          manifests === null
            ? toVmStatus(vm, node.name, vm.fleet, new Set([vm.name]))
            : toVmStatus(vm, node.name, manifests.fleet, manifests.named),
        ),
  );
  const deleted = observed.flatMap((node): DeletedVm[] =>
    node.reach === "silent" ? [] : node.report.tombstones.map((each) => ({ ...each, node: node.name })),
  );
  return {
    kind: "VmList",
    version: 1,
    vms: vms.sort(byNameAndNode),
    deleted: deleted.sort(byNameAndNode),
    silent: observed.flatMap((node) => (node.reach === "silent" ? [{ name: node.name, error: node.error }] : [])),
  };
}

const byNameAndNode = (a: { name: string; node: string }, b: { name: string; node: string }): number =>
  byName(a.name, b.name) || byName(a.node, b.node);

/** For stderr: a list that is not whole says so. */
export const renderSilent = (silent: readonly SilentNode[]): string =>
  silent
    .map((node) => `${safeLine(node.name)} did not answer, what it has is unknown: ${safeLine(node.error)}`)
    .join("\n");
