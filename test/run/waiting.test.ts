/** A run that waits for an approval: what each thing that is asked of it comes to, with and without somebody at it. */
import { expect, test } from "vitest";
import type { OdoroboError } from "../../src/model/errors.ts";
import { decide, type Executor, endOf, type RunCommand } from "../../src/run/decide.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { reportOf } from "../../src/run/resume.ts";
import { stateOf, statusOf } from "../../src/run/state.ts";
import { FileRunStore } from "../../src/run-store/file-run-store.ts";
import { commandRun } from "../../src/turn/runs/command-run.ts";
import { aClock } from "../support/a-clock.ts";
import { NOON } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const at = NOON;
const plan = aRunnablePlan().step("createVm", "web-1", "n1").build();
const begun = aBegunRun(plan, { run: "r1", version: 2, asks: { revision: "c1" } });
const approved: RunEvent = { event: "approved", at, by: "ada" };
const refused: RunEvent = { event: "ended", at, outcome: "refused", by: "bob", reason: "not today" };
const replaced: RunEvent = { event: "ended", at, outcome: "replaced", reason: "by c2" };
const started: RunEvent = { event: "step-started", at, step: "createVm-web-1" };
const stateAfter = (...events: RunEvent[]) => stateOf([begun, ...events])!;
const asked = (kind: RunCommand["kind"], executor: Executor, ...events: RunEvent[]) => {
  const decision = decide(stateAfter(...events), { kind, at, by: "me" }, executor);
  return decision.next === "refuse" ? `${decision.code}: ${decision.message}` : decision;
};

test("nothing of it begins before somebody approves it, whatever is asked", () => {
  expect(stateAfter()).toMatchObject({ wish: "ask", approvedBy: null });
  expect(asked("attach", "nobody")).toEqual({ next: "report" });
  expect(asked("attach", "other")).toEqual({ next: "follow" });
  for (const kind of ["resume", "pause"] as const) expect(asked(kind, "nobody")).toContain("RUN_WAITING: ");
  expect(endOf(stateAfter(), at)).toBe(null);
  expect(reportOf(plan, stateAfter()).steps[0]).toMatchObject({ skippedBecause: "waits for an approval" });
});

test("approved, it may begin; turned down or replaced it never does, and says why", () => {
  expect(asked("approve", "other")).toEqual({ next: "tell" });
  expect(asked("approve", "nobody")).toEqual({ next: "note", append: [{ ...approved, by: "me" }] });
  expect(stateAfter(approved)).toMatchObject({ wish: "run", approvedBy: "ada" });
  expect(asked("approve", "nobody", approved)).toEqual({ next: "note", append: [] });
  expect(asked("refuse", "nobody", approved)).toBe(
    "RUN_NOT_WAITING: the run r1 does not wait for an answer: ada approved it",
  );
  expect(asked("attach", "nobody", approved)).toMatchObject({ next: "execute" });
  expect(asked("abort", "nobody")).toEqual({
    next: "note",
    append: [{ event: "ended", at, outcome: "refused", by: "me" }],
  });
  expect(asked("approve", "nobody", refused)).toBe("RUN_OVER: the run r1 has ended: refused by bob (not today)");
  expect(asked("approve", "other", replaced)).toBe("RUN_OVER: the run r1 has ended: replaced (by c2)");
  const done: RunEvent = { event: "ended", at, outcome: "done" };
  const hints = [replaced, [approved, started, done]].map((events) =>
    decide(stateAfter(...[events].flat()), { kind: "approve", at, by: "me" }, "nobody"),
  );
  expect(hints).toMatchObject([
    { hint: expect.stringMatching(/^nothing of it is done; /) },
    { hint: expect.stringMatching(/^what it did stays done; /) },
  ]);
  // What was not asked about is not to be approved.
  const plain = stateOf([aBegunRun(plan, { run: "r1" }), started])!;
  expect(decide(plain, { kind: "approve", at, by: "me" }, "other")).toMatchObject({ code: "RUN_NOT_WAITING" });
  expect(stateOf([aBegunRun(plan), approved])).toMatchObject({ approvedBy: null });
});

test("how it stands, in one word", () => {
  for (const isExecuted of [true, false]) {
    expect(statusOf(stateAfter(), isExecuted)).toBe("waiting");
    expect(statusOf(stateAfter(approved), isExecuted)).toBe("approved");
    expect(statusOf(stateAfter(refused), isExecuted)).toBe("refused");
    expect(statusOf(stateAfter(replaced), isExecuted)).toBe("replaced");
    expect(statusOf(stateAfter(approved, started), isExecuted)).toBe(isExecuted ? "running" : "stranded");
  }
});

test("with nobody at it the answer is in the journal for the next; with somebody, theirs is the word", async () => {
  await using folder = await aTempFolder({ inMemory: true });
  const store = new FileRunStore(folder.path);
  const clock = aClock();
  const claim = await store.create(plan, begun);
  const heard: unknown[] = [];
  claim.onCommand((order) => {
    heard.push(order);
    if (order.kind === "approve") claim.append({ event: "approved", at, by: order.by });
  });
  const reason = "x".repeat(5_000);
  await commandRun(store, "r1", { kind: "refuse", by: "me", reason }, clock);
  expect(heard).toEqual([{ kind: "refuse", by: "me", reason: reason.slice(0, 300) }]);
  await claim[Symbol.asyncDispose]();

  const known = await commandRun(store, "r1", { kind: "approve", by: "ada" }, clock);
  expect(known).toMatchObject({ isExecuted: false, state: { wish: "run", approvedBy: "ada" } });
  await store.create(plan, { ...begun, run: "r2" }).then((other) => other[Symbol.asyncDispose]());
  await commandRun(store, "r2", { kind: "refuse", by: "bob", reason: "not today" }, clock);
  const error = await commandRun(store, "r2", { kind: "approve", by: "me" }, clock).catch((each: OdoroboError) => each);
  expect(error).toMatchObject({ code: "RUN_OVER", message: expect.stringContaining("refused by bob (not today)") });
});
