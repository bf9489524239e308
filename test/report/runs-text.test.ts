/** Runs as people read them: one that is under way is no failure, and each hint names the place that the run is kept at. */
import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import type { RunDocument } from "../../src/report/run-document.ts";
import { renderRun, renderRuns } from "../../src/report/runs-text.ts";
import type { RunStatus } from "../../src/run/state.ts";
import { aStep } from "../support/a-step-report.ts";

const at = instant("2026-01-01T12:00:00.000Z");

const STEPS = [
  aStep("a", {}),
  aStep("b", { outcome: "failed", error: { code: "HYPERVISOR_FAILED", message: "qemu ended with 1" } }),
  aStep("c", { outcome: "failed", error: { code: "OPERATION_INTERRUPTED", message: "not waited for" } }),
  aStep("d", { outcome: "skipped", skippedBecause: "interrupted" }),
];

const aRun = (status: RunStatus): RunDocument => ({
  ...{ kind: "Run", version: 1, id: "r-1", status, fleet: "shop", planId: "p", source: "fleet", commit: null },
  counts: { steps: 4, done: 1, failed: 1, skipped: 0, inFlight: 1 },
  ...{ begunAt: at, at, by: "ada" },
  report: {
    ...{ kind: "ApplyReport", version: 1, planId: "p", startedAt: at, endedAt: at, outcome: "interrupted" },
    ...{ counts: { done: 1, failed: 2, skipped: 1 }, steps: STEPS },
  },
});
const NO_PLAN = {} as Plan;

test("while it is executed, what is in flight is what it does now, and only what failed has failed", () => {
  expect(renderRun(aRun("running"), NO_PLAN, { colour: false, place: "" })).toBe(
    [
      "Run r-1 is running: 1/4 done, 1 failed, 1 in flight.",
      "fleet shop, from fleet; plan p; begun at 2026-01-01T12:00:00.000Z",
      "",
      "Under way.",
      "  failed  boot b on n1: qemu ended with 1 (HYPERVISOR_FAILED)",
      "  now     boot c on n1",
      "",
      "It is being executed: odorobo runs attach r-1 looks on, runs pause and runs abort stop it.",
    ].join("\n"),
  );
  for (const status of ["pausing", "aborting"] as const)
    expect(renderRun(aRun(status), NO_PLAN, { colour: false, place: "" })).not.toContain("Interrupted");
  // Nobody executes it: what was in flight is in doubt.
  expect(renderRun(aRun("stranded"), NO_PLAN, { colour: false, place: "" })).toContain("failed  boot c on n1");
});

test("what is to be typed next finds the run", () => {
  const place = "--state './my runs'";
  for (const status of ["running", "pausing", "paused", "stranded"] as const)
    expect(renderRun(aRun(status), NO_PLAN, { colour: false, place })).toContain(` r-1 ${place} `);
  const list = { kind: "RunList", version: 1, runs: [aRun("waiting")], unreadable: [] } as const;
  expect(renderRuns(list, { colour: false, place: "--gateway http://127.0.0.1:8900" })).toMatch(
    /r-1 waits for an approval: odorobo runs show r-1 --gateway http:\/\/127\.0\.0\.1:8900 shows/,
  );
});
