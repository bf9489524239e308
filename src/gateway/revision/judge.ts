/** Which changes of a plan may be made without asking, which wait for an approval, which are left alone, and which nobody may make. */
import { type ChangeClass, isWorse } from "../../model/change-class.ts";
import type { GatewayPolicy } from "../../model/desired-state.ts";
import type { ChangeFacts, PlanFacts } from "./plan-facts.ts";
import type { Revision } from "./revision.ts";

export interface Judgement {
  readonly auto: readonly ChangeFacts[];
  readonly ask: readonly ChangeFacts[];
  /** Drift that is not reverted, and what a person turned down. */
  readonly left: readonly ChangeFacts[];
  readonly forbidden: readonly ChangeFacts[];
}

export function judge(
  { changes }: Pick<PlanFacts, "changes">,
  { own, declined, isDoubtful }: Pick<Revision, "own" | "declined" | "isDoubtful">,
  policy: GatewayPolicy,
): Judgement {
  const sorted = Map.groupBy(changes, (change): keyof Judgement => {
    if (declined.includes(change.name)) return "left";
    if (change.isDrift && policy.healDrift !== "revert" && !own.includes(change.name)) return "left";
    const says = allows(policy, change.class);
    if (change.isMadeAnew === true && says === "auto") return "ask";
    return isDoubtful && says === "auto" && LOSES.has(change.class) ? "ask" : says;
  });
  const { auto = [], ask = [], left = [], forbidden = [] } = Object.fromEntries(sorted);
  return { auto, ask, left, forbidden };
}

const LOSES: ReadonlySet<ChangeClass> = new Set(["replace", "destroy"]);

/** What the policy says of a class. */
export function allows({ auto, approve }: GatewayPolicy, each: ChangeClass): "auto" | "ask" | "forbidden" {
  if (approve?.includes(each)) return "ask";
  if (!isWorse(each, auto)) return "auto";
  return approve === null ? "ask" : "forbidden";
}
