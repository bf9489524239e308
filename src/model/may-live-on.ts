/** What a placement says about one node, whoever else lives there. */
import type { DesiredNode, Placement } from "./desired-state.ts";

export type Labels = Readonly<Record<string, string>>;

export const matches = (labels: Labels, match: Labels): boolean =>
  Object.entries(match).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);

export const mayLiveOn = (placement: Placement, node: DesiredNode): boolean =>
  (placement.nodes.length === 0 || placement.nodes.includes(node.name)) && matches(node.labels, placement.selector);
