import type { DesiredNode } from "../model/desired-state.ts";

/** The domain a node belongs to under a rule: itself, or the value of its label. Null: it has no such label. */
export const domainOf = (node: DesiredNode, per: string): string | null =>
  per === "node" ? node.name : Object.hasOwn(node.labels, per) ? (node.labels[per] ?? null) : null;
