/** An apply that begins where another process ended. */
import { expect, test } from "vitest";
import type { EndedStep, StepReport } from "../../src/apply/apply-report.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal, tellEnd } from "../support/an-apply.ts";

const plan = aRunnablePlan()
  .step("createVm", "web-1", "n1")
  .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
  .step("createVm", "web-2", "n2", { after: ["bootVm-web-1"] })
  .build();

function ended(of: Plan, id: string, outcome: StepReport["outcome"], left: EndedStep["left"] = null): EndedStep {
  const step = of.steps.find((each) => each.id === id)!;
  const { kind, vm, node } = step;
  const error = outcome === "failed" ? ({ code: "HYPERVISOR_FAILED", message: "told to" } as const) : null;
  const skippedBecause = outcome === "skipped" ? "x failed" : null;
  const report = {
    id,
    kind,
    vm,
    node,
    title: describeStep(step),
    outcome,
    noop: false,
    attempts: 1,
    milliseconds: 5,
    error,
    skippedBecause,
  };
  return { report, left };
}

test("what was done is not done again, and the VM's next step counts on what it left", async () => {
  const rehearsal = new Rehearsal("n1", "n2");
  const put = {
    id: "createVm-web-1",
    fleet: "test",
    commit: null,
    generation: 1,
    spec: plan.specs["web-1" as never]!,
    files: {},
    expect: null,
  };
  await rehearsal.fleet.on("n1").putVm("web-1" as never, put, new AbortController().signal);
  const before = [ended(plan, "createVm-web-1", "done", { generation: 1, serial: 1 })];
  const report = await rehearsal.apply(plan, { before });
  expect(report.steps.map(tellEnd)).toEqual([
    "done create web-1 on n1",
    "done boot web-1 on n1",
    "done create web-2 on n2",
  ]);
  expect(report.steps[0]).toBe(before[0]?.report);
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1", "boot web-1 on n1", "create web-2 on n2"]);
  expect(rehearsal.told.slice(0, 3)).toEqual(["started 3", "done create web-1 on n1", "begin boot web-1 on n1"]);
  const boot = rehearsal.fleet.callsFor("web-1").find(({ id }) => id === "bootVm-web-1");
  expect(boot?.request.expect).toEqual({ generation: 1, serial: 1 });
});

test("what waited for one that failed is skipped, though nobody wrote that down; steps behind us need no texts", async () => {
  const rehearsal = new Rehearsal("n1", "n2");
  const report = await rehearsal.apply(plan, { before: [ended(plan, "createVm-web-1", "failed")] });
  expect(report.steps.map(tellEnd)).toEqual([
    "failed create web-1 on n1: HYPERVISOR_FAILED",
    "skipped boot web-1 on n1: create web-1 on n1 failed",
    "skipped create web-2 on n2: create web-1 on n1 failed",
  ]);
  expect(report).toMatchObject({ outcome: "failed", counts: { done: 0, failed: 1, skipped: 2 } });
  expect(rehearsal.fleet.story).toEqual([]);
});

test("all of it is behind us: nothing is begun", async () => {
  const rehearsal = new Rehearsal("n1", "n2");
  const before = plan.steps.map(({ id }) => ended(plan, id, "done", { generation: 1, serial: 1 }));
  expect(await rehearsal.apply(plan, { before })).toMatchObject({ outcome: "done", counts: { done: 3 } });
  expect(rehearsal.fleet.story).toEqual([]);
});
