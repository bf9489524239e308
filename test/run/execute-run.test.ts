/** One executor in bad times: a journal that cannot be kept, hands that pull it off twice, VMs that are not as they were left. */
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import type { RunEvent } from "../../src/run/journal.ts";
import { reportOf } from "../../src/run/resume.ts";
import { RunInMemory } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal, tellEnd } from "../support/an-apply.ts";

const plan = aRunnablePlan()
  .step("createVm", "web-1", "n1")
  .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
  .step("createVm", "web-2", "n2", { after: ["bootVm-web-1"] })
  .build();

function aRun() {
  const rehearsal = new Rehearsal("n1", "n2");
  const forever = new AbortController().signal;
  rehearsal.fleet.behave(() => ({ during: rehearsal.time.sleep(10, forever) }));
  return { rehearsal, run: new RunInMemory(plan, rehearsal, ["n1", "n2"]) };
}
const told = (run: RunInMemory) => reportOf(run.plan, run.state).steps.map(tellEnd);

test("a journal that cannot be kept stops the run as Ctrl-C would, says why, and what is kept of it can be carried on", async () => {
  const { rehearsal, run } = aRun();
  const keep = (event: RunEvent) => {
    if (event.event === "step-succeeded") throw new OdoroboError("FILE_UNWRITABLE", "the disk is full");
  };
  await expect(rehearsal.time.until(run.execute({ keep }).ended)).rejects.toMatchObject({ code: "FILE_UNWRITABLE" });
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1"]);
  expect(run.state).toMatchObject({ outcome: null });
  expect(await rehearsal.time.until(run.execute().ended)).toMatchObject({ outcome: "done", counts: { done: 3 } });
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1", "boot web-1 on n1", "create web-2 on n2"]);
});

test("Ctrl-C twice: what nobody waited for is in doubt, and asked for again by its id", async () => {
  const { rehearsal, run } = aRun();
  const [first, second] = [new AbortController(), new AbortController()];
  rehearsal.time.after(15, () => first.abort());
  rehearsal.time.after(16, () => second.abort());
  const report = await rehearsal.time.until(run.execute({ signal: first.signal, hardSignal: second.signal }).ended);
  expect(report.outcome).toBe("interrupted");
  expect(told(run)).toEqual([
    "done create web-1 on n1",
    "failed boot web-1 on n1: OPERATION_INTERRUPTED",
    "skipped create web-2 on n2: interrupted",
  ]);
  expect(run.state).toMatchObject({ wish: "pause", by: "Ctrl-C" });
  run.events.push({ event: "resumed", at: rehearsal.time.now(), by: "me" });
  expect(await rehearsal.time.until(run.execute().ended)).toMatchObject({ outcome: "done" });
  expect(rehearsal.fleet.callsFor("web-1").map(({ id }) => id)).toEqual([
    "createVm-web-1",
    "bootVm-web-1",
    "bootVm-web-1",
  ]);
  expect(rehearsal.fleet.timesBooted("web-1")).toBe(1);
});

test("a VM that appeared elsewhere, or changed, while nobody was at the run is left alone; the others go on", async () => {
  const { rehearsal, run } = aRun();
  const first = run.execute();
  rehearsal.time.after(5, () => first.kill());
  await rehearsal.time.until(Promise.race([first.ended, rehearsal.time.sleep(12, new AbortController().signal)]));
  // Somebody else's web-2 is on the other node by now.
  rehearsal.fleet.behave(() => undefined);
  const put = {
    id: "theirs",
    fleet: "test",
    commit: null,
    generation: 1,
    spec: plan.specs["web-2" as never]!,
    files: {},
    expect: null,
  };
  await rehearsal.fleet.on("n1").putVm("web-2" as never, put, new AbortController().signal);
  const report = await rehearsal.time.until(run.execute().ended);
  expect(told(run)).toEqual([
    "done create web-1 on n1",
    "done boot web-1 on n1",
    "failed create web-2 on n2: PLAN_STALE",
  ]);
  expect(report.steps[2]?.error?.message).toBe(
    "web-2: the plan saw no such VM; now generation 1, serial 1 on n1 (stopped; applied from no commit)",
  );
  expect(run.state.outcome).toBe("failed");
  expect(rehearsal.fleet.broken).toEqual([]);
});

test("a node that went silent meanwhile: nothing is made that may be there", async () => {
  const { rehearsal, run } = aRun();
  const first = run.execute();
  rehearsal.time.after(5, () => first.kill());
  await rehearsal.time.until(Promise.race([first.ended, rehearsal.time.sleep(12, new AbortController().signal)]));
  rehearsal.fleet.on("n1").silent = true;
  await rehearsal.time.until(run.execute().ended);
  expect(told(run)).toEqual([
    "failed create web-1 on n1: PLAN_STALE",
    "skipped boot web-1 on n1: create web-1 on n1 failed",
    "skipped create web-2 on n2: create web-1 on n1 failed",
  ]);
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1"]);
});
