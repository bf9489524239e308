/** Others are moved for one that fits nowhere, or because of a rule: who, who not, and what is said where nobody can be. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aFleet, aSpec, type FleetBuilder, type PlanOptions, planOf, type WorldBuilder } from "../support/a-fleet.ts";
import { simulate } from "../support/simulate.ts";
import { soundPlan } from "../support/sound-plan.ts";

const of = (gib: number) => ({ memory: { sizeMiB: gib * 1024, maxMiB: gib * 1024 } });
const seen = (gib: number, labels = {}) => ({ spec: aSpec({ ...of(gib), labels }) });
const apart = (app: string, per = "node") => ({
  labels: { app },
  antiAffinity: [{ match: { app }, per, required: true }],
});

/** What is done; and after it there is nothing left to do. */
function stepsOf(fleet: FleetBuilder, world: WorldBuilder): string[] {
  const made = soundPlan(fleet, world);
  const { observed, broken } = simulate(made, fleet.desired(), world.observed(), () => 0);
  expect(broken).toEqual([]);
  const again = planOf(fleet, { observed: () => observed } as WorldBuilder);
  expect([again.steps, again.blocked]).toEqual([[], made.blocked]);
  return [...made.steps.map(describeStep), ...made.blocked.map(({ message }) => `blocked ${message}`)];
}

const reasons = (made: Plan, name: string): string[] =>
  made.changes.find((change) => change.name === name)?.reasons.map(({ text }) => text) ?? [];

