/**
 * Whose agents may be asked for a pull request: those that the branch in force names, at the address that it names. A pull request that
 * could say where an agent is would be shown the token of all of them.
 */
import type { DesiredNode } from "../../model/desired-state.ts";
import type { Fleet } from "../../turn/read-fleet.ts";

/** Answers at once that nobody is there, and says why in its name. */
const NOBODY = "unix:///not-asked-before-it-is-merged";

export interface RestrictedFleet {
  readonly fleet: Fleet;
  /** New ones, and those whose address is another: names, sorted. */
  readonly unasked: readonly string[];
}

export function askOnlyKnown(fleet: Fleet, inForce: readonly DesiredNode[]): RestrictedFleet {
  const addresses = new Map(inForce.map(({ name, address }) => [name, address]));
  const unasked: string[] = [];
  const nodes = fleet.desired.nodes.map((node): DesiredNode => {
    if (addresses.get(node.name) === node.address) return node;
    unasked.push(node.name);
    return { ...node, address: NOBODY };
  });
  return { fleet: { ...fleet, desired: { ...fleet.desired, nodes } }, unasked: unasked.sort() };
}
