/** A step begins when it is kept that it began, and not before: nor is its agent asked again by whoever must not any more. */
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { RunInMemory } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";
import { Rehearsal } from "../support/an-apply.ts";

const plan = aRunnablePlan()
  .step("createVm", "web-1", "n1")
  .step("bootVm", "web-1", "n1", { after: ["createVm-web-1"] })
  .build();

test("nothing is asked of an agent for a step whose begin could not be written down", async () => {
  const rehearsal = new Rehearsal("n1");
  const run = new RunInMemory(plan, rehearsal, ["n1"]);
  const full = new OdoroboError("FILE_UNWRITABLE", "no room");
  const keep = (event: { readonly event: string }) => {
    if (event.event === "step-started") throw full;
  };
  await expect(run.execute({ keep }).ended).rejects.toBe(full);
  expect(rehearsal.fleet.story).toEqual([]);
});

test("what began waits until that is kept", async () => {
  const rehearsal = new Rehearsal("n1");
  const run = new RunInMemory(plan, rehearsal, ["n1"]);
  const kept: string[] = [];
  const settled = async () => void kept.push(rehearsal.fleet.story.join());
  await run.execute({ settled }).ended;
  expect(kept.slice(0, 2)).toEqual(["", "create web-1 on n1"]);
  expect(run.state.outcome).toBe("done");
});

test("who must not act any more begins nothing, and the run is left as it is", async () => {
  const rehearsal = new Rehearsal("n1");
  const run = new RunInMemory(plan, rehearsal, ["n1"]);
  const lost = new OdoroboError("INTERRUPTED", "another leads");
  const settled = async () => {
    if (rehearsal.fleet.story.length > 0) throw lost;
  };
  await expect(run.execute({ settled }).ended).rejects.toBe(lost);
  expect(rehearsal.fleet.story).toEqual(["create web-1 on n1"]);
  expect(run.state.outcome).toBe(null);
  // Of the second it is not known whether it was begun: whoever carries on asks for it by its id.
  expect([...run.state.steps].map(([id, { kind }]) => `${id} ${kind}`)).toEqual([
    "createVm-web-1 ended",
    "bootVm-web-1 in-flight",
  ]);
});