describe("a new VM that fits nowhere", () => {
  const fleet = () =>
    aFleet()
      .node("n1", { memoryMiB: 8 * 1024 })
      .node("n2", { memoryMiB: 8 * 1024 })
      .vm("a", of(3))
      .vm("b", of(2))
      .vm("c", of(4))
      .vm("new", of(5));
  const world = () => fleet().empty().has("a", "n1", seen(3)).has("b", "n1", seen(2)).has("c", "n2", seen(4));

  test("is given the room of the smallest that is enough, and the plan says for whom it moves", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2"));
    expect(stepsOf(fleet(), world().sends("n1", "n2"))).toEqual([
      "migrate b from n1 to n2",
      "create new on n1",
      "boot new on n1",
    ]);
    expect(made.steps[1]?.after).toEqual([made.steps[0]?.id]);
    expect(reasons(made, "b")).toEqual(["it makes room on n1 for new"]);
    expect(made.changes.find(({ name }) => name === "b")).toMatchObject({
      action: "migrate",
      class: "migrate",
      fromNode: "n1",
      node: "n2",
    });
    expect(made.summary).toMatchObject({ create: 1, migrate: 1, unchanged: 2, blocked: 0 });
    expect(made.complete).toBe(true);
  });

  test.each<[string, (world: WorldBuilder) => WorldBuilder, PlanOptions]>([
    ["their node does not send guests", (w) => w.sends("n2"), {}],
    ["policy allows no moves", (w) => w.sends("n1", "n2"), { maxClass: "live" }],
    ["they were left out by name", (w) => w.sends("n1", "n2"), { selection: { targets: ["new"], excludes: [] } }],
    ["they stand still", (w) => w.has("b", "n1", { ...seen(2), phase: "paused" }).sends("n1", "n2"), {}],
  ])("where nobody can be moved, because %s, it is told what stands in the way", (_, change, options) => {
    const seeing = change(
      fleet()
        .empty()
        .has("a", "n1", { ...seen(3), movable: { live: false, why: "it has a device" } })
        .has("b", "n1", seen(2))
        .has("c", "n2", seen(4)),
    );
    const made = soundPlan(fleet(), seeing, options);
    expect(made.steps.filter(({ kind }) => kind === "migrateVm")).toEqual([]);
    const told = made.blocked.find(({ name }) => name === "new");
    expect(told).toMatchObject({ code: "UNPLACEABLE" });
    expect(told?.filters).toEqual([
      { filter: "nodes", left: 2 },
      { filter: "room", left: 0 },
    ]);
    expect(told?.conflict).toEqual({
      constraints: [
        { kind: "immovable", text: "others stay where they are" },
        { kind: "room", text: "the memory that nodes have" },
      ],
      othersStay: false,
    });
  });

  test("where the only node that it may be on does not answer, that is in the way, and not its room", () => {
    const one = aFleet().nodes("n1", "n2").vm("a", { on: "n1" });
    const told = soundPlan(one, one.empty().has("a", "n2", { spec: aSpec() }).silent("n1").sends("n2")).blocked[0];
    expect(told?.conflict?.constraints.map(({ text }) => text)).toEqual([
      "n1 does not answer",
      "its placement names n1",
    ]);
  });

  test("one that is left out with --exclude is not moved, another is", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2"), { selection: { targets: [], excludes: ["b"] } });
    expect(made.steps.map(describeStep)[0]).toBe("migrate a from n1 to n2");
  });

  test("one that changes by itself makes room, too, and is changed where it arrives", () => {
    const relabelled = aFleet().node("n1", { memoryMiB: 8192 }).node("n2", { memoryMiB: 8192 });
    relabelled
      .vm("b", { ...of(4), labels: { tier: "gold" } })
      .vm("c", of(4))
      .vm("new", of(8));
    const seeing = relabelled.empty().has("b", "n1", seen(4)).has("c", "n2", seen(4)).sends("n1", "n2");
    expect(stepsOf(relabelled, seeing)).toEqual([
      "migrate b from n1 to n2",
      "update b on n2",
      "create new on n1",
      "boot new on n1",
    ]);
    expect(reasons(soundPlan(relabelled, seeing), "b")).toContainEqual("it makes room on n1 for new");
  });

  test("where there is room without it, nobody is moved", () => {
    const roomy = fleet().node("n3", { memoryMiB: 8 * 1024 });
    expect(
      stepsOf(
        roomy,
        roomy.empty().has("a", "n1", seen(3)).has("b", "n1", seen(2)).has("c", "n2", seen(4)).sends("n1", "n2", "n3"),
      ),
    ).toEqual(["create new on n3", "boot new on n3"]);
  });

  test("nobody is moved for one that would not fit all the same, and what it would take is said", () => {
    const tooBig = aFleet()
      .node("n1", { memoryMiB: 8192, labels: { zone: "a" } })
      .node("n2", { memoryMiB: 16384 })
      .vm("a", of(3))
      .vm("new", { ...of(9), selector: { zone: "a" } });
    const made = soundPlan(tooBig, tooBig.empty().has("a", "n1", seen(3)).sends("n1", "n2"));
    expect(made.steps).toEqual([]);
    expect(made.blocked[0]?.filters).toEqual([
      { filter: "nodes", left: 2 },
      { filter: "placement", left: 1 },
      { filter: "room", left: 0 },
    ]);
    expect(made.blocked[0]?.conflict?.constraints.map(({ text }) => text)).toEqual([
      "the memory that nodes have",
      "its placement asks for zone=a",
    ]);
  });
});

