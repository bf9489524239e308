/**
 * What contradicts each other, in words.
 *
 *   explain-conflict.ts → [say-conflict.ts] → tell-seats.ts, place-fleet.ts
 */
import type { PlacementConflict } from "../model/changes.ts";
import type { Conflict, Constraint } from "./engine/explain-conflict.ts";
import type { Problem, Rule } from "./engine/problem.ts";

export const toConflict = (problem: Problem, conflict: Conflict): PlacementConflict => ({
  constraints: conflict.core.map((constraint) => ({
    kind: KINDS[constraint.kind],
    text: sayConstraint(problem, conflict, constraint),
  })),
  othersStay: conflict.othersStay,
});

const KINDS = {
  allowed: "placement",
  bound: "placement",
  othersAllowed: "others-placement",
  closed: "closed",
  never: "immovable",
  room: "room",
  rule: "rule",
} as const satisfies Record<Constraint["kind"], PlacementConflict["constraints"][number]["kind"]>;

/** `antiAffinity app=web per node`, as manifests call it. */
export const nameRule = ({ kind, text }: Pick<Rule, "kind" | "text">): string =>
  `${{ apart: "antiAffinity", together: "affinity", spread: "spread" }[kind]} ${text}`;

function sayConstraint(
  { nodes, vms, resources, rules }: Problem,
  { vm, node: home }: Conflict,
  constraint: Constraint,
): string {
  switch (constraint.kind) {
    case "allowed": {
      const allowed = vm === null ? null : vms[vm]?.allowed;
      return allowed
        ? `it may live on ${listSome(allowed.map((node) => nodes[node]?.name ?? ""))} only`
        : "its placement";
    }
    case "bound":
      return constraint.bound.text;
    case "othersAllowed":
      return "where others may live, who could make room";
    case "closed":
      if (vm !== null && home !== null && nodes[home]?.leaving) return `${nodes[home]?.name} is to be empty`;
      return `${listSome(nodes.filter((node) => node.closed || node.leaving).map(({ name }) => name))} takes nobody new`;
    case "never":
      return vm !== null && vms[vm]?.home !== -1 && vms[vm]?.moves === "never"
        ? "it cannot move"
        : "others stay where they are";
    case "room":
      return `the ${NAMES[resources[constraint.resource] ?? ""] ?? resources[constraint.resource]} that nodes have`;
    case "rule": {
      const rule = rules[constraint.rule];
      return rule === undefined ? "a rule" : nameRule(rule);
    }
  }
}

const NAMES: Readonly<Record<string, string>> = { memoryMiB: "memory" };

const listSome = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
