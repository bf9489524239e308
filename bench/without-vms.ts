/** The same nodes before anything was applied. */
import type { ObservedState } from "../src/model/observed-state.ts";

export const withoutVms = ({ at, nodes }: ObservedState): ObservedState => ({
  at,
  nodes: nodes.map((node) => (node.reach === "silent" ? node : { ...node, report: { ...node.report, vms: [] } })),
});
