/** Which other nodes could have one VM, filter by filter. */
import { larger, sizeOf } from "../model/capacity.ts";
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import type { ObservedState } from "../model/observed-state.ts";
import { around, type Choice, chooseNode } from "../placement/choose-node.ts";
import { departureOf } from "../reconcile/departure.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { Location, Sightings } from "../reconcile/locate-vms.ts";
import { looksByNode } from "../reconcile/look-ahead.ts";
import { moveAsItIs } from "../reconcile/move-as-it-is.ts";

export interface OtherNodes extends Pick<Choice, "node" | "able" | "filters"> {
  /** Why it cannot leave; null: it could. */
  readonly rooted: string | null;
  /** Why it runs and can go only switched off; null: it goes as it is. */
  readonly onlyOff: string | null;
}

/** `sightings`: as everybody else sits. Null: nobody knows where it is. */
export function otherNodes(
  vm: DesiredVm,
  location: Location,
  desired: DesiredState,
  sightings: Sightings,
  observed: ObservedState,
): OtherNodes | null {
  if (location.kind === "unknown" || location.kind === "two-homes") return null;
  const homeless = location.kind === "absent" ? newcomer(vm, location, sightings) : mover(vm, location, sightings);
  if (typeof homeless === "string") return { rooted: homeless, onlyOff: null, node: null, able: [], filters: [] };
  const near = around(desired, sightings, looksByNode(observed), observed.at, [homeless]);
  const { node, able, filters } = chooseNode(homeless, near, { mayLeaveDisks: false, fleet: desired.fleet.name });
  const how = homeless.moves?.how;
  const onlyOff = how?.mode === "cold" && how.runs ? how.why : null;
  return { rooted: null, onlyOff, node, able, filters };
}

const newcomer = (
  vm: DesiredVm,
  { tombstone }: Extract<Location, { kind: "absent" }>,
  { remains }: Sightings,
): Homeless => ({
  vm,
  spec: vm.spec,
  keptDisks: tombstone,
  remains: remains(vm.name),
  from: null,
  moves: null,
  reasons: [],
});

/** In words why it cannot. */
function mover(
  desired: DesiredVm,
  { node, vm }: Extract<Location, { kind: "present" }>,
  { reports, remains }: Sightings,
): Homeless | string {
  const report = reports.get(node);
  if (report === undefined) return `${node} does not answer`;
  const departure = departureOf(desired, desired.spec, { vm, report, remains: remains(vm.name) });
  if (departure.kind === "rooted") return departure.why;
  const mover = moveAsItIs(vm, node, departure, []);
  if (mover?.moves == null) return "nobody sends it";
  const { draft } = mover.moves;
  // As big as it is to be: a node that could only have it as it is would be no help to one that grows.
  const after = larger(draft.after, sizeOf(desired.spec));
  return { ...mover, moves: { ...mover.moves, draft: { ...draft, after } } };
}
