/**
 * What if: the world with nodes in it that are taken to be down, or down and fenced. A silent node is what plans know already; nothing else
 * has to be thought of. Pure.
 */
import type { DesiredState } from "../model/desired-state.ts";
import { digestOf } from "../model/digest.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { ObservedNode, ObservedState } from "../model/observed-state.ts";

export interface Assumption {
  readonly node: NodeName;
  /** `down`: it does not answer. `fenced`: nor will it, a person says so. */
  readonly is: "down" | "fenced";
}

/** `n3=down`: as plans keep it, and people write it. */
export const showAssumption = ({ node, is }: Assumption): string => `${node}=${is}`;

/** `observed` may lack the nodes that are assumed about: nobody needs to ask them. */
export function assume(
  desired: DesiredState,
  observed: ObservedState,
  assumptions: readonly Assumption[],
): { readonly desired: DesiredState; readonly observed: ObservedState } {
  if (assumptions.length === 0) return { desired, observed };
  const down = new Set(assumptions.map(({ node }) => node));
  const fenced = new Set(assumptions.filter(({ is }) => is === "fenced").map(({ node }) => node));
  const silent = [...down].map((name): ObservedNode => ({ name, reach: "silent", error: "assumed to be down" }));
  const others = observed.nodes.filter(({ name }) => !down.has(name));
  return {
    observed: { ...observed, nodes: [...others, ...silent].sort((a, b) => byName(a.name, b.name)) },
    desired:
      fenced.size === 0
        ? desired
        : {
            ...desired,
            nodes: desired.nodes.map((node) => (fenced.has(node.name) ? { ...node, fenced: true } : node)),
            digest: digestOf([desired.digest, "fenced", [...fenced].sort(byName)]),
          },
  };
}
