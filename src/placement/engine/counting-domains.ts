/** Which domains a spread is measured by. */
import type { Problem, Rule } from "./problem.ts";

/** Those that some subject may live in. One that nobody may come to or stay in is never filled: the others are not held to it. */
export function domainsThatCount({ vms, nodes }: Problem, { subjects, domainOf, counting }: Rule): Set<number> {
  if (counting !== undefined) return new Set(counting);
  const domains = new Set<number>();
  const add = (node: number) => {
    const domain = domainOf[node] ?? -1;
    if (domain >= 0) domains.add(domain);
  };
  // Most subjects may live on the same nodes as the one before.
  const seen = new Set<readonly number[] | null>();
  for (const subject of subjects) {
    const vm = vms[subject];
    if (vm === undefined) continue;
    const { home, allowed } = vm;
    if (home >= 0 && !nodes[home]?.leaving && (allowed === null || allowed.includes(home))) add(home);
    if (seen.has(allowed)) continue;
    seen.add(allowed);
    for (const node of allowed ?? nodes.keys()) if (!nodes[node]?.closed && !nodes[node]?.leaving) add(node);
  }
  return domains;
}
