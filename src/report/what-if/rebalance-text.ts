/** What a rebalance is good for, before the plan that does it: how full nodes are now, and how full they would be. */
import { changedNodes, type Rebalance } from "../../what-if/rebalance.ts";
import { plural } from "../words/names.ts";
import { paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";

/** Nodes that are told one by one. */
const MOST_NODES = 20;

export function renderRebalance(
  { plan, before, after, heldByOldDisks }: Rebalance,
  { colour, minGain }: { readonly colour: boolean; readonly minGain: number },
): string {
  const paint = paintWith(colour);
  const percent = (fullness: number | undefined) => `${Math.round((fullness ?? 0) * 100)} %`;
  const fullest = (of: ReadonlyMap<string, number>) => percent(Math.max(0, ...of.values()));
  if (plan.changes.length === 0)
    return [
      `Nobody is moved: no move makes a full node less full by ${percent(minGain)} of it or more (the fullest is ${fullest(before)} full).`,
      ...renderHeld(heldByOldDisks),
    ].join("\n");
  const nodes = changedNodes({ before, after });
  const width = nodes.reduce((most, node) => Math.max(most, safeLine(node).length), 0);
  const lines = nodes
    .slice(0, MOST_NODES)
    .map((node) => `  ${safeLine(node).padEnd(width)}  ${percent(before.get(node))} → ${percent(after.get(node))}`);
  return [
    paint(
      "bold",
      `${plural(plan.changes.length, "guest")} would move; the fullest node is ${fullest(before)} full, and ${fullest(after)} afterwards:`,
    ),
    ...lines,
    ...(nodes.length > MOST_NODES ? [`  and ${nodes.length - MOST_NODES} more`] : []),
    ...renderHeld(heldByOldDisks),
  ].join("\n");
}

/** VMs that are told one by one. */
const MOST_HELD = 5;

function renderHeld(held: Rebalance["heldByOldDisks"]): string[] {
  if (held.length === 0) return [];
  const commands = held
    .slice(0, MOST_HELD)
    .flatMap(({ vm, nodes }) => nodes.map((node) => `  odorobo vm delete ${safeLine(vm)} --node ${safeLine(node)}`));
  const more = held.length - MOST_HELD;
  return [
    `${plural(held.length, "VM")} could be started nowhere else, should the node be lost: disks that ${held.length === 1 ? "it" : "they"} left when ${held.length === 1 ? "it" : "they"} moved are in the way until they go by themselves, or:`,
    ...commands,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
