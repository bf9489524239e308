/** Who only looks on a run sees what its executor sees; and who looks on and then takes over sees nothing twice. */
import { expect, test } from "vitest";
import type { ApplyEvent } from "../../src/apply/apply-report.ts";
import { instant } from "../../src/model/names.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { onlyNews, toApplyEvent } from "../../src/run/watch.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";

const at = instant("2026-01-01T12:00:00.000Z");
const plan = aRunnablePlan().step("createVm", "web-1", "n1").step("createVm", "web-2", "n1").build();
const [first = "", second = ""] = plan.steps.map(({ id }) => id);

const JOURNAL = [
  { event: "begun", at, steps: 2 },
  { event: "step-started", at, step: first },
  { event: "paused", at, by: "me" },
  { event: "step-succeeded", at, step: first, left: null, noop: false, attempts: 1, milliseconds: 5, warnings: [] },
  { event: "step-started", at, step: "of another plan" },
  { event: "step-started", at, step: second },
] as unknown as readonly RunEvent[];

const told = (event: ApplyEvent | null) =>
  event === null || event.event === "started"
    ? (event?.event ?? null)
    : event.event === "step-ended"
      ? `${event.event} ${event.report.id}`
      : `${event.event} ${"id" in event ? event.id : ""}`;

test("a journal's events are those of an apply; what is none of its steps, or only the run's, is not shown", () => {
  expect(JOURNAL.map(toApplyEvent(plan)).map(told)).toEqual([
    "started",
    `step-started ${first}`,
    null,
    `step-ended ${first}`,
    null,
    `step-started ${second}`,
  ]);
});

test("what was seen is not told again; a step that begins anew because nobody saw its end is", () => {
  const seen: (string | null)[] = [];
  const show = onlyNews((event) => seen.push(told(event)));
  const events = JOURNAL.map(toApplyEvent(plan)).filter((event) => event !== null);
  for (const event of [...events, ...events]) show(event);
  expect(seen).toEqual([
    "started",
    `step-started ${first}`,
    `step-ended ${first}`,
    `step-started ${second}`,
    // Not ended: it may be another attempt.
    `step-started ${second}`,
  ]);
});
