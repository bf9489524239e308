/**
 * A conflict of placement in words: how many nodes each filter left, and what contradicts each other.
 *
 *   explain-conflict.ts → [say-conflict.ts] → plan/, report/
 */
import type { Conflict, Constraint, Filter } from "./explain-conflict.ts";
import type { Problem } from "./problem.ts";

/** `500 nodes: 480 allowed, 300 with room for 65536 memoryMiB, 0 by app=web per node`; empty: there is nothing to count. */
export function sayFilters(problem: Problem, { vm, filters }: Conflict): string {
  const [all, ...rest] = filters;
  if (all === undefined) return "";
  const nodes = `${all.left} ${all.left === 1 ? "node" : "nodes"}`;
  return rest.length === 0 ? nodes : `${nodes}: ${rest.map((filter) => sayFilter(problem, vm, filter)).join(", ")}`;
}

function sayFilter({ vms, resources, rules }: Problem, vm: number | null, { by, left }: Filter): string {
  switch (by.kind) {
    case "nodes":
      return `${left}`;
    case "allowed":
      return `${left} allowed`;
    case "closed":
      return `${left} open`;
    case "room":
      return `${left} with room for ${vm === null ? "" : `${vms[vm]?.wants[by.resource]} `}${resources[by.resource]}`;
    case "rule":
      return `${left} by ${rules[by.rule]?.text}`;
    case "othersAllowed":
    case "never":
      return `${left} if others could move`;
  }
}

/** What cannot be had together, each of them needed for the contradiction: `its placement; no more memoryMiB on the nodes`. */
export function sayCore(problem: Problem, { kind, vm, node, core, othersStay }: Conflict): string {
  const said = core.map((constraint) => sayConstraint(problem, kind === "overfull" ? null : vm, node, constraint));
  return `${said.join("; ")}${othersStay ? " (as the others stay where they are)" : ""}`;
}

function sayConstraint(
  { nodes, vms, resources, rules }: Problem,
  vm: number | null,
  home: number | null,
  constraint: Constraint,
): string {
  switch (constraint.kind) {
    case "allowed": {
      const allowed = vm === null ? null : vms[vm]?.allowed;
      return allowed
        ? `it may live on ${listSome(allowed.map((node) => nodes[node]?.name ?? ""))} only`
        : "its placement";
    }
    case "othersAllowed":
      return "where others may live, who could make room";
    case "closed":
      if (home !== null && nodes[home]?.leaving) return `${nodes[home]?.name} is to be empty`;
      return `new ones may not go to ${listSome(nodes.filter((node) => node.closed || node.leaving).map(({ name }) => name))}`;
    case "never":
      return vm !== null && vms[vm]?.home !== -1 && vms[vm]?.moves === "never"
        ? "it cannot move"
        : "others cannot move";
    case "room":
      return `the ${resources[constraint.resource]} that nodes have`;
    case "rule":
      return rules[constraint.rule]?.text ?? "";
  }
}

const listSome = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
