/** What apply itself costs: agents that answer at once, and nobody else to blame. */
import { expect, test } from "vitest";
import { apply } from "../../src/apply/apply.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemSleep } from "../../src/platform/sleep.ts";
import type { Plan } from "../../src/reconcile/plan-document.ts";
import type { AgentApi } from "../../src/wire/agent-api.ts";
import { aSpec } from "../support/a-fleet.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
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
    limits: { total: 64, perNode: 8 },
    clock: systemClock,
    sleep: systemSleep,
    signal: new AbortController().signal,
    onEvent: () => {},
  });
  return { milliseconds: performance.now() - start, counts: report.counts };
}

test("20,000 steps over 500 nodes cost at most 4 s of our own: 5,000 steps each second", async () => {
  const { milliseconds, counts } = await measure(manySteps(10_000));
  expect(counts).toEqual({ done: 20_000, failed: 0, skipped: 0 });
  expect(milliseconds).toBeLessThan(4_000);
});

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
  expect(milliseconds).toBeLessThan(4_000);
});
