/** What would become of the plan of a pull request by itself, were it merged: what its policy refuses, and what waits for a person. */
import type { GatewayPolicy } from "../../model/desired-state.ts";
import type { Plan } from "../../plan/plan-document.ts";
import { judge } from "../revision/judge.ts";
import { factsOf, showChange } from "../revision/plan-facts.ts";

/** Changes for people: `web-1 (reboot)`. */
export interface PullVerdict {
  readonly forbidden: readonly string[];
  readonly asks: readonly string[];
}

export function verdictOf(plan: Plan, policy: GatewayPolicy): PullVerdict {
  // Drift is there whether it is merged or not.
  const changes = factsOf(plan).changes.filter(({ isDrift }) => !isDrift);
  const { forbidden, ask } = judge({ changes }, { own: [], declined: [], isDoubtful: false }, policy);
  return { forbidden: forbidden.map(showChange), asks: ask.map(showChange) };
}
