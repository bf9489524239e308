/** A plan carried out in a time of its own: the same for the same seed, and every promise holds whatever fails. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makePlan } from "../../src/plan/make-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import type { Simulation } from "../../src/report/what-if/simulation-document.ts";
import { renderSimulation } from "../../src/report/what-if/simulation-text.ts";
import { simulate } from "../../src/simulate/simulate.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";
import { anyWorld } from "../support/any-world.ts";

const simulated = (
  fleet: FleetBuilder,
  world: WorldBuilder,
  failures = 0,
  seed = 1,
  plan: Plan = planOf(fleet, world),
) => simulate({ plan, desired: fleet.desired(), observed: world.observed(), failures, seed });

const sized = (sizeMiB: number) => ({ memory: { sizeMiB, maxMiB: sizeMiB } });

/** Three guests leave n1; another is rebooted, one is new. */
function busy(): [FleetBuilder, WorldBuilder] {
  const maintenance = { from: null, until: null, reason: null };
  const fleet = aFleet().node("n1", { maintenance }).nodes("n2", "n3");
  const world = fleet.empty().sends("n1", "n2", "n3");
  for (const n of [1, 2, 3]) {
    fleet.vm(`web-${n}`, sized(4096));
    world.has(`web-${n}`, "n1", { spec: aSpec(sized(4096)) });
  }
  fleet.vm("db", { on: "n2", cpus: { count: 2, max: 2 } }).vm("new", { on: "n3" });
  world.has("db", "n2");
  return [fleet, world];
}

test("nothing fails: all is done in the time that was predicted, nobody has two homes, the next plan is empty", async () => {
  const [fleet, world] = busy();
  const found = await simulated(fleet, world);
  expect(found).toMatchObject({
    outcome: "done",
    undone: [],
    injected: [],
    violations: [],
    next: { steps: 0, blocked: 0, unknown: 0 },
  });
  expect(found.makespanSeconds).toBeGreaterThanOrEqual(found.predictedSeconds!);
  // The reboot; moved guests stand still for milliseconds.
  expect(found.standstill[0]).toEqual({ vm: "db", milliseconds: 10_000, isOff: false });
  expect(found.standstill.slice(1).map(({ vm, milliseconds }) => `${vm} ${milliseconds < 100}`)).toEqual([
    "web-1 true",
    "web-2 true",
    "web-3 true",
  ]);
  expect(found.headroom.find(({ node }) => node === "n3")).toEqual({
    node: "n3",
    cpus: 14,
    memoryMiB: 16384 - 4096 - 1024,
  });
  const text = renderSimulation(found, { colour: false });
  expect(text).toMatch(
    /^Simulated: done, \d+ of \d+ steps in \d.* \(nothing made to fail\)\n4 guests stood still, db the longest, for 10 s\.\n\n/,
  );
  expect(text).toContain("Every guest had one home at every moment, and no node held more than it has.");
});

test("with failures: what was left undone and why, and still nobody has two homes; the same for the same seed", async () => {
  const [fleet, world] = busy();
  const seen = new Set<string>();
  const kinds = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const found = await simulated(fleet, world, 3, seed);
    expect(found.violations, JSON.stringify(found.injected)).toEqual([]);
    expect(found.injected).toHaveLength(3);
    expect(await simulated(fleet, world, 3, seed)).toEqual(found);
    expect(found.undone.length).toBe(found.counts.failed + found.counts.skipped);
    expect(found.undone.every(({ because }) => because !== "")).toBe(true);
    for (const { kind } of found.injected) kinds.add(kind);
    seen.add(found.outcome);
    expect(renderSimulation(found, { colour: false })).toMatch(/What was made to fail:\n(.*\n){3}/);
  }
  expect([...kinds].sort()).toEqual(["agent-dies", "link-cut", "step-refused"]);
  expect([...seen].sort()).toEqual(["done", "failed"]);
});

test("a plan that fills a node beyond what it has is told as broken", async () => {
  const [fleet, world] = busy();
  const made = planOf(fleet, world);
  // As if a planner with a fault had sent all of them to one node, with room for two.
  const small = aFleet().node("n1").node("n2", { memoryMiB: 9216 }).node("n3");
  const steps = made.steps.map((step) =>
    step.kind === "migrateVm" ? { ...step, node: "n2" as typeof step.node } : step,
  );
  const desired = { ...fleet.desired(), nodes: fleet.desired().nodes };
  const observed = world.observed();
  const shrunk = {
    ...observed,
    nodes: observed.nodes.map((node) =>
      node.reach === "answered" && node.name === "n2"
        ? { ...node, report: { ...node.report, capacity: { cpus: 16, memoryMiB: 9216 } } }
        : node,
    ),
  };
  expect(small.desired().nodes).toHaveLength(3);
  const found = await simulate({ plan: { ...made, steps }, desired, observed: shrunk, failures: 0, seed: 1 });
  expect(found.violations).toContainEqual(expect.stringMatching(/^n2 held \d+ memoryMiB, and has 9216$/));
  expect(renderSimulation(found, { colour: false })).toMatch(/promises? broken:\n {2}n2 held/);
});

test("a plan that is refused, and one with nothing to do", async () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n2" });
  const refused = planOf(fleet, fleet.empty().has("web-1", "n1", { phase: "paused" }).sends("n1", "n2"));
  expect(refused.refusals).toHaveLength(1);
  await expect(
    simulated(fleet, fleet.empty().has("web-1", "n1", { phase: "paused" }), 0, 1, refused),
  ).rejects.toMatchObject({ code: "PLAN_REFUSED" });
  const still = await simulated(fleet, fleet.asDesired(), 5);
  expect(still).toMatchObject({ outcome: "done", makespanSeconds: 0, injected: [], standstill: [], headroom: [] });
});

test("what a moved guest has left is no second home", async () => {
  const fleet = aFleet().nodes("n1", "n2", "n3").vm("web-1", { on: "n3" });
  const world = fleet.empty().sends("n1", "n2", "n3").has("web-1", "n2");
  world.has("web-1", "n1", {
    phase: "stopped",
    migration: {
      role: "source",
      since: planOf(fleet, fleet.empty()).base.observedAt,
      url: "node n2",
      peer: "n2" as never,
      stage: "left",
    },
  });
  expect(await simulated(fleet, world)).toMatchObject({ outcome: "done", violations: [], next: { steps: 0 } });
});

describe("property", () => {
  test("of random worlds, with failures or without: no promise is broken, and without them all is done", async () => {
    let [done, undone] = [0, 0];
    const tell = (found: Simulation) => `${JSON.stringify(found.injected)} ${JSON.stringify(found.undone)}`;
    await fc.assert(
      fc.asyncProperty(anyWorld, fc.nat(3), fc.nat(1000), async ({ fleet, world, allowances }, failures, seed) => {
        const [desired, observed] = [fleet.desired(), world.observed()];
        const plan = makePlan({ ...{ desired, observed, source: "test", commit: null, selection: null, allowances } });
        if (plan.refusals.length > 0) return;
        const found = await simulate({ plan, desired, observed, failures, seed });
        expect(found.violations, tell(found)).toEqual([]);
        if (found.injected.length === 0) expect(found.undone).toEqual([]);
        done += found.counts.done;
        undone += found.undone.length;
      }),
      { numRuns: 200 },
    );
    expect(done).toBeGreaterThan(50);
    expect(undone).toBeGreaterThan(10);
  });
});
