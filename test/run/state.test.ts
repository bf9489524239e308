/** What a journal comes to, event by event. */
import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { stateOf } from "../../src/run/state.ts";

const at = (second: number) => instant(`2026-01-01T12:00:0${second}.000Z`);
const begun = { event: "begun", at: at(0), steps: 1, by: "me" } as unknown as RunEvent;
const wish = (...events: ("paused" | "resumed" | "aborted")[]) => {
  const state = stateOf([
    begun,
    ...events.map((event, index) => ({ event, at: at(index + 1), by: event }) as RunEvent),
  ]);
  return state && [state.wish, state.by, state.at];
};

test("a pause and its end, and an abort that nothing takes back", () => {
  expect(wish()?.[0]).toBe("run");
  expect(wish("paused")).toEqual(["pause", "paused", at(1)]);
  expect(wish("paused", "resumed")).toEqual(["run", "resumed", at(2)]);
  expect(wish("resumed")?.[0]).toBe("run");
  for (const after of ["paused", "resumed", "aborted"] as const)
    expect(wish("aborted", after)).toEqual(["abort", "aborted", at(1)]);
  expect(wish("paused", "aborted")).toEqual(["abort", "aborted", at(2)]);
  // Who paused first paused it.
  expect(wish("paused", "paused")).toEqual(["pause", "paused", at(1)]);
});

test("a step that has ended does not begin again, and its first end counts", () => {
  const step = (event: string, second: number) => ({ event, at: at(second), step: "a" }) as unknown as RunEvent;
  const steps = (...events: RunEvent[]) => stateOf([begun, ...events])?.steps.get("a");
  expect(steps(step("step-started", 1))).toEqual({ kind: "in-flight", since: at(1) });
  const ended = { kind: "ended", event: expect.objectContaining({ event: "step-failed", at: at(2) }) };
  expect(steps(step("step-started", 1), step("step-failed", 2))).toEqual(ended);
  expect(steps(step("step-failed", 2), step("step-started", 3), step("step-succeeded", 4))).toEqual(ended);
});