describe("a VM that grows beyond its node", () => {
  const grown = { memory: { sizeMiB: 6144, maxMiB: 8192 } };
  const small = { spec: aSpec({ memory: { sizeMiB: 2048, maxMiB: 8192 } }) };
  const fleet = () =>
    aFleet()
      .node("n1", { memoryMiB: 8192 })
      .node("n2", { memoryMiB: 8192 })
      .vm("db", grown)
      .vm("a", of(3))
      .vm("b", of(4));
  const world = (more = {}) =>
    fleet()
      .empty()
      .has("db", "n1", { ...small, ...more })
      .has("a", "n1", seen(3))
      .has("b", "n2", seen(4))
      .sends("n1", "n2");

  test("and can go nowhere else, is made room where it is", () => {
    expect(stepsOf(fleet(), world())).toEqual(["migrate a from n1 to n2", "update db on n1"]);
    expect(reasons(soundPlan(fleet(), world()), "a")).toEqual(["it makes room on n1 for db to grow"]);
  });

  test("and cannot move itself, neither", () => {
    expect(stepsOf(fleet(), world({ movable: { live: false, why: "it has a device" } }))).toEqual([
      "migrate a from n1 to n2",
      "update db on n1",
    ]);
  });

  test("of two, the one that room can be made for grows, and the other is told why not", () => {
    const two = aFleet()
      .node("n1", { memoryMiB: 8192 })
      .vm("c", { memory: { sizeMiB: 6144, maxMiB: 8192 } })
      .vm("d", { memory: { sizeMiB: 9216, maxMiB: 9216 } });
    const spec = (gib: number) => ({ spec: aSpec({ memory: { sizeMiB: 2048, maxMiB: gib * 1024 } }) });
    const made = soundPlan(two, two.empty().has("c", "n1", spec(8)).has("d", "n1", spec(9)).sends("n1"));
    expect(made.steps.map(describeStep)).toEqual(["update c on n1"]);
    expect(made.blocked.map(({ name }) => name)).toEqual(["d"]);
  });

  test("a node that was too full before is left as it is, if nobody asks for more", () => {
    const full = aFleet()
      .node("n1", { memoryMiB: 4096 })
      .node("n2", { memoryMiB: 8192 })
      .vm("a", of(3))
      .vm("b", of(3))
      .vm("new", of(9));
    const made = soundPlan(full, full.empty().has("a", "n1", seen(3)).has("b", "n1", seen(3)).sends("n1", "n2"));
    expect(made.steps).toEqual([]);
  });
});

