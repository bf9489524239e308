/** Where one VM is, for a person at the keyboard: asked of the agents, because what is counts here and not what should be. */

import { nearest } from "../manifest/text/suggest.ts";
import { OdoroboError } from "../model/errors.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { ObservedState, Tombstone, VmReport } from "../model/observed-state.ts";

export interface FoundVm {
  readonly node: NodeName;
  readonly vm: VmReport;
}

/** Throws NOT_FOUND; with silent nodes it says that the VM may be there. Throws USAGE for a VM with two homes. */
export function findVm(name: VmName, observed: ObservedState): FoundVm {
  const found: FoundVm[] = [];
  const names: string[] = [];
  const silent: string[] = [];
  for (const node of observed.nodes) {
    if (node.reach === "silent") {
      silent.push(node.name);
      continue;
    }
    for (const vm of node.report.vms) {
      names.push(vm.name);
      if (vm.name === name) found.push({ node: node.name, vm });
    }
  }
  // After a move the node that it left still has its record, and before it the other one keeps room for it.
  const homes = found.filter(({ vm }) => !isOnTheOtherSide(vm));
  const [first, second] = homes.length === 0 ? found : homes;
  if (first && second) {
    throw new OdoroboError("USAGE", `${name} exists on ${found.map((each) => each.node).join(" and ")}`, {
      hint: "say which one is meant: --node NAME",
    });
  }
  if (first) return first;
  const [deleted] = deletedOf(name, observed);
  throw new OdoroboError("NOT_FOUND", `${name} is on no node that answered${describeSilent(silent)}`, {
    hint: deleted !== undefined ? tellDeleted(deleted) : suggestName(name, names, "odorobo vm list", silent),
  });
}

const isOnTheOtherSide = ({ migration }: VmReport): boolean =>
  migration?.stage !== undefined && migration.stage !== "sending";

/**
 * As `findVm`, but of two homes the one where the guest runs: after a migration by hand the node that it left still has its
 * record.
 */
export function findGuest(name: VmName, observed: ObservedState): FoundVm {
  const running = observed.nodes.flatMap((node) =>
    node.reach === "silent"
      ? []
      : node.report.vms.filter((vm) => vm.name === name && hasGuest(vm)).map((vm) => ({ node: node.name, vm })),
  );
  const [first, second] = running;
  return first !== undefined && second === undefined ? first : findVm(name, observed);
}

const hasGuest = ({ phase }: VmReport): boolean => phase !== "stopped" && phase !== "crashed";

export interface DeletedVm {
  readonly node: NodeName;
  readonly tombstone: Tombstone;
}

/** Throws WRONG_PHASE for a VM that is there, NOT_FOUND, or USAGE for one that was deleted on two nodes. */
export function findDeletedVm(name: VmName, observed: ObservedState): DeletedVm {
  const [first, ...others] = deletedOf(name, observed);
  if (first && others.length > 0) {
    const nodes = [first, ...others].map((each) => each.node);
    throw new OdoroboError("USAGE", `disks of ${name} are kept on ${nodes.join(" and ")}`, {
      hint: "say which are meant: --node NAME",
    });
  }
  if (first) return first;
  const answered = observed.nodes.filter((node) => node.reach === "answered");
  const home = answered.find((node) => node.report.vms.some((vm) => vm.name === name));
  if (home) {
    throw new OdoroboError("WRONG_PHASE", `${name} is on ${home.name}: only what was deleted can be purged`, {
      hint: `delete it first, which keeps its disks until the purge: odorobo vm delete ${name}`,
    });
  }
  const silent = observed.nodes.filter((node) => node.reach === "silent").map((node) => node.name);
  const names = answered.flatMap((node) => node.report.tombstones.map((each) => each.name));
  throw new OdoroboError(
    "NOT_FOUND",
    `nothing is kept of ${name} on the nodes that answered${describeSilent(silent)}`,
    {
      hint: suggestName(name, names, "odorobo vm list --deleted", silent),
    },
  );
}

export const deletedOf = (name: VmName, observed: ObservedState): DeletedVm[] =>
  observed.nodes.flatMap((node) =>
    node.reach === "silent"
      ? []
      : node.report.tombstones
          .filter((each) => each.name === name)
          .map((tombstone) => ({ node: node.name, tombstone })),
  );

const tellDeleted = ({ node, tombstone: { name, deletedAt, retainUntil } }: DeletedVm): string =>
  `it was deleted on ${node} at ${deletedAt} and its disks are kept until ${retainUntil}: apply its manifest to bring it back, or odorobo vm purge ${name}`;

const describeSilent = (silent: readonly string[]): string =>
  silent.length === 0
    ? ""
    : `; ${silent.slice(0, 5).join(", ")}${silent.length > 5 ? ", …" : ""} did not answer and may have it`;

/** Of a VM that may be on a silent node the name is right as far as anybody knows: no act on another VM is suggested. */
function suggestName(name: string, names: readonly string[], list: string, silent: readonly string[]): string {
  if (silent.length > 0) return "odorobo node list says why they do not answer; try again when they do";
  const similar = nearest(name, names);
  return similar === null ? `${list} shows what there is` : `did you mean ${similar}?`;
}
