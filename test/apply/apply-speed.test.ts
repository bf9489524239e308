/** What apply itself costs: agents that answer at once, and nobody else to blame. */

import { expect, test } from "vitest";
import { apply } from "../../src/apply/apply.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemSleep } from "../../src/platform/sleep.ts";
import type { AgentApi } from "../../src/wire/agent-api.ts";
import { aSpec } from "../support/a-fleet.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { TEST_MOVES } from "../support/an-apply.ts";
import { aResult } from "../support/wire-builders.ts";

const instantly: AgentApi = {
  report: () => Promise.reject(new Error("nobody asks")),
  putVm: async (vm, { id }) => ({ ...ANSWER, id, vm }),
  operate: async (vm, { id }) => ({ ...ANSWER, id, vm }),
  close: async () => {},
};
const ANSWER = aResult("any" as never, "any");

function manySteps(vms: number) {
  const plan = aRunnablePlan();
  const spec = aSpec();
  for (let number = 0; number < vms; number++) {
    const [name, node] = [`vm-${number}`, `n${number % 500}`];
    plan.step("createVm", name, node, { spec });
    plan.step("bootVm", name, node, { after: [`createVm-${name}`] });
  }
  return plan.build();
}

async function measure(plan: Plan, agent: AgentApi = instantly) {
  const start = performance.now();
  const report = await apply(plan, () => agent, {
    files: new Map(),
    ...TEST_MOVES,
    limits: { total: 64, perNode: 8 },
    clock: systemClock,
    sleep: systemSleep,
    signal: new AbortController().signal,
    onEvent: () => {},
  });
  return { milliseconds: performance.now() - start, counts: report.counts };
}

test("ten times the steps cost about ten times the time", async () => {
  const best = async (vms: number) => {
    const runs = [await measure(manySteps(vms)), await measure(manySteps(vms)), await measure(manySteps(vms))];
    expect(runs[0]?.counts).toEqual({ done: 2 * vms, failed: 0, skipped: 0 });
    return Math.min(...runs.map((run) => run.milliseconds));
  };
  const few = await best(1_000);
  // What grows with the square would be a hundred times as much.
  expect((await best(10_000)) / few).toBeLessThan(40);
}, 120_000);

test("5,000 failures that all lead to the same 15,000 steps skip each of them once", async () => {
  const plan = aRunnablePlan();
  const spec = aSpec();
  const culprits = Array.from({ length: 5_000 }, (_, number) => `bad-${number}`);
  for (const name of culprits) plan.step("createVm", name, "n1", { spec });
  plan.step("createVm", "vm-0", "n1", { spec, after: culprits.map((name) => `createVm-${name}`) });
  for (let number = 1; number < 15_000; number++)
    plan.step("createVm", `vm-${number}`, "n1", { spec, after: [`createVm-vm-${number - 1}`] });
  const refusing: AgentApi = { ...instantly, putVm: () => Promise.reject(new OdoroboError("IMAGE_MISSING", "none")) };
  const { milliseconds, counts } = await measure(plan.build(), refusing);
  expect(counts).toEqual({ done: 0, failed: 5_000, skipped: 15_000 });
  // Beside as many steps that succeed. Skipped once for each culprit it would be 75 million.
  expect(milliseconds / (await measure(manySteps(10_000))).milliseconds).toBeLessThan(15);
}, 120_000);
