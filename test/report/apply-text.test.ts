import { expect, test } from "vitest";
import type { ApplyEvent, ApplyReport, StepReport } from "../../src/apply/apply-report.ts";
import { instant } from "../../src/model/names.ts";
import { advance, NO_PROGRESS, renderApplyEvent, renderProgressBlock } from "../../src/report/apply-progress.ts";
import { renderApplyReport } from "../../src/report/apply-text.ts";
import { aStep } from "../support/a-step-report.ts";

const at = instant("2026-01-01T12:00:00.000Z");

const failed = aStep("web-2", {
  outcome: "failed",
  error: { code: "HYPERVISOR_FAILED", message: "qemu ended with 1", hint: "odorobo vm logs web-2" },
});

function aReport(steps: StepReport[], outcome: ApplyReport["outcome"]): ApplyReport {
  const count = (which: StepReport["outcome"]) => steps.filter((step) => step.outcome === which).length;
  const counts = { done: count("done"), failed: count("failed"), skipped: count("skipped") };
  const endedAt = instant("2026-01-01T12:00:03.210Z");
  return { kind: "ApplyReport", version: 1, planId: "p", startedAt: at, endedAt, outcome, counts, steps };
}

test("a report counts, explains what failed, and gathers what was skipped by reason", () => {
  const skipped = [3, 4, 5].map((n) =>
    aStep(`web-${n}`, { outcome: "skipped", skippedBecause: "boot web-2 on n1 failed" }),
  );
  expect(renderApplyReport(aReport([aStep("web-1")], "done"), { colour: false })).toBe(
    "Applied: 1 done, 0 failed, 0 skipped in 3.2 s.",
  );
  expect(
    renderApplyReport(aReport([aStep("web-1"), failed, ...skipped], "failed"), { colour: false }),
  ).toMatchInlineSnapshot(`
    "Applied in part: 1 done, 1 failed, 3 skipped in 3.2 s.
      failed  boot web-2 on n1: qemu ended with 1 (HYPERVISOR_FAILED)
              hint: odorobo vm logs web-2
      skipped boot web-3 on n1 and 2 more: boot web-2 on n1 failed
    What was done stays done. odorobo plan shows what is left; apply carries on from there."
  `);
});

test("what a step left undone is told, though it is done", () => {
  const warnings = ["the guest of web-1 has not let go of disks.b: owed until it does, or until its next boot"];
  expect(renderApplyReport(aReport([aStep("web-1", { warnings })], "done"), { colour: false })).toBe(
    `Applied: 1 done, 0 failed, 0 skipped in 3.2 s.\n  warning ${warnings[0]}`,
  );
});

const events: ApplyEvent[] = [
  { event: "started", at, steps: 3 },
  { event: "step-started", at, id: "boot-web-1", title: "boot web-1 on n1" },
  { event: "step-started", at, id: "boot-web-2", title: "boot web-2 on n1" },
  { event: "step-started", at, id: "boot-web-3", title: "boot web-3 on n1" },
  { event: "step-ended", at, report: aStep("web-1") },
  {
    event: "step-retried",
    at,
    id: "boot-web-2",
    title: "boot web-2 on n1",
    error: { code: "AGENT_UNREACHABLE", message: "n1 does not answer" },
    inMilliseconds: 500,
  },
  { event: "step-ended", at, report: failed },
  { event: "interrupting", at, inFlight: 1 },
];

test("in a pipe, progress is one line for each thing worth one", () => {
  let progress = NO_PROGRESS;
  const lines = events.flatMap((event) => {
    progress = advance(progress, event);
    return renderApplyEvent(event, progress, { colour: false }) ?? [];
  });
  expect(lines.join("\n")).toMatchInlineSnapshot(`
    "[1/3] done    boot web-1 on n1 (42 ms)
    again boot web-2 on n1 in 500 ms: n1 does not answer
    [2/3] failed  boot web-2 on n1: qemu ended with 1 (HYPERVISOR_FAILED)
    Interrupted: finishing 1 in flight, starting nothing new. Ctrl-C again stops waiting for them."
  `);
});

test("on a terminal, the block is bounded in height and width however much is in flight", () => {
  let progress = advance(NO_PROGRESS, { event: "started", at, steps: 500 });
  for (let n = 0; n < 64; n++)
    progress = advance(progress, {
      event: "step-started",
      at,
      id: `${n}`,
      title: `boot a-vm-with-a-long-name-${n} on a-node`,
    });
  const block = renderProgressBlock(progress, { colour: false, rows: 4, width: 30 });
  expect(block).toHaveLength(6);
  for (const line of block) expect(line.length).toBeLessThanOrEqual(30);
  expect(block.at(-1)).toBe("  and 60 more");
});
