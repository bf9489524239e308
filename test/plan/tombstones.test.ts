/** What is left of a VM's earlier lives on the nodes, and what that means for its next one. */
import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { aFleet, aSpec, type FleetBuilder, type PlanOptions, planOf, type WorldBuilder } from "../support/a-fleet.ts";

const LATER = instant("2026-01-01T13:00:00.000Z");
const disks = [{ name: "data", origin: { kind: "blank", sizeMiB: 64 }, readonly: false }] as const;

function soundPlan(fleet: FleetBuilder, world: WorldBuilder, options: PlanOptions = {}) {
  const plan = planOf(fleet, world, options);
  expect(checkPlan(plan, fleet.desired(), world.observed())).toEqual([]);
  return plan;
}

test("another fleet's kept disks are not ours to come back to: the VM is made on another node", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web", { disks });
  const plan = soundPlan(fleet, fleet.empty().keeps("web", "n1", ["data"], 3, { fleet: "other" }));
  expect(plan.steps).toMatchObject([{ kind: "createVm", node: "n2" }, { kind: "bootVm" }]);
  expect(plan.changes[0]?.reasons[0]?.text).toBe("it is new");
});

test("the only node keeps another fleet's VM of that name: said in the plan, not found out by the apply", () => {
  const fleet = aFleet().nodes("n1").vm("web");
  const world = fleet.empty().keeps("web", "n1", [], 3, { fleet: null });
  expect(soundPlan(fleet, world)).toMatchObject({ steps: [], blocked: [{ name: "web", code: "UNPLACEABLE" }] });
  expect(planOf(fleet, world).blocked[0]?.message).toContain("keeps what is left of a VM of this name made by hand");
});

test("a VM's new life is above all of its former ones, so that no agent takes it for an old plan", () => {
  const fleet = aFleet().nodes("n1").node("n2", { cordoned: true }).vm("web");
  const world = fleet.empty().keeps("web", "n1", [], 10).keeps("web", "n2", [], 3, { deletedAt: LATER });
  expect(soundPlan(fleet, world).steps[0]).toMatchObject({ kind: "createVm", node: "n1", generation: 11 });
  const moving = aFleet().nodes("n1", "n2").vm("web", { on: "n1" });
  const moved = moving.empty().has("web", "n2", { generation: 2 }).keeps("web", "n1", [], 10);
  expect(soundPlan(moving, moved, { maxClass: "replace" }).steps[1]).toMatchObject({
    kind: "createVm",
    node: "n1",
    generation: 11,
  });
});

test("disks that it comes back to must still be there when the plan is applied: a purge meanwhile makes it stale", () => {
  const fleet = aFleet().nodes("n1").vm("db", { disks });
  const plan = soundPlan(fleet, fleet.empty().keeps("db", "n1", ["data"], 7));
  expect(plan.steps[0]).toMatchObject({ kind: "createVm", expect: { generation: 7, serial: 5 } });
});

test("moving back to a node with older disks of it says so", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("db", { on: "n1", disks });
  const world = fleet
    .empty()
    .has("db", "n2", { spec: aSpec({ disks }), generation: 5 })
    .keeps("db", "n1", ["data"], 4);
  const texts = soundPlan(fleet, world, { maxClass: "replace" }).changes[0]?.reasons.map((each) => each.text);
  expect(texts).toContainEqual(expect.stringContaining("older disks of it are kept on n1"));
});

test("a move that was cut short after the deletion is carried on with the same allowance, without a purge", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("db", { on: "n2", disks });
  const world = fleet.empty().keeps("db", "n1", ["data"], 3);
  const careful = soundPlan(fleet, world);
  expect(careful).toMatchObject({ steps: [], blocked: [{ code: "UNPLACEABLE" }] });
  expect(careful.blocked[0]?.hint).toContain("--max-class replace");
  const allowed = soundPlan(fleet, world, { maxClass: "replace" });
  expect(allowed.steps).toMatchObject([
    { kind: "createVm", node: "n2", generation: 4, expect: null },
    { kind: "bootVm", node: "n2" },
  ]);
  expect(allowed.changes).toMatchObject([{ action: "create", class: "replace" }]);
  expect(allowed.changes[0]?.reasons[0]?.text).toContain("its disks stay behind on n1");
});

test("disks on a node that is only full are waited for, whatever is allowed", () => {
  const fleet = aFleet().node("n1", { cordoned: true }).node("n2").vm("db", { disks });
  const world = fleet.empty().keeps("db", "n1", ["data"], 3);
  expect(soundPlan(fleet, world, { maxClass: "replace" }).steps).toEqual([]);
});

test("older disks are only spoken of to a VM with disks that stay on a node, be it one among others", () => {
  const external = { name: "shared", origin: { kind: "external", url: "nbd://h/e" }, readonly: false } as const;
  const own = { name: "data", origin: { kind: "blank", sizeMiB: 8 }, readonly: false } as const;
  const texts = (...disks: readonly (typeof external | typeof own)[]) => {
    const fleet = aFleet().nodes("n1", "n2").vm("a", { on: "n1", disks });
    const world = fleet
      .empty()
      .has("a", "n2", { spec: aSpec({ disks }) })
      .keeps("a", "n1", ["data"]);
    return planOf(fleet, world, { maxClass: "replace" })
      .changes[0]!.reasons.map((each) => each.text)
      .join("; ");
  };
  expect(texts(external)).not.toContain("older disks");
  expect(texts(external, own)).toContain("older disks of it are kept on n1");
});
