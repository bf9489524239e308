/** Why no node takes a VM, told in words: nodes that object alike together, and what would help. */
import { type Amount, describeAmount } from "../model/capacity.ts";
import { type Blocked, PLACEMENT_FILTERS, type PlacementFilter } from "../model/changes.ts";
import type { VmName } from "../model/names.ts";
import { isLocal, type VmSpec } from "../model/vm-spec.ts";
import type { Homeless } from "../reconcile/draft.ts";
import type { KeptDisks } from "../reconcile/locate-vms.ts";
import { NOT_ALLOWED, type WhyNot } from "./what-speaks-against.ts";

/** Whether its bytes are where it was deleted: disks of the agent's own in the tombstone, or files of that node. */
export const keepsDisks = ({ disks }: VmSpec, { tombstone }: KeptDisks): boolean =>
  tombstone.disks.length > 0 || disks.some(({ origin }) => origin.kind === "external" && isLocal(origin));

/** `nodes`: how many there are in all; `objections`: of those of them that were asked. */
export function explain(each: Homeless, holds: Amount, nodes: number, objections: readonly (WhyNot | null)[]): Blocked {
  const name = each.vm.name;
  const whys = objections.filter((why) => why !== null);
  const kept = each.keptDisks !== null && keepsDisks(each.spec, each.keptDisks) ? each.keptDisks : null;
  const size = describeAmount(holds);
  const what =
    kept === null
      ? `${name} (${size}) ${each.moves === null ? "fits nowhere" : `has to leave ${each.moves.draft.node} and can go nowhere else`}`
      : `${name} (${size}) cannot go back to its disks, which are kept on ${kept.node}`;
  return {
    name,
    code: "UNPLACEABLE",
    message: `${what}: ${sayWhys(whys)}`,
    lines: [what, ...listWhys(whys)],
    hint:
      kept === null
        ? whatWouldHelp(name, whys)
        : `make ${kept.node} able to take it; to lose those disks and start afresh elsewhere: odorobo vm purge ${name} --node ${kept.node}, or, where its placement no longer allows ${kept.node}, --max-class replace, which leaves them there`,
    source: each.vm.whereIs("/spec/placement") ?? each.vm.source,
    filters: countFilters(nodes, objections),
    ...rejectedBy(each, sayWhys(whys)),
  };
}

/** Of one that has a home: where it would have gone, and what it would have had there. */
function rejectedBy({ moves, rejected = [] }: Homeless, why: string): Pick<Blocked, "rejected"> {
  if (moves === null) return rejected.length === 0 ? {} : { rejected };
  const then = moves.draft.put === null && moves.draft.power === null ? [] : [moves.draft.class];
  const chain = ["migrate" as const, ...then.filter((each) => each !== "migrate")];
  return { rejected: [...rejected, { chain, field: null, because: `no node takes it: ${why}` }] };
}

/** How many nodes are left after each filter that took some away. */
function countFilters(nodes: number, objections: readonly (WhyNot | null)[]): PlacementFilter[] {
  const counts: PlacementFilter[] = [{ filter: "nodes", left: nodes }];
  let left = objections.length;
  if (left < nodes) counts.push({ filter: "candidates", left });
  for (const filter of PLACEMENT_FILTERS) {
    const taken = objections.filter((why) => why?.filter === filter).length;
    left -= taken;
    if (taken > 0) counts.push({ filter, left });
  }
  return counts;
}

/** `n1, n2: cordoned; n3 (2 cpus, 512 MiB free): lacks room`: of each kind three nodes. */
function sayWhys(whys: readonly WhyNot[]): string {
  return [...Map.groupBy(whys, ({ kind }) => kind)]
    .map(([kind, all]) => {
      const shown = all.slice(0, 3).map(({ node, detail }) => (detail === null ? node : `${node} (${detail})`));
      return `${shown.join(", ")}${all.length > 3 ? ` and ${all.length - 3} more` : ""}: ${kind}`;
    })
    .join("; ");
}

/** A line for each node while they are few; else one for each kind of objection, with the first of them that have it. */
function listWhys(whys: readonly WhyNot[]): string[] {
  if (whys.length <= MOST_NODES_ONE_BY_ONE)
    return whys.map(({ node, kind, detail }) => `${node}: ${kind}${detail === null ? "" : ` (${detail})`}`);
  return [...Map.groupBy(whys, ({ kind }) => kind)].map(([kind, all]) => {
    const shown = all
      .slice(0, MOST_NODES_OF_A_KIND)
      .map(({ node, detail }) => `${node}${detail === null ? "" : ` (${detail})`}`);
    const more = all.length - shown.length;
    return `${kind}: ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  });
}

const MOST_NODES_ONE_BY_ONE = 6;
const MOST_NODES_OF_A_KIND = 3;

function whatWouldHelp(name: VmName, whys: readonly WhyNot[]): string {
  const old = whys.find(({ lacks }) => lacks === "decision");
  if (old !== undefined)
    return `the disks on ${old.node} are as old as its move. To start it there with them: odorobo vm delete ${name} --node ${old.node}, and plan again; to start it there with empty ones, after that: odorobo vm purge ${name} --node ${old.node}`;
  const relevant = whys.filter(({ kind }) => kind !== NOT_ALLOWED);
  if (relevant.length > 0 && relevant.every(({ lacks }) => lacks === "files"))
    return "put what is missing on the node, or correct its path in the manifests";
  if (relevant.length > 0 && relevant.every(({ lacks }) => lacks === "ability"))
    return "change its manifest, or add a node that can run it";
  return "make room, loosen its placement, or add a node";
}
