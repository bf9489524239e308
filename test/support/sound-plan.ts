/** Plans that keep their promises, and what they say, as lines that a test compares. */
import { expect } from "vitest";
import { checkPlan } from "../../src/plan/check-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { type FleetBuilder, NOON, type PlanOptions, planOf, type WorldBuilder } from "./a-fleet.ts";

/** Checked as every command checks it. */
export function soundPlan(fleet: FleetBuilder, world: WorldBuilder, options: PlanOptions = {}): Plan {
  const plan = planOf(fleet, world, options);
  expect(checkPlan(plan, fleet.desired(), { ...world.observed(), at: options.at ?? NOON })).toEqual([]);
  return plan;
}

/** What is done, and what is not. */
export const sentencesOf = ({ steps, blocked, refusals }: Plan): string[] => [
  ...steps.map(describeStep),
  ...blocked.map((each) => `blocked ${each.message}`),
  ...refusals.map((each) => `refused ${each.message}`),
];
