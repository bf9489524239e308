/** Nodes in maintenance: who leaves, who is stopped, who stays and why, and that nobody comes or is started there. */
import { describe, expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";

const at = (text: string) => instant(`2026-01-01T${text}:00.000Z`);
const NOW = { from: null, until: null, reason: "new disks" };

function plan(fleet: FleetBuilder, world: WorldBuilder): string[] {
  const made = planOf(fleet, world);
  expect(checkPlan(made, fleet.desired(), world.observed())).toEqual([]);
  return [...made.steps.map(describeStep), ...made.blocked.map((each) => `blocked ${each.message}`)];
}

/** `n1` in maintenance, `n2` with room; the VMs are as their manifests say, on `n1`. */
function draining(onDrain: "migrate" | "stop" | "pause" | "block", ...vms: string[]) {
  const fleet = aFleet().node("n1", { maintenance: NOW }).node("n2");
  for (const vm of vms) fleet.vm(vm, { onDrain });
  const world = fleet.empty().sends("n1", "n2");
  for (const vm of vms) world.has(vm, "n1", { spec: aSpec({ onDrain }) });
  return { fleet, world };
}

describe("what happens to its guests", () => {
  test("they move, as the plan says and for the reason that it says", () => {
    const { fleet, world } = draining("migrate", "a", "b");
    expect(plan(fleet, world)).toEqual(["migrate a from n1 to n2", "migrate b from n1 to n2"]);
    expect(planOf(fleet, world).changes[0]?.reasons[0]?.text).toBe("n1 is in maintenance (new disks)");
  });

  test("one whose onDrain is stop is shut down, and not started there afterwards", () => {
    const { fleet, world } = draining("stop", "a");
    expect(plan(fleet, world)).toEqual(["shut down a on n1"]);
    world.has("a", "n1", { spec: aSpec({ onDrain: "stop" }), phase: "stopped", endedBy: "operator" });
    expect(plan(fleet, world)).toEqual([]);
    expect(planOf(fleet, world).summary.unchanged).toBe(1);
  });

  test("one whose onDrain is pause stands still until the maintenance is over", () => {
    const { fleet, world } = draining("pause", "a");
    expect(plan(fleet, world)).toEqual(["pause a on n1"]);
    expect(planOf(fleet, world).changes[0]).toMatchObject({ action: "update", class: "pause" });
    world.has("a", "n1", { spec: aSpec({ onDrain: "pause" }), phase: "paused" });
    expect(plan(fleet, world)).toEqual([]);
    const after = aFleet().nodes("n1", "n2").vm("a", { onDrain: "pause" });
    expect(plan(after, world)).toEqual(["resume a on n1"]);
  });

  test("one whose onDrain is block stays, and the plan names it", () => {
    const { fleet, world } = draining("block", "a");
    expect(plan(fleet, world)).toEqual(["blocked n1 is in maintenance (new disks), and the onDrain of a is block"]);
  });

  test("one that cannot move is named with what holds it", () => {
    const { fleet, world } = draining("migrate", "a");
    world.has("a", "n1", { spec: aSpec(), movable: { live: false, why: "it has the device gpu0 of n1" } });
    expect(plan(fleet, world)).toEqual([
      "blocked n1 is in maintenance (new disks), and a cannot leave it: it has the device gpu0 of n1",
    ]);
  });

  test("members of a group are all moved at once, and no more are shut down than it may be without", () => {
    const group = (onDrain: "migrate" | "stop") => {
      const fleet = aFleet().node("n1", { maintenance: NOW }).node("n2").group("web", 1);
      const world = fleet.empty().sends("n1", "n2");
      for (const vm of ["a", "b"]) {
        fleet.vm(vm, { onDrain, group: "web" });
        world.has(vm, "n1", { spec: aSpec({ onDrain, group: "web" }) });
      }
      return planOf(fleet, world).steps.map((step) => step.after.length);
    };
    expect(group("migrate")).toEqual([0, 0]);
    // Nobody starts it again before the maintenance is over: one of them may be down, and the other stays up.
    expect(group("stop")).toEqual([0]);
  });
});

describe("who comes", () => {
  test("nobody new, though it is empty", () => {
    const fleet = aFleet().node("n1", { maintenance: NOW }).vm("a");
    expect(plan(fleet, fleet.empty())).toEqual([
      "blocked a (1 cpu, 1 GiB) fits nowhere: n1: in maintenance (new disks)",
    ]);
  });

  test("one that is off there is to start and to grow only when it is over: it is not moved for that", () => {
    const size = (sizeMiB: number) => ({ memory: { sizeMiB, maxMiB: sizeMiB } });
    const fleet = aFleet()
      .node("n1", { maintenance: NOW, memoryMiB: 1024 })
      .node("n2")
      .vm("a", { runStrategy: "Always", ...size(2048) });
    const off = aSpec({ runStrategy: "Stopped", ...size(1024) });
    const world = fleet.empty().has("a", "n1", { spec: off, phase: "stopped" }).sends("n1", "n2");
    expect(plan(fleet, world)).toEqual([
      "blocked a needs 1 more cpus and 2048 MiB more memory than n1 has to give (16 cpus, 1024 MiB free), and it cannot move: it rests until the maintenance of its node is over",
    ]);
  });

  test("guests of one node in maintenance do not go to another", () => {
    const fleet = aFleet().node("n1", { maintenance: NOW }).node("n2", { maintenance: NOW }).node("n3").vm("a");
    const world = fleet.empty().has("a", "n1").sends("n1", "n2", "n3");
    expect(plan(fleet, world)).toEqual(["migrate a from n1 to n3"]);
  });
});

describe("when", () => {
  const moves = (from: string | null, until: string | null): number => {
    const maintenance = {
      from: from === null ? null : at(from),
      until: until === null ? null : at(until),
      reason: null,
    };
    const fleet = aFleet().node("n1", { maintenance }).node("n2").vm("a");
    return plan(fleet, fleet.empty().has("a", "n1").sends("n1", "n2")).length;
  };

  // The world of these tests is seen at noon.
  test.each([
    [null, null, 1],
    ["11:59", "12:01", 1],
    ["12:00", null, 1],
    ["12:01", null, 0],
    [null, "12:00", 0],
    ["11:00", "11:30", 0],
  ])("from %s until %s", (from, until, steps) => {
    expect(moves(from, until)).toBe(steps);
  });
});
