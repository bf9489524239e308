/** Where a guest goes that somebody wants away and nobody says where: the node that placement would give it. */
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { NodeName } from "../model/names.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { locateVms } from "../reconcile/locate-vms.ts";
import { sayFilters } from "../report/words/filters.ts";
import { type OtherNodes, otherNodes } from "../what-if/other-nodes.ts";
import type { FoundVm } from "./find-vm.ts";

export interface Destination extends Pick<OtherNodes, "able" | "filters"> {
  readonly node: NodeName;
}

/**
 * Throws UNPLACEABLE: no other node can take it, or it cannot be moved as plans move guests. `mayStop`: it may be shut down for the way.
 */
export function chooseDestination(
  found: FoundVm,
  desired: DesiredState,
  observed: ObservedState,
  mayStop: boolean,
): Destination {
  const { name } = found.vm;
  const wanted = desired.vms.find((vm) => vm.name === name) ?? madeByHand(found);
  const location = { kind: "present", node: found.node, vm: found.vm } as const;
  const others = otherNodes(wanted, location, desired, locateVms(desired, observed), observed);
  if (others === null || others.rooted !== null) {
    const why = others?.rooted ?? "nobody knows where it is";
    throw unplaceable(
      `${name} cannot leave ${found.node} as it is: ${why}`,
      "name a node to try it all the same: --to",
    );
  }
  const { node, able, filters, onlyOff } = others;
  if (onlyOff !== null && !mayStop)
    throw unplaceable(
      `${name} cannot leave ${found.node} as it runs: ${onlyOff}`,
      "shut down for the way, and started there: --mode cold",
    );
  if (node === null)
    throw unplaceable(
      `no other node can take ${name}: ${sayFilters(filters)}`,
      `odorobo explain ${name} says more; make room, loosen its placement, or name a node: --to`,
    );
  return { node, able, filters };
}

const unplaceable = (message: string, hint: string): OdoroboError => new OdoroboError("UNPLACEABLE", message, { hint });

/** No manifest says where it may live: anywhere. */
const madeByHand = ({ vm: { name, spec } }: FoundVm): DesiredVm => ({
  name,
  spec,
  placement: { nodes: [], selector: {}, affinity: [], antiAffinity: [] },
  ignore: [],
  source: null,
  whereIs: () => null,
});
