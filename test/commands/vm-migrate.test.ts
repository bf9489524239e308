/** `odorobo vm migrate` against real agents with noop guests, over their own sockets. */
import { expect, test } from "vitest";
import { findAnswerError } from "../../src/wire/check-shape.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

async function aFleetWith(annotations: Readonly<Record<string, string>> = {}): Promise<LiveFleet> {
  const fleet = await aLiveFleet("n1", "n2");
  await fleet.vm("web-1", ["placement: { node: n1 }"], annotations);
  expect(await odorobo("apply", fleet.folder, "--yes")).toMatchObject({ code: 0 });
  return fleet;
}

test("moves a guest, says how it went, and the fleet's other commands know where it is", async () => {
  await using fleet = await aFleetWith();
  const moved = await odorobo("vm", "migrate", "web-1", "--to", "n2", "--fleet", fleet.folder);
  expect(moved.code, moved.stderr).toBe(0);
  expect(moved.stdout).toMatch(/^web-1 runs on n2, moved from n1: in .*, 64\.0 MiB sent, it stood still for .* ms\n/);
  expect(moved.stdout).toContain("name n2 in its placement, or the next apply moves it back");
  const info = await odorobo("vm", "info", "web-1", "--fleet", fleet.folder);
  expect(info).toMatchObject({ code: 0 });
  expect(info.stdout).toMatch(/node +n2/);
  // And back, as a document.
  const back = await odorobo("vm", "migrate", "web-1", "--to", "n1", "--fleet", fleet.folder, "--json");
  expect(back.code, back.stderr).toBe(0);
  const result = JSON.parse(back.stdout);
  expect(findAnswerError("operation-result", result)).toBeNull();
  expect(result).toMatchObject({
    kind: "migrate",
    outcome: "done",
    after: { migration: { stage: "left", peer: "n1" } },
  });
  const plan = await odorobo("plan", fleet.folder, "--detailed-exitcode");
  expect(plan.code, plan.stdout).toBe(0);
});

test("a guest that cannot be moved runs on, and the command says why", async () => {
  await using fleet = await aFleetWith({ "noop.odorobo.dev/fail": "arrive" });
  const moved = await odorobo("vm", "migrate", "web-1", "--to", "n2", "--fleet", fleet.folder);
  expect(moved).toMatchObject({ code: 1, stdout: "" });
  expect(moved.stderr).toContain("MIGRATION_FAILED");
  expect((await odorobo("vm", "list", "--fleet", fleet.folder)).stdout).toMatch(/web-1 +n1 +running/);
});

test.each([
  ["n1", "web-1 is on n1 already"],
  ["n9", "the manifests name no node n9"],
])("to %s there is nowhere to go", async (to, why) => {
  await using fleet = await aFleetWith();
  const moved = await odorobo("vm", "migrate", "web-1", "--to", to, "--fleet", fleet.folder);
  expect(moved.code).toBe(1);
  expect(moved.stderr).toContain(why);
});
