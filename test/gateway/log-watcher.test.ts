import { expect, test } from "vitest";
import { logWatcher } from "../../src/gateway/service/log-watcher.ts";
import { instant } from "../../src/model/names.ts";
import { aClock } from "../support/a-clock.ts";
import { aChange, aStepReport, ToldLoop } from "../support/a-told-loop.ts";

test("each line of what a loop does says its fleet, and those of a run its revision and its id", () => {
  const lines: Record<string, unknown>[] = [];
  const note = (fields: object, message: string) => void lines.push({ ...fields, message });
  const loop = new ToldLoop(aClock(), logWatcher("shop", { info: note, warn: note, error: note }));
  loop.push("r1").plan("r1", [aChange("web-1")]);
  const at = instant("2026-11-28T12:00:00.000Z");
  loop.apply({ event: "started", at, steps: 1 }, "20261128-120000-abcd");
  loop.apply({ event: "step-ended", at, report: aStepReport() }, "20261128-120000-abcd");
  expect(lines.filter(({ fleet }) => fleet !== "shop")).toEqual([]);
  expect(lines.slice(-2)).toMatchObject([
    { message: "a run begins", revision: "r1", run: "20261128-120000-abcd", steps: 1 },
    { message: "boot web-1 on n1", revision: "r1", run: "20261128-120000-abcd", outcome: "done" },
  ]);
});
