/** A guest that goes to another node and to which nothing else is done: it makes way, or somebody wants it elsewhere. */
import { heldBy } from "../model/capacity.ts";
import type { Reason } from "../model/changes.ts";
import type { NodeName } from "../model/names.ts";
import type { VmReport } from "../model/observed-state.ts";
import { toMover } from "./departure.ts";
import type { Departure, Homeless } from "./draft.ts";

/** `reasons`: never empty. Null: it cannot go, and `departure` says why. */
export function moveAsItIs(
  vm: VmReport,
  node: NodeName,
  departure: Departure,
  reasons: readonly Reason[],
): Homeless | null {
  if (departure.kind === "rooted") return null;
  const held = heldBy(vm);
  return toMover({
    name: vm.name,
    node,
    action: "migrate",
    class: "migrate",
    reasons,
    seen: { node, generation: vm.generation, serial: vm.serial },
    put: null,
    power: null,
    staysDown: false,
    restsAfter: false,
    before: held,
    after: held,
    departure,
    group: vm.spec.group,
    source: departure.vm.source,
  });
}
