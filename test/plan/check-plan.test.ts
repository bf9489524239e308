/** The checker must see what a broken planner would do: each test breaks a good plan in one way. */
import { describe, expect, test } from "vitest";
import { assertPlanKeepsPromises, checkPlan } from "../../src/plan/check-plan.ts";
import { bestClosure } from "../../src/plan/max-flow.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { planIdOf } from "../../src/plan/plan-id.ts";
import type { Step } from "../../src/schedule/step.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";

type Draft = { -readonly [K in keyof Plan]: Plan[K] };

function broken(fleet: FleetBuilder, world: WorldBuilder, tamper: (plan: Draft) => void): string[] {
  const plan: Draft = structuredClone(planOf(fleet, world, { maxClass: "destroy", allowDestroy: 100 }));
  expect(checkPlan(plan, fleet.desired(), world.observed())).toEqual([]);
  tamper(plan);
  plan.id = planIdOf(plan);
  return checkPlan(plan, fleet.desired(), world.observed()).map((each) => `${each.promise}: ${each.message}`);
}

const change = (plan: Plan, kind: Step["kind"], over: object): Step[] =>
  plan.steps.map((step) => (step.kind === kind ? ({ ...step, ...over } as Step) : step));

describe("one home", () => {
  test("a VM that runs elsewhere is created a second time", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", { on: "n1", labels: { x: "1" } });
    const world = fleet.empty().has("a", "n1");
    const result = broken(fleet, world, (plan) => {
      plan.steps = [{ ...plan.steps[0]!, kind: "createVm", node: "n2" as never, generation: 2 }];
    });
    expect(result).toContain("one-home: a would be created on n2 while it is present");
  });

  test("a replacement that does not wait for the deletion", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("a", { on: "n2" });
    const result = broken(fleet, fleet.empty().has("a", "n1"), (plan) => {
      plan.steps = change(plan, "createVm", { after: [] });
    });
    expect(result).toContain("one-home: a would be created on n2 while it is present");
  });
});

describe("three values", () => {
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("a", { on: "n1" })
    .vm("b", { on: "n2", labels: { x: "1" } });
  const world = fleet.empty().has("b", "n2").silent("n1");

  test("a step on a node that does not answer", () => {
    expect(broken(fleet, world, (plan) => (plan.steps = change(plan, "updateVm", { node: "n1" })))[0]).toBe(
      "three-values: update b on n1: n1 does not answer",
    );
  });

  test("a silent node that the plan does not mention, and a plan that calls itself complete", () => {
    expect(broken(fleet, world, (plan) => (plan.unknown = []))).toEqual([
      "three-values: n1 does not answer, and the plan does not say so",
    ]);
    expect(broken(fleet, world, (plan) => (plan.complete = true))).toEqual([
      "three-values: the plan calls itself complete without having seen every node",
    ]);
  });
});

describe("no surprise", () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("a", { on: "n1", boot: { kind: "firmware", firmware: "default" } });
  const world = fleet.empty().has("a", "n1");

  test("a reboot that no change announces", () => {
    expect(broken(fleet, world, (plan) => (plan.changes = []))).toContain(
      "no-surprise: reboot a on n1 belongs to no change",
    );
  });

  test("a reboot that is announced as live", () => {
    const result = broken(
      fleet,
      world,
      (plan) => (plan.changes = plan.changes.map((each) => ({ ...each, class: "live" }))),
    );
    expect(result).toContain("no-surprise: reboot a on n1 is reboot, its change says live");
  });

  test("a reboot that calls itself live", () => {
    expect(broken(fleet, world, (plan) => (plan.steps = change(plan, "rebootVm", { class: "live" })))).toEqual([
      "no-surprise: reboot a on n1 calls itself live",
    ]);
  });

  test("two members of a group that may go down together", () => {
    const grouped = aFleet().nodes("n1").group("g", 1);
    const there = grouped.empty();
    for (const name of ["a", "b", "c"]) {
      grouped.vm(name, { on: "n1", group: "g", boot: { kind: "firmware", firmware: "default" } });
      there.has(name, "n1", { spec: aSpec({ group: "g" }) });
    }
    const result = broken(grouped, there, (plan) => {
      plan.steps = plan.steps.map((step) =>
        step.vm === "c" && step.kind === "updateVm" ? { ...step, after: [] } : step,
      );
    });
    expect(result).toEqual(["no-surprise: 2 members of g could be down at once; it allows 1"]);
  });
});

test("capacity: a create that does not wait for the room it needs", () => {
  const fleet = aFleet().node("n1", { memoryMiB: 1024 }).vm("new", { on: "n1" });
  const result = broken(
    fleet,
    fleet.empty().has("old", "n1"),
    (plan) => (plan.steps = change(plan, "createVm", { after: [] })),
  );
  expect(result).toEqual(["capacity: n1 could have to hold 2048 memoryMiB and has room for 1024"]);
});

