import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { Assumption } from "../plan/assume.ts";

/** Throws USAGE for a node that nobody knows: an assumption about nothing would look like one that changes nothing. */
export function requireNodes({ nodes }: DesiredState, assumptions: readonly Assumption[]): void {
  const names = new Set(nodes.map(({ name }) => name));
  const stranger = assumptions.find(({ node }) => !names.has(node));
  if (stranger === undefined) return;
  throw new OdoroboError("USAGE", `--assume: there is no node ${stranger.node}`, {
    hint: `there is ${[...names].join(", ") || "none"}`,
  });
}
