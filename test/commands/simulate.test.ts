/** `odorobo simulate`: a plan carried out in memory; the real agents are looked at, and nothing is done to them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aLiveFleet } from "../support/a-live-fleet.ts";
import { expectValid } from "../support/expect-valid.ts";
import { odorobo } from "../support/run-odorobo.ts";

test("the plan of this moment, a saved one, and one of a snapshot; with failures, the same for the same seed", async () => {
  await using fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.vm("web-1", ["placement: { node: n2 }"]);
  await fleet.vm("web-2");
  const at = ["--fleet", fleet.folder];
  const list = async () => (await odorobo("vm", "list", ...at)).stdout;
  const before = await list();

  const now = await odorobo("simulate", ...at);
  expect(now.code, now.stderr).toBe(0);
  expect(now.stdout).toMatch(/^Simulated: done, 3 of 3 steps in .* \(nothing made to fail\)\n/);
  expect(now.stdout).toContain("The next plan has nothing to do.");
  expect(now.stdout).toContain("Every guest had one home at every moment");

  const plan = join(fleet.scratch, "plan.json");
  await odorobo("plan", fleet.folder, "--out", plan);
  const failing = () => odorobo("simulate", plan, ...at, "--fail", "4", "--seed", "7", "--json");
  const found = JSON.parse((await failing()).stdout);
  expectValid(found, "simulation");
  expect(found).toMatchObject({ seed: 7, injected: { length: 4 }, violations: [] });
  const again = JSON.parse((await failing()).stdout);
  expect({ ...again, observedAt: null }).toEqual({ ...found, observedAt: null });
  expect((await failing()).code).toBe(0);
  expect(await list()).toBe(before);

  const snapshot = join(fleet.scratch, "fleet.json");
  await writeFile(snapshot, (await odorobo("snapshot", fleet.folder)).stdout);
  await odorobo("apply", fleet.folder, "--yes");
  expect(await odorobo("simulate", plan, ...at)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining("PLAN_STALE"),
  });
  await fleet.stop("n1");
  await fleet.stop("n2");
  expect((await odorobo("simulate", "--from", snapshot)).stdout).toMatch(/^Simulated: done, 3 of 3 steps/);
  expect((await odorobo("simulate", plan, "--from", snapshot, "--fail", "1")).code).toBe(0);
  expect(await odorobo("simulate", join(fleet.scratch, "nothing.json"), "--from", snapshot)).toMatchObject({ code: 1 });
});
