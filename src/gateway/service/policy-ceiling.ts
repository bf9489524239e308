/**
 * The policy of a repository, held below what the gateway's own file allows: who may push must not be able to raise what the gateway
 * does by itself. Pure.
 *
 * Invariant: for each class of changes the answer is the stricter of both (by itself < asked for < nobody may).
 */
import { CHANGE_CLASSES, type ChangeClass, isWorse } from "../../model/change-class.ts";
import type { GatewayPolicy } from "../../model/desired-state.ts";
import { allows } from "../revision/judge.ts";
import type { PolicyCeiling } from "./gateway-config.ts";

export interface Held {
  readonly policy: GatewayPolicy;
  /** What was taken from the policy, for people; null: nothing. */
  readonly note: string | null;
}

const STRICTNESS = ["auto", "ask", "forbidden"] as const;
const HEALING = ["off", "report", "revert"] as const;

export function holdBelow(policy: GatewayPolicy, ceiling: PolicyCeiling | null): Held {
  if (ceiling === null) return { policy, note: null };
  const limit: GatewayPolicy = {
    auto: ceiling.auto ?? "destroy",
    approve: ceiling.approve ?? null,
    suspend: ceiling.suspend ?? false,
    healDrift: ceiling.healDrift ?? "revert",
  };
  const verdict = (each: ChangeClass) => stricter(STRICTNESS, allows(policy, each), allows(limit, each));
  const lowered = CHANGE_CLASSES.filter((each) => verdict(each) !== allows(policy, each));
  const healDrift = lesser(HEALING, policy.healDrift, limit.healDrift);
  const suspend = policy.suspend || limit.suspend;
  const taken = [
    ...lowered.map((each) => `${each} ${SAID[verdict(each)]}`),
    ...(healDrift === policy.healDrift ? [] : [`drift is left to ${healDrift}`]),
    ...(suspend === policy.suspend ? [] : ["all is suspended"]),
  ];
  if (taken.length === 0) return { policy, note: null };
  return {
    policy: {
      auto: isWorse(policy.auto, limit.auto) ? limit.auto : policy.auto,
      approve: CHANGE_CLASSES.filter((each) => verdict(each) === "ask"),
      suspend,
      healDrift,
      ...(policy.windows === undefined ? {} : { windows: policy.windows }),
    },
    note: `held below the gateway's ceiling: ${taken.join(", ")}`,
  };
}

const SAID = { auto: "is done by itself", ask: "waits for approval", forbidden: "is refused" } as const;

const stricter = <Word>(order: readonly Word[], a: Word, b: Word): Word =>
  order.indexOf(a) >= order.indexOf(b) ? a : b;
const lesser = <Word>(order: readonly Word[], a: Word, b: Word): Word => (order.indexOf(a) <= order.indexOf(b) ? a : b);
