/** Where one after another left some without a home, all together find one; and nobody is moved for it who has one. */
import { expect, test } from "vitest";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { aFleet, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";

const GIB = 1024;
const memory = (gib: number) => ({ memory: { sizeMiB: gib * GIB, maxMiB: gib * GIB } });

function homes(fleet: FleetBuilder, world: WorldBuilder): Record<string, string | null> {
  const plan = planOf(fleet, world);
  expect(checkPlan(plan, fleet.desired(), world.observed())).toEqual([]);
  expect(plan.changes.every((change) => change.action === "create")).toBe(true);
  const blocked = plan.blocked.map((each) => [each.name, null] as const);
  return Object.fromEntries([...plan.changes.map((change) => [change.name, change.node] as const), ...blocked]);
}

test("four that fit on two nodes in one way only are placed in that way", () => {
  const fleet = aFleet()
    .node("n1", { memoryMiB: 8 * GIB })
    .node("n2", { memoryMiB: 6 * GIB });
  fleet.vm("a", memory(4)).vm("b", memory(4)).vm("c", memory(3)).vm("d", memory(3));
  expect(homes(fleet, fleet.empty())).toEqual({ a: "n1", b: "n1", c: "n2", d: "n2" });
});

test("where all fit one after another, each goes where it is emptiest, as ever", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("a", memory(4)).vm("b", memory(3)).vm("c", memory(2));
  expect(homes(fleet, fleet.empty())).toEqual({ a: "n1", b: "n2", c: "n2" });
});

test("one gives way to another that may live on fewer nodes, and to what a rule leaves", () => {
  const apart = { antiAffinity: [{ match: { app: "web" }, per: "node", required: true }], labels: { app: "web" } };
  const fleet = aFleet().nodes("n1", "n2", "n3");
  fleet.vm("a", { ...apart, ...memory(2), nodes: ["n1", "n2", "n3"] });
  fleet.vm("b", { ...apart, ...memory(1.5), nodes: ["n1", "n2"] });
  fleet.vm("c", { ...apart, ...memory(1), nodes: ["n1", "n2"] });
  expect(homes(fleet, fleet.empty())).toEqual({ a: "n3", b: "n2", c: "n1" });
});

test("what fits in no way leaves as few as can be, and says why", () => {
  const fleet = aFleet()
    .node("n1", { memoryMiB: 8 * GIB })
    .node("n2", { memoryMiB: 6 * GIB });
  fleet.vm("a", memory(4)).vm("b", memory(4)).vm("c", memory(3)).vm("d", memory(3)).vm("e", memory(1));
  expect(homes(fleet, fleet.empty())).toEqual({ a: "n1", b: "n2", c: "n1", d: null, e: "n2" });
});

test("who has a home keeps it", () => {
  const fleet = aFleet()
    .node("n1", { memoryMiB: 8 * GIB })
    .node("n2", { memoryMiB: 6 * GIB });
  fleet
    .vm("old", { ...memory(3), on: "n1" })
    .vm("a", memory(6))
    .vm("b", memory(4));
  expect(homes(fleet, fleet.asDesired().lost("a", "n1").lost("b", "n1"))).toEqual({ a: "n2", b: "n1" });
});