describe("a rule that does not hold", () => {
  const three = () => aFleet().nodes("n1", "n2", "n3");
  const both = (fleet: FleetBuilder, node: string, other = node) =>
    fleet
      .empty()
      .has("web-1", node, seen(1, { app: "web" }))
      .has("web-2", other, seen(2, { app: "web" }));

  test("is put right by moving the smaller, and the plan says with whom it may not be", () => {
    const fleet = three()
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(2), ...apart("web") });
    const world = both(fleet, "n1").sends("n1", "n2", "n3");
    expect(stepsOf(fleet, world)).toEqual(["migrate web-1 from n1 to n2"]);
    expect(reasons(soundPlan(fleet, world), "web-1")).toEqual([
      "it must not be where web-2 is: antiAffinity app=web per node",
    ]);
  });

  test("by a label that changed, too: what counts is what they will be", () => {
    const fleet = three()
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(2), labels: { app: "web" } });
    const world = fleet
      .empty()
      .has("web-1", "n1", seen(1, { app: "web" }))
      .has("web-2", "n1", seen(2, { app: "db" }))
      .sends("n1", "n2", "n3");
    expect(stepsOf(fleet, world)).toEqual(["migrate web-1 from n1 to n2", "update web-2 on n1"]);
    const back = three()
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(2), labels: { app: "db" } });
    expect(stepsOf(back, both(back, "n1").sends("n1", "n2", "n3"))).toEqual(["update web-2 on n1"]);
  });

  test("one that is deleted is no reason to move", () => {
    const fleet = three().vm("web-1", { ...of(1), ...apart("web") });
    expect(stepsOf(fleet, both(fleet, "n1").sends("n1", "n2", "n3"))).toEqual([
      "delete web-2 from n1, keeping its disks",
    ]);
  });

  test("affinity brings one to the others", () => {
    const affinity = [{ match: { app: "db" }, per: "rack", required: true }];
    const fleet = aFleet()
      .node("n1", { labels: { rack: "a" } })
      .node("n2", { labels: { rack: "b" } })
      .node("n3", { labels: { rack: "b" } });
    fleet.vm("cache", { ...of(1), affinity }).vm("db", { ...of(4), labels: { app: "db" } });
    const world = fleet
      .empty()
      .has("cache", "n1", seen(1))
      .has("db", "n2", seen(4, { app: "db" }))
      .sends("n1", "n2", "n3");
    expect(stepsOf(fleet, world)).toEqual(["migrate cache from n1 to n3"]);
  });

  test("a wish moves nobody", () => {
    const wish = { labels: { app: "web" }, antiAffinity: [{ match: { app: "web" }, per: "node", required: false }] };
    const fleet = three()
      .vm("web-1", { ...of(1), ...wish })
      .vm("web-2", { ...of(2), ...wish });
    expect(stepsOf(fleet, both(fleet, "n1").sends("n1", "n2", "n3"))).toEqual([]);
  });

  test("what cannot be put right is told once, forgiven, and the rest of the plan stands", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(2), ...apart("web") })
      .vm("new", of(1));
    const made = soundPlan(fleet, both(fleet, "n1").sends("n1"));
    expect(made.steps.map(describeStep)).toEqual(["create new on n1", "boot new on n1"]);
    expect(made.blocked.map(({ name, message }) => [name, message])).toEqual([
      [
        "web-2",
        "web-2 stays on n1 with web-1, against its antiAffinity app=web per node: nobody can be moved so that it holds",
      ],
    ]);
    expect(made.blocked[0]?.conflict?.constraints).toEqual([{ kind: "rule", text: "antiAffinity app=web per node" }]);
    expect(made.summary).toMatchObject({ unchanged: 1, blocked: 1 });
  });

  test("is nothing to a plan for others", () => {
    const fleet = three()
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(2), ...apart("web") })
      .vm("new", of(1));
    const world = both(fleet, "n1").sends("n1", "n2", "n3");
    const made = soundPlan(fleet, world, { selection: { targets: ["new"], excludes: [] } });
    expect([made.steps.map(describeStep), made.blocked]).toEqual([["create new on n2", "boot new on n2"], []]);
  });

  test("what a moved guest has left is nobody to be apart from", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(1), ...apart("web"), on: "n1" });
    const left = { role: "source", stage: "left", url: "n2", peer: "n2", since: "2026-01-01T11:00:00.000Z" } as never;
    const world = fleet
      .empty()
      .has("web-1", "n2", seen(1, { app: "web" }))
      .has("web-1", "n1", { ...seen(1, { app: "web" }), phase: "stopped", migration: left });
    const made = soundPlan(fleet, world);
    expect([made.steps.map(describeStep), made.blocked]).toEqual([["create web-2 on n1", "boot web-2 on n1"], []]);
  });

  test("a new VM and one that must move for it, at once", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { ...of(1), ...apart("web") })
      .vm("web-2", { ...of(1), ...apart("web"), on: "n1" });
    const world = fleet
      .empty()
      .has("web-1", "n1", seen(1, { app: "web" }))
      .sends("n1", "n2");
    expect(stepsOf(fleet, world)).toEqual(["migrate web-1 from n1 to n2", "create web-2 on n1", "boot web-2 on n1"]);
    expect(reasons(soundPlan(fleet, world), "web-1")).toEqual(["it makes room on n1 for web-2"]);
  });
});

test("who was to move for others only, and whose move no order allows, is left where it is and not called blocked", () => {
  // a belongs to c, and only by changing places with b, for which there is no room on the way.
  const affinity = [{ match: { app: "c" }, per: "node", required: true }];
  const fleet = aFleet().node("n1", { memoryMiB: 4096 }).node("n2", { memoryMiB: 5120 });
  fleet
    .vm("a", { ...of(4), affinity })
    .vm("b", of(4))
    .vm("c", { ...of(1), labels: { app: "c" }, on: "n2" });
  const world = fleet
    .empty()
    .has("a", "n1", seen(4))
    .has("b", "n2", seen(4))
    .has("c", "n2", seen(1, { app: "c" }));
  const made = soundPlan(fleet, world.sends("n1", "n2"));
  expect(made.steps).toEqual([]);
  expect(made.blocked.map(({ name, message }) => [name, message])).toEqual([
    ["a", "a stays on n1, against its affinity app=c per node: nobody can be moved so that it holds"],
  ]);
  expect(made.summary).toMatchObject({ unchanged: 2, blocked: 1 });
});
