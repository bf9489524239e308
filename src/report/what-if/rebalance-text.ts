/** What a rebalance is good for, before the plan that does it: how full nodes are now, and how full they would be. */
import { changedNodes, type Rebalance } from "../../what-if/rebalance.ts";
import { plural } from "../words/names.ts";
import { paintWith } from "../words/paint.ts";
import { safeLine } from "../words/safe-text.ts";

/** Nodes that are told one by one. */
const MOST_NODES = 20;

export function renderRebalance(
  { plan, before, after }: Rebalance,
  { colour, minGain }: { readonly colour: boolean; readonly minGain: number },
): string {
  const paint = paintWith(colour);
  const percent = (fullness: number | undefined) => `${Math.round((fullness ?? 0) * 100)} %`;
  const fullest = (of: ReadonlyMap<string, number>) => percent(Math.max(0, ...of.values()));
  if (plan.changes.length === 0)
    return `Nobody is moved: no move makes a full node less full by ${percent(minGain)} of it or more (the fullest is ${fullest(before)} full).`;
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
  ].join("\n");
}
