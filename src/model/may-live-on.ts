/** What a placement says about one node, whoever else lives there. */
import type { DesiredNode, Placement } from "./desired-state.ts";

export type Labels = Readonly<Record<string, string>>;

/** Asked of each VM and each node: it makes nothing on its way. */
export function matches(labels: Labels, match: Labels): boolean {
  for (const key in match)
    if (Object.hasOwn(match, key) && (labels[key] !== match[key] || !Object.hasOwn(labels, key))) return false;
  return true;
}

export const mayLiveOn = (placement: Placement, node: DesiredNode): boolean =>
  (placement.nodes.length === 0 || placement.nodes.includes(node.name)) && matches(node.labels, placement.selector);