describe("capacity: what a VM gives up is free when its last step has ended", () => {
  const fleet = aFleet()
    .node("n1", { cpus: 2 })
    .vm("a", { on: "n1", cpus: { count: 1, max: 1 } })
    .vm("b", { on: "n1" });

  test("with the update where that is all", () => {
    const live = aFleet()
      .node("n1", { cpus: 2 })
      .vm("a", { on: "n1", cpus: { count: 1, max: 2 } })
      .vm("b", { on: "n1" });
    const world = live.empty().has("a", "n1", { spec: aSpec({ cpus: { count: 2, max: 2 } }) });
    const plan = planOf(live, world);
    expect(plan.steps.map((step) => step.kind)).toEqual(["updateVm", "createVm", "bootVm"]);
    expect(checkPlan(plan, live.desired(), world.observed())).toEqual([]);
  });

  test("not with the update that a reboot follows", () => {
    const world = fleet.empty().has("a", "n1", { spec: aSpec({ cpus: { count: 2, max: 2 } }) });
    expect(checkPlan(planOf(fleet, world), fleet.desired(), world.observed())).toEqual([]);
    const result = broken(fleet, world, (plan) => {
      const update = plan.steps.find((step) => step.kind === "updateVm");
      plan.steps = change(plan, "createVm", { after: [update!.id] });
    });
    expect(result).toEqual(["capacity: n1 could have to hold 3 cpus and has room for 2"]);
  });
});

test("a group counts those whose spec stays as it is, too", () => {
  const fleet = aFleet().nodes("n1").group("g", 1);
  const world = fleet.empty();
  for (const name of ["a", "b"]) {
    const spec = aSpec({ group: "g", memory: { sizeMiB: 1024, maxMiB: 2048 } });
    fleet.vm(name, { ...spec, on: "n1" });
    // The guest runs with less than its spec says: a reboot and no new spec.
    world.has(name, "n1", { spec, live: { memory: { sizeMiB: 1024, maxMiB: 1024 } } });
  }
  expect(planOf(fleet, world).steps.map((step) => step.kind)).toEqual(["rebootVm", "rebootVm"]);
  const result = broken(fleet, world, (plan) => {
    plan.steps = plan.steps.map((step) => ({ ...step, after: [] }));
  });
  expect(result).toEqual(["no-surprise: 2 members of g could be down at once; it allows 1"]);
});

describe("data", () => {
  test("a protected VM, another fleet's VM, or a wanted one is deleted", () => {
    const fleet = aFleet().nodes("n1").vm("wanted", { on: "n1" });
    const world = fleet
      .empty()
      .has("old", "n1")
      .has("safe", "n1", { spec: aSpec({ protect: true }) })
      .has("other", "n1", { fleet: "other" })
      .has("wanted", "n1");
    const deleting = (name: string) =>
      broken(fleet, world, (plan) => {
        plan.steps = plan.steps.map((step) => ({ ...step, vm: name as never }));
        plan.changes = plan.changes.map((each) =>
          each.action === "destroy" ? { ...each, name: name as never } : each,
        );
      });
    expect(deleting("safe")).toContain("data: delete safe from n1, keeping its disks: it is protected");
    expect(deleting("other")).toContain("data: delete other from n1, keeping its disks: it is not of this fleet");
    expect(deleting("wanted")).toContain("data: delete wanted from n1, keeping its disks: the manifests still want it");
  });
});

describe("order", () => {
  const fleet = aFleet().nodes("n1").vm("a", { on: "n1" });

  test("a step that waits for one behind it, or for nothing at all", () => {
    expect(broken(fleet, fleet.empty(), (plan) => (plan.steps = plan.steps.toReversed()))[0]).toMatch(
      /^order: bootVm-a-.* waits for createVm-a-.*, which does not stand before it$/,
    );
    expect(broken(fleet, fleet.empty(), (plan) => (plan.steps = change(plan, "bootVm", { after: [] })))).toEqual([
      "order: the steps of a do not follow one another",
    ]);
  });

  test("such a plan is never shown", () => {
    const made = planOf(fleet, fleet.empty());
    const plan = { ...made, steps: made.steps.toReversed() };
    expect(() => assertPlanKeepsPromises(plan, fleet.desired(), fleet.empty().observed())).toThrow(/breaks a promise/);
  });
});

test.each([
  { least: 0, most: 5, oneIn: 3, worth: 9 },
  // Large and sparse: where a way that was taken is given back, and taken again.
  { least: 9, most: 11, oneIn: 4, worth: 90 },
])("the worst moment is found exactly, against trying all sets of up to $most", ({ least, most, oneIn, worth }) => {
  const random = (() => {
    let state = 42;
    return (n: number) => {
      state = (state * 1103515245 + 12345) % 2147483648;
      // The low bits of such a generator come round soon.
      return (state >> 12) % n;
    };
  })();
  for (let round = 0; round < 300; round++) {
    const size = () => least + random(most - least + 1);
    const costs = Array.from({ length: size() }, () => random(worth));
    const projects = Array.from({ length: size() }, () => ({
      profit: random(worth),
      needs: costs.flatMap((_, index) => (random(oneIn) === 0 ? [index] : [])),
    }));
    let best = 0;
    for (let set = 0; set < 2 ** projects.length; set++) {
      const chosen = projects.filter((_, index) => (set >> index) % 2 === 1);
      const needed = new Set(chosen.flatMap((each) => each.needs));
      best = Math.max(
        best,
        chosen.reduce((sum, each) => sum + each.profit, 0) - [...needed].reduce((sum, index) => sum + costs[index]!, 0),
      );
    }
    expect(bestClosure(projects, costs)).toBe(best);
  }
});
