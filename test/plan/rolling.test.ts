/** Several nodes in maintenance at once: groups stay up, nobody goes from one of them to another, and where there is no room that is said. */
import { describe, expect, test } from "vitest";
import type { DesiredNode } from "../../src/model/desired-state.ts";
import { instant } from "../../src/model/names.ts";
import { renderPlan } from "../../src/report/plan/plan-text.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { aFleet, aSpec } from "../support/a-fleet.ts";
import { soundPlan } from "../support/sound-plan.ts";

const maintenance = { from: null, until: null, reason: "new kernel" };

/** A group of three on three nodes, all three to be drained, with `spare` nodes beside them. */
function threeOnThree(onDrain: "migrate" | "stop", spare: number) {
  const fleet = aFleet().group("db", 1);
  const nodes = ["n1", "n2", "n3"];
  for (const node of nodes) fleet.node(node, { maintenance });
  const spares = Array.from({ length: spare }, (_, index) => `s${index + 1}`);
  fleet.nodes(...spares);
  const world = fleet.empty().sends(...nodes, ...spares);
  for (const [index, node] of nodes.entries()) {
    fleet.vm(`db-${index + 1}`, { onDrain, group: "db" });
    world.has(`db-${index + 1}`, node, { spec: aSpec({ onDrain, group: "db" }) });
  }
  return { fleet, world };
}

describe("a group of three on three nodes that are all to be drained", () => {
  test("its members move away as they run, with one node beside them; without one they stay, and each says why", () => {
    const { fleet, world } = threeOnThree("migrate", 1);
    expect(soundPlan(fleet, world).steps.map(describeStep)).toEqual(
      [1, 2, 3].map((index) => `migrate db-${index} from n${index} to s1`),
    );
    const alone = threeOnThree("migrate", 0);
    const stuck = soundPlan(alone.fleet, alone.world);
    expect(stuck.steps).toEqual([]);
    expect(stuck.blocked.map(({ name, code }) => `${name} ${code}`)).toEqual(
      [1, 2, 3].map((index) => `db-${index} UNPLACEABLE`),
    );
    expect(stuck.blocked[0]?.message).toContain("in maintenance (new kernel)");
  });

  test("those that are stopped for it: one, and the others wait until that node is done", () => {
    const { fleet, world } = threeOnThree("stop", 0);
    const made = soundPlan(fleet, world);
    expect(made.steps.map(describeStep)).toEqual(["shut down db-1 on n1"]);
    expect(made.waves).toEqual({ waves: [["n1"], ["n2"], ["n3"]], stuck: [] });
    expect(made.blocked.map(({ name, hint }) => [`${name}`, hint])).toEqual(
      [2, 3].map((index) => [`db-${index}`, expect.stringContaining("take the nodes one after another")]),
    );
    // The first is done: its member comes up and the next goes down, in this order.
    const next = aFleet().group("db", 1).node("n1").node("n2", { maintenance }).node("n3", { maintenance });
    const then = next.empty().has("db-1", "n1", {
      ...{ spec: aSpec({ onDrain: "stop", group: "db" }), phase: "stopped", endedBy: "operator" },
    });
    for (const index of [1, 2, 3]) next.vm(`db-${index}`, { onDrain: "stop", group: "db" });
    for (const index of [2, 3]) then.has(`db-${index}`, `n${index}`, { spec: aSpec({ onDrain: "stop", group: "db" }) });
    const second = soundPlan(next, then);
    expect(second.steps.map(describeStep)).toEqual(["boot db-1 on n1"]);
    expect(second.blocked.map(({ name }) => `${name}`)).toEqual(["db-2", "db-3"]);
  });
});

describe("a roll of ten nodes", () => {
  const names = Array.from({ length: 10 }, (_, index) => `n${index}`);

  /** Groups of three, each member on another node; `draining` of the ten are in maintenance, at once or at an hour of their own. */
  function roll(isIn: (index: number) => boolean, hours: readonly DesiredNode["maintenance"][] = []) {
    const fleet = aFleet();
    for (const [index, node] of names.entries())
      fleet.node(node, { memoryMiB: 8192, maintenance: isIn(index) ? (hours[index] ?? maintenance) : null });
    const world = fleet.empty().sends(...names);
    for (let group = 0; group < 10; group++) {
      fleet.group(`g${group}`, 1);
      for (let member = 0; member < 3; member++) {
        const name = `vm-${group}-${member}`;
        const labels = { app: `g${group}` };
        const antiAffinity = [{ match: labels, per: "node", required: true }];
        fleet.vm(name, { labels, group: `g${group}`, antiAffinity });
        world.has(name, names[(group + member * 3) % 10] as string, { spec: aSpec({ labels, group: `g${group}` }) });
      }
    }
    return { fleet, world };
  }

  test("all at once there is nowhere to go, and nobody is stopped for it", () => {
    const { fleet, world } = roll(() => true);
    const made = soundPlan(fleet, world);
    expect([made.steps.length, made.blocked.length]).toEqual([0, 30]);
  });

  test("all at once, it says in which waves it can be done: each of them leaves nobody behind, and there are few", () => {
    const { fleet, world } = roll(() => true);
    const made = soundPlan(fleet, world);
    const { waves = [], stuck } = made.waves ?? {};
    expect([...waves.flat()].sort()).toEqual(names);
    expect(stuck).toEqual([]);
    expect(waves.length).toBeLessThanOrEqual(3);
    for (const wave of waves) {
      const one = roll((index) => wave.some((name) => name === names[index]));
      expect(soundPlan(one.fleet, one.world)).toMatchObject({ blocked: [] });
    }
    const text = renderPlan(made, { colour: false, verbose: false });
    expect(text).toContain("Not all nodes in maintenance can be emptied at once. They can in this order");
    expect(text).toContain(`  1. n0`);
    const half = roll((index) => index % 2 === 0);
    expect(soundPlan(half.fleet, half.world).waves).toBeUndefined();
  });

  test("a node that is not emptied even alone is told apart", () => {
    const fleet = aFleet().node("n1", { maintenance }).node("n2", { maintenance }).node("n3");
    fleet.vm("pinned", { on: "n1" }).vm("free");
    const world = fleet.empty().sends("n1", "n2", "n3").has("pinned", "n1").has("free", "n2");
    expect(soundPlan(fleet, world).waves).toEqual({ waves: [["n2"]], stuck: ["n1"] });
  });

  test("in two halves, and one after another, everybody moves as it runs and keeps apart from its own", () => {
    for (const isIn of [(index: number) => index % 2 === 0, ...names.map((_, at) => (index: number) => index === at)]) {
      const { fleet, world } = roll(isIn);
      const made = soundPlan(fleet, world);
      expect(made.blocked).toEqual([]);
      expect(made.changes.every((change) => change.class === "migrate")).toBe(true);
      expect(made.changes.map((change) => isIn(names.indexOf(change.node)))).not.toContain(true);
    }
  });

  test("a window for each: only whose hour has come is drained, and reverting the commit aborts what has not begun", () => {
    const at = (hour: number) => instant(`2026-01-01T${String(hour).padStart(2, "0")}:00:00.000Z`);
    const hours = names.map((_, index) => ({ from: at(8 + index), until: at(9 + index), reason: null }));
    const { fleet, world } = roll(() => true, hours);
    // Noon: the hour of n4.
    expect(new Set(soundPlan(fleet, world).changes.map((change) => change.fromNode))).toEqual(new Set(["n4"]));
    expect(soundPlan(roll(() => false).fleet, world).steps).toEqual([]);
  });
});
