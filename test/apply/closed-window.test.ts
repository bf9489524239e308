/** A window that closes while a plan is carried out, or before: what was not begun is left, with what waits for it, and nothing is called failed. */
import { expect, test } from "vitest";
import { applyExitCode } from "../../src/commands/cli/exit-code.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { RunInMemory } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal, tellEnd } from "../support/an-apply.ts";

const CLOSED =
  "its window closed at 2026-01-01T12:00:00.015Z before it could begin; plan again: it waits for the next one";

/** Each step takes 10 ms. */
function slowly(...nodes: string[]): Rehearsal {
  const rehearsal = new Rehearsal(...nodes);
  const forever = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(10, forever) }));
  return rehearsal;
}

const plan = aRunnablePlan()
  .step("createVm", "a", "n1")
  .step("bootVm", "a", "n1", { after: ["createVm-a"] })
  // A window of 15 ms: open when it begins, closed when `a` has booted.
  .step("createVm", "b", "n1", { untilMs: 15 })
  .step("bootVm", "b", "n1", { after: ["createVm-b"] })
  .step("createVm", "c", "n1", { after: ["bootVm-a"], untilMs: 15 })
  .step("bootVm", "c", "n1", { after: ["createVm-c"] })
  .step("createVm", "d", "n2", { after: ["createVm-b"] })
  .build();

test("what is begun in time goes on, what is not is skipped with all that waits for it", async () => {
  const report = await slowly("n1", "n2").apply(plan);
  expect(report.steps.map(tellEnd)).toEqual([
    "done create a on n1",
    "done boot a on n1",
    "done create b on n1",
    "done boot b on n1",
    `skipped create c on n1: ${CLOSED}`,
    "skipped boot c on n1: create c on n1 was too late",
    "done create d on n2",
  ]);
  expect(report).toMatchObject({ outcome: "done", counts: { done: 5, failed: 0, skipped: 2 } });
  expect(applyExitCode(plan, report)).toBe(3);
});

test("a saved plan whose window has closed does nothing of it", async () => {
  const rehearsal = slowly("n1", "n2");
  rehearsal.time.after(20, () => {});
  await rehearsal.time.until(rehearsal.time.sleep(20, new AbortController().signal));
  const report = await rehearsal.apply(plan);
  expect(report.steps.map(({ outcome }) => outcome)).toEqual([
    "done",
    "done",
    "skipped",
    "skipped",
    "skipped",
    "skipped",
    "skipped",
  ]);
  expect(rehearsal.fleet.story).toEqual(["create a on n1", "boot a on n1"]);
});

test("a slot of the parallelism is free again at once", async () => {
  const rehearsal = slowly("n1", "n2");
  await rehearsal.time.until(rehearsal.time.sleep(20, new AbortController().signal));
  const report = await rehearsal.apply(plan, { limits: { total: 1, perNode: 1 } });
  expect(report.counts).toEqual({ done: 2, failed: 0, skipped: 5 });
});

test("a run that is taken up asks again for what was in flight, however late, and skips what was skipped with all that waits for it", async () => {
  const rehearsal = slowly("n1", "n2");
  const run = new RunInMemory(plan, rehearsal, ["n1", "n2"]);
  const at = rehearsal.time.now();
  const events: RunEvent[] = [
    { event: "step-started", at, step: "createVm-b" },
    // Whoever wrote this down did not come to what waits for it.
    { event: "step-skipped", at, step: "createVm-c", skippedBecause: CLOSED },
    { event: "paused", at, by: "me" },
    { event: "resumed", at, by: "me" },
  ];
  run.events.push(...events);
  await rehearsal.time.until(rehearsal.time.sleep(20, new AbortController().signal));
  const report = await rehearsal.time.until(run.execute().ended);
  expect(report).toMatchObject({ outcome: "done", counts: { done: 5, failed: 0, skipped: 2 } });
  expect(rehearsal.fleet.story).toContain("create b on n1");
  expect(report.steps.filter(({ vm }) => vm === "c").map(({ outcome }) => outcome)).toEqual(["skipped", "skipped"]);
});
