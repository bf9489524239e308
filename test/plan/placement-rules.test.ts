/** What manifests say about labels and evenness, in plans: operators, wishes with weights, spread. */
import { describe, expect, test } from "vitest";
import type { LabelExpression, SpreadRule } from "../../src/model/desired-state.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";
import { simulate } from "../support/simulate.ts";

function plan(fleet: FleetBuilder, world: WorldBuilder): Plan {
  const made = planOf(fleet, world);
  expect(checkPlan(made, fleet.desired(), world.observed())).toEqual([]);
  const { observed } = simulate(made, fleet.desired(), world.observed(), () => 0);
  expect(planOf(fleet, { observed: () => observed } as WorldBuilder).steps).toEqual([]);
  return made;
}

const homes = (made: Plan): Record<string, string> =>
  Object.fromEntries(made.changes.map(({ name, node }) => [name, node]));

const racks = () =>
  aFleet()
    .node("n1", { labels: { rack: "a", cores: "8", ssd: "yes" } })
    .node("n2", { labels: { rack: "b", cores: "32" } })
    .node("n3", { labels: { rack: "c", cores: "many" } });

describe("labels of the node", () => {
  test.each<[LabelExpression["operator"], string, string[], string[]]>([
    ["In", "rack", ["b", "c"], ["n2", "n3"]],
    ["NotIn", "rack", ["a", "c"], ["n2"]],
    ["NotIn", "ssd", ["yes"], ["n2", "n3"]],
    ["Exists", "ssd", [], ["n1"]],
    ["DoesNotExist", "ssd", [], ["n2", "n3"]],
    ["Gt", "cores", ["8"], ["n2"]],
    ["Lt", "cores", ["32"], ["n1"]],
  ])("%s %s %j", (operator, key, values, allowed) => {
    const rule = { match: {}, expressions: [{ key, operator, values }], required: true };
    for (const node of ["n1", "n2", "n3"]) {
      const fleet = racks().vm("a", { on: node, nodeAffinity: [rule] });
      const made = planOf(fleet, fleet.empty());
      expect(made.blocked.length).toBe(allowed.includes(node) ? 0 : 1);
      if (made.blocked[0]) {
        expect(made.blocked[0].filters?.at(-1)).toEqual({ filter: "placement", left: 0 });
        const texts = made.blocked[0].conflict?.constraints.map(({ text }) => text);
        expect(texts?.[0]).toMatch(/^its nodeAffinity asks for /);
        expect(texts?.[1]).toBe(`its placement names ${node}`);
      }
    }
  });

  test("a guest leaves a node whose labels its manifest no longer allows", () => {
    const fleet = racks().vm("a", {
      nodeAffinity: [{ match: {}, expressions: [{ key: "cores", operator: "Gt", values: ["16"] }], required: true }],
    });
    const made = plan(fleet, fleet.empty().has("a", "n1").sends("n1", "n2", "n3"));
    expect(made.steps.map(describeStep)).toEqual(["migrate a from n1 to n2"]);
  });

  test("of wishes the heavier wins, and a wish moves nobody", () => {
    const wishes = [
      { match: { rack: "c" }, required: false, weight: 2 },
      { match: { rack: "b" }, required: false, weight: 5 },
    ];
    const fleet = racks().vm("a", { nodeAffinity: wishes });
    expect(homes(plan(fleet, fleet.empty()))).toEqual({ a: "n2" });
    expect(plan(fleet, fleet.empty().has("a", "n1").sends("n1", "n2", "n3")).steps).toEqual([]);
  });
});

test("of two wishes about other VMs the heavier wins", () => {
  const near = (app: string, weight: number) => ({ match: { app }, per: "node", required: false, weight });
  const fleet = racks()
    .vm("x", { on: "n1", labels: { app: "x" } })
    .vm("y", { on: "n3", labels: { app: "y" } })
    .vm("new", { affinity: [near("x", 1), near("y", 4)] });
  expect(homes(plan(fleet, fleet.asDesired()))).toEqual({ new: "n3" });
});

