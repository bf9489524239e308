/** Moves as apply carries them out: two agents are asked, a try that failed is no stranger's doing, and what has arrived is not sent again. */
import { expect, test } from "vitest";
import { RehearsedFleet } from "../../src/agent/rehearsal/rehearsed-fleet.ts";
import { apply } from "../../src/apply/apply.ts";
import { vmName } from "../../src/model/names.ts";
import { VirtualTime } from "../../src/platform/virtual-time.ts";
import { aFleet, planOf } from "../support/a-fleet.ts";
import { TEST_MOVES } from "../support/an-apply.ts";

function aMove() {
  const manifests = aFleet().nodes("n1", "n2").vm("web", { on: "n2" });
  const world = manifests.empty().has("web", "n1").sends("n1", "n2");
  const time = new VirtualTime();
  const fleet = new RehearsedFleet(world.observed(), time);
  const plan = planOf(manifests, world);
  const carryOut = () => {
    const options = { files: new Map(), limits: { total: 4, perNode: 4 }, clock: time, sleep: time.sleep };
    const { signal } = new AbortController();
    return time.until(apply(plan, fleet.agent, { ...options, ...TEST_MOVES, signal }));
  };
  return { fleet, carryOut };
}

test("the destination is told first, then the source, and the guest is there", async () => {
  const { fleet, carryOut } = aMove();
  expect((await carryOut()).outcome).toBe("done");
  expect(fleet.story).toEqual(["expect-guest web on n2", "migrate web on n1"]);
  expect(
    fleet
      .on("n2")
      .look()
      .vms.map(({ name, phase }) => `${name} ${phase}`),
  ).toEqual(["web running"]);
  expect(fleet.on("n1").look().vms).toEqual([]);
  expect(fleet.broken).toEqual([]);
});

test("a try that fails raises the VM's serial, and the next one expects that", async () => {
  const { fleet, carryOut } = aMove();
  let tries = 0;
  fleet.behave(({ request }) =>
    request.kind === "migrate" && tries++ === 0
      ? { fail: { code: "AGENT_UNREACHABLE", message: "n2 went away", hint: "is it running?" } }
      : undefined,
  );
  const report = await carryOut();
  expect(report.steps[0]).toMatchObject({ outcome: "done", attempts: 2, error: null });
  expect(tries).toBe(2);
});

test("a stranger's change between two tries is a stranger's change", async () => {
  const { fleet, carryOut } = aMove();
  fleet.behave(({ request }) => {
    if (request.kind === "expect-guest") fleet.on("n1").powerOff(vmName("web"));
    return undefined;
  });
  const report = await carryOut();
  expect(report.steps[0]).toMatchObject({ outcome: "failed" });
  expect(fleet.on("n2").look().vms).toEqual([]);
});

test("what has arrived already is told, and not sent again", async () => {
  const { fleet, carryOut } = aMove();
  fleet.behave(({ request }) => (request.kind === "migrate" ? { losesAnswer: true } : undefined));
  const report = await carryOut();
  expect(report.steps[0]).toMatchObject({ outcome: "done", noop: true });
  expect(fleet.story.filter((deed) => deed.startsWith("migrate"))).toHaveLength(1);
});

test("a guest that cannot be moved as it runs is stopped, sent, and started there", async () => {
  const manifests = aFleet().nodes("n1", "n2").vm("web", { on: "n2" });
  const world = manifests.empty().has("web", "n1").carries("n1", "n2");
  const time = new VirtualTime();
  const fleet = new RehearsedFleet(world.observed(), time);
  const asked: unknown[] = [];
  fleet.behave(({ request }) => {
    if (request.kind === "expect-guest" || request.kind === "migrate") asked.push(request.mode);
    return undefined;
  });
  const options = { files: new Map(), limits: { total: 4, perNode: 4 }, clock: time, sleep: time.sleep };
  const { signal } = new AbortController();
  const report = await time.until(apply(planOf(manifests, world), fleet.agent, { ...options, ...TEST_MOVES, signal }));
  expect(report.outcome).toBe("done");
  expect(fleet.story).toEqual(["shutdown web on n1", "expect-guest web on n2", "migrate web on n1", "boot web on n2"]);
  expect(asked).toEqual(["cold", "cold"]);
});
