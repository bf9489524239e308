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

test("without --to it goes where placement would put it, says why, and asks nothing where there is one node only", async () => {
  await using fleet = await aFleetWith();
  await fleet.vm("web-1");
  const moved = await odorobo("vm", "migrate", "web-1", "--fleet", fleet.folder);
  expect(moved.code, moved.stderr).toBe(0);
  expect(moved.stderr).toContain(
    "web-1 goes to n2, the only node that can take it (2 nodes in the fleet, 1 to choose from, 1 with room)",
  );
  expect(moved.stdout).toMatch(/^web-1 runs on n2, moved from n1/);
});

test("with several nodes that could take it, it is asked which; --yes takes the one that is told", async () => {
  await using fleet = await aLiveFleet("n1", "n2", "n3");
  for (const [vm, at] of [
    ["web-1", "n1"],
    ["db-1", "n2"],
  ] as const)
    await fleet.vm(vm, [`placement: { node: ${at} }`]);
  await odorobo("apply", fleet.folder, "--yes");
  await fleet.vm("web-1");
  const migrate = (...flags: string[]) => odorobo("vm", "migrate", "web-1", ...flags, "--fleet", fleet.folder);
  const asked = await migrate();
  expect(asked).toMatchObject({ code: 3, stdout: "" });
  expect(asked.stderr).toMatch(/web-1 goes to n3, of n2, n3 the best by its preferences, then the emptiest/);
  expect(asked.stderr).toMatch(/NOT_CONFIRMED .* move web-1 to n3, one of 2\nhint: --yes takes n3; --to NAME another/);
  const moved = await migrate("--yes");
  expect(moved.code, moved.stderr).toBe(0);
  expect(moved.stdout).toMatch(/^web-1 runs on n3/);
  // As the manifests allow it anywhere, the next plan leaves it there.
  expect((await odorobo("plan", fleet.folder, "--detailed-exitcode")).code).toBe(0);
});

test("without --to and no node for it: how many each filter left; or why it cannot be moved", async () => {
  await using fleet = await aFleetWith();
  const migrate = () => odorobo("vm", "migrate", "web-1", "--fleet", fleet.folder);
  expect(await migrate()).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(
      /UNPLACEABLE {2}no other node can take web-1: 2 nodes in the fleet, 1 to choose from, 0 allowed by its placement\nhint: /,
    ),
  });
  await fleet.vm("web-1", ["migration: { mode: never }"]);
  expect(await migrate()).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("web-1 cannot leave n1 as it is: its migration mode is never"),
  });
  await fleet.vm("web-1", ["migration: { mode: cold }"]);
  expect(await migrate()).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/web-1 cannot leave n1 as it runs: its migration mode is cold\nhint: .*--mode cold/),
  });
  expect((await odorobo("vm", "list", "--fleet", fleet.folder)).stdout).toMatch(/web-1 +n1 +running/);
});

test("one that is off goes as it is, and one that runs is stopped for --mode cold and started there", async () => {
  await using fleet = await aFleetWith();
  const cold = await odorobo("vm", "migrate", "web-1", "--to", "n2", "--mode", "cold", "--fleet", fleet.folder);
  expect(cold.code, cold.stderr).toBe(0);
  expect(cold.stdout).toMatch(/^web-1 runs on n2, moved from n1: in /);
  expect(cold.stderr).toContain("shutting down web-1 on n1 …");
  const at = ["--fleet", fleet.folder];
  expect((await odorobo("status", fleet.folder)).stdout).toMatch(
    /web-1 +n1 .*it moved to n2; .* of old disks kept until 2/,
  );
  // It may be all that there is of it: nobody has looked whether n2 has it.
  const blind = await odorobo("vm", "purge", "web-1", "--node", "n1", "--yes", ...at);
  expect(blind).toMatchObject({ code: 1, stderr: expect.stringContaining("may be all that there is of it") });
  expect(await odorobo("vm", "purge", "web-1", "--yes", ...at)).toMatchObject({
    code: 0,
    stdout: "web-1 on n1: purged (it had no disks)\n",
  });
  expect((await odorobo("vm", "list", ...at)).stdout).toMatch(/web-1 +n2 +running/);
  expect(await odorobo("vm", "shutdown", "web-1", "--fleet", fleet.folder)).toMatchObject({ code: 0 });
  const off = await odorobo("vm", "migrate", "web-1", "--to", "n1", "--fleet", fleet.folder);
  expect(off.code, off.stderr).toBe(0);
  expect(off.stdout).toMatch(/^web-1 is off on n1, moved from n2: in /);
});