test("labels of other VMs by expression", () => {
  const notDb = [{ key: "app", operator: "NotIn", values: ["db"] }] as const;
  const fleet = racks()
    .vm("web", { on: "n1", labels: { app: "web" } })
    .vm("db", { on: "n2", labels: { app: "db" } })
    .vm("shy", { nodes: ["n1", "n2"], antiAffinity: [{ match: {}, expressions: notDb, per: "node", required: true }] });
  expect(homes(plan(fleet, fleet.asDesired().lost("shy", "n1")))).toEqual({ shy: "n2" });
});

describe("spread", () => {
  const even = (over: Partial<SpreadRule> = {}) => ({
    labels: { app: "web" },
    spread: [{ match: { app: "web" }, per: "rack", maxSkew: 1, required: true, ...over }],
  });
  const seen = { spec: aSpec({ labels: { app: "web" } }) };

  test("new VMs go one to each rack, though one node were emptier", () => {
    const fleet = racks().node("n4", { labels: { rack: "a" }, memoryMiB: 65536, cpus: 64 });
    for (const name of ["w1", "w2", "w3"]) fleet.vm(name, even());
    expect(Object.values(homes(plan(fleet, fleet.empty()))).sort()).toEqual(["n2", "n3", "n4"]);
  });

  test("what is crowded is spread by moves, as few as will do", () => {
    const fleet = racks();
    for (const name of ["w1", "w2", "w3"]) fleet.vm(name, even());
    const world = fleet.empty().has("w1", "n1", seen).has("w2", "n1", seen).has("w3", "n2", seen);
    const made = plan(fleet, world.sends("n1", "n2", "n3"));
    expect(made.steps.map(describeStep)).toEqual(["migrate w1 from n1 to n3"]);
    expect(made.changes[0]?.reasons[0]?.text).toBe(
      "too many are where it is: spread app=web per rack, at most 1 more than elsewhere",
    );
  });

  test("a rack that nobody may come to is not waited for", () => {
    const fleet = aFleet()
      .node("n1", { labels: { rack: "a" } })
      .node("n2", { labels: { rack: "b" } })
      .node("n3", { labels: { rack: "c" }, cordoned: true });
    for (const name of ["w1", "w2", "w3", "w4"]) fleet.vm(name, even());
    expect(Object.values(homes(plan(fleet, fleet.empty()))).sort()).toEqual(["n1", "n1", "n2", "n2"]);
  });

  test("one that has no room in the emptiest rack is told, not put elsewhere; as a wish it goes elsewhere", () => {
    const tight = (required: boolean) => {
      const fleet = aFleet()
        .node("n1", { labels: { rack: "a" } })
        .node("n2", { labels: { rack: "b" }, memoryMiB: 512 });
      return fleet.vm("w1", even({ required })).vm("w2", even({ required }));
    };
    const world = (fleet: FleetBuilder) => fleet.empty().has("w1", "n1", seen);
    const told = plan(tight(true), world(tight(true))).blocked;
    expect(told[0]?.message).toContain("n1: spread (app=web per rack, at most 1 more than elsewhere)");
    expect(told[0]?.conflict?.constraints.map(({ text }) => text)).toEqual([
      "spread app=web per rack, at most 1 more than elsewhere",
      "the memory that nodes have",
    ]);
    expect(homes(plan(tight(false), world(tight(false))))).toEqual({ w2: "n1" });
  });

  test("a bigger skew is allowed where it says so", () => {
    const fleet = racks();
    for (const name of ["w1", "w2", "w3"]) fleet.vm(name, even({ maxSkew: 2 }));
    const world = fleet.empty().has("w1", "n1", seen).has("w2", "n1", seen).has("w3", "n2", seen);
    expect(plan(fleet, world.sends("n1", "n2", "n3")).steps).toEqual([]);
  });
});
