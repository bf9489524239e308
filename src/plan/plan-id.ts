/** A plan's id: equal ids, equal plans. Also how a plan file that was edited by hand is found out. */
import { digestOf } from "../model/digest.ts";
import type { Plan } from "./plan-document.ts";

/** 64 bits are plenty to tell plans apart, and short enough to read aloud. */
const ID_LENGTH = 16;

/** Of everything but the id itself and the time of looking: the same findings a minute later are the same plan. */
export function planIdOf(plan: Omit<Plan, "id">): string {
  const { observedAt: _time, ...base } = plan.base;
  return digestOf({ ...plan, id: undefined, base }).slice(0, ID_LENGTH);
}
