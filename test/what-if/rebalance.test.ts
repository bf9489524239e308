/** Rebalancing is asked for, takes few moves, keeps every promise, and has an end. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { renderRebalance } from "../../src/report/what-if/rebalance-text.ts";
import { afterPlan } from "../../src/what-if/after-plan.ts";
import { type Rebalance, type RebalanceInput, rebalance } from "../../src/what-if/rebalance.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";

const allowances = { maxClass: null, allowDestroy: null };

function balanced(fleet: FleetBuilder, world: WorldBuilder, over: Partial<RebalanceInput> = {}): Rebalance {
  const [desired, observed] = [fleet.desired(), over.observed ?? world.observed()];
  const input = {
    ...{ desired, observed, source: "test", commit: null, allowances, minGain: 0.05, holdSeconds: 0 },
    ...over,
  };
  const found = rebalance(input);
  expect(checkPlan(found.plan, desired, observed)).toEqual([]);
  return found;
}

const moves = ({ plan }: Rebalance) => plan.changes.map(({ name, fromNode, node }) => `${name} ${fromNode} ${node}`);

const sized = (sizeMiB: number) => ({ memory: { sizeMiB, maxMiB: sizeMiB } });

/** 16 GiB and 16 cpus each. */
function lopsided(): [FleetBuilder, WorldBuilder] {
  const fleet = aFleet().nodes("n1", "n2", "n3");
  const world = fleet.empty().sends("n1", "n2", "n3");
  for (let n = 1; n <= 6; n++) {
    fleet.vm(`web-${n}`, sized(2048));
    world.has(`web-${n}`, "n1", { spec: aSpec(sized(2048)) });
  }
  return [fleet, world];
}

test("as few moves as level the nodes, each with its figures, and the second finds nothing", () => {
  const [fleet, world] = lopsided();
  const found = balanced(fleet, world);
  expect(moves(found)).toEqual(["web-1 n1 n2", "web-2 n1 n3", "web-3 n1 n2", "web-4 n1 n3"]);
  expect(found.plan.changes[0]?.reasons).toMatchObject([
    { because: "placement", class: "migrate", text: "rebalance: n1 goes from 75 % full to 25 %, n2 from 0 % to 25 %" },
  ]);
  expect(found.plan.base.selection?.targets).toEqual(["web-1", "web-2", "web-3", "web-4"]);
  expect(found.plan.steps.map(({ kind }) => kind)).toEqual(Array(4).fill("migrateVm"));
  expect(renderRebalance(found, { colour: false, minGain: 0.05 })).toBe(
    "4 guests would move; the fullest node is 75 % full, and 25 % afterwards:\n  n1  75 % → 25 %\n  n2  0 % → 25 %\n  n3  0 % → 25 %",
  );
  const observed = afterPlan(found.plan, fleet.desired(), world.observed());
  expect(moves(balanced(fleet, world, { observed }))).toEqual([]);
});

test("a move that gains less than was asked for is not worth it", () => {
  const [fleet, world] = lopsided();
  expect(moves(balanced(fleet, world, { minGain: 0.13 }))).toEqual([]);
  expect(renderRebalance(balanced(fleet, world, { minGain: 0.13 }), { colour: false, minGain: 0.13 })).toBe(
    "Nobody is moved: no move makes a full node less full by 13 % of it or more (the fullest is 75 % full).",
  );
});

test("who was booted or moved a moment ago stays for as long as was said", () => {
  const [fleet, world] = lopsided();
  // All of them were booted at the very moment of the observation.
  expect(moves(balanced(fleet, world, { holdSeconds: 1 }))).toEqual([]);
});

test("only where placement, rules and hypervisors allow it, and never for a worse preference", () => {
  const [fleet] = lopsided();
  const antiAffinity = [{ match: { app: "db" }, per: "node", required: true }];
  fleet.node("n4", { cordoned: true }).node("n5");
  fleet
    .vm("db-1", { labels: { app: "db" }, antiAffinity, ...sized(8192) })
    .vm("db-2", { labels: { app: "db" }, antiAffinity, ...sized(1024) });
  const big = aSpec({ labels: { app: "db" }, ...sized(8192) });
  const small = aSpec({ labels: { app: "db" }, ...sized(1024) });
  const found = balanced(
    fleet,
    fleet.empty().sends("n1", "n2", "n4").has("db-1", "n1", { spec: big }).has("db-2", "n2", { spec: small }),
  );
  // n2 has the other one, n3 and n5 take in nobody, n4 is cordoned.
  expect(moves(found)).toEqual([]);
  const loose = aFleet()
    .nodes("n1", "n2")
    .vm("a", { ...sized(4096), antiAffinity: [{ match: { app: "x" }, per: "node", required: false }] });
  loose.vm("b", { labels: { app: "x" }, ...sized(1024) }).vm("c", sized(4096));
  const spec = aSpec(sized(4096));
  const beside = loose.empty().sends("n1", "n2").has("a", "n1", { spec }).has("c", "n1", { spec });
  beside.has("b", "n2", { spec: aSpec({ labels: { app: "x" }, ...sized(1024) }) });
  expect(moves(balanced(loose, beside))).toEqual(["c n1 n2"]);
});

test("guests to which there is something else to do are left out, and so is that", () => {
  const [fleet, world] = lopsided();
  fleet.vm("new");
  world
    .has("web-1", "n1", { spec: aSpec(sized(1024)) })
    .has("web-2", "n1", { spec: aSpec(sized(2048)), phase: "paused" });
  const found = balanced(fleet, world);
  expect(found.plan.changes.every(({ action }) => action === "migrate")).toBe(true);
  expect(moves(found).some((move) => /^(web-1|web-2|new) /.test(move))).toBe(false);
  expect(planOf(fleet, world).changes.some(({ name }) => name === "new")).toBe(true);
});

test("nobody is switched off for it: a guest that could only be moved cold stays, and so does one that is off", () => {
  const fleet = aFleet().nodes("n1", "n2");
  const world = fleet.empty().sends("n1", "n2").carries("n1", "n2");
  const mode = { migration: { mode: "cold" as const, downtimeMs: 300, timeoutSeconds: 600 } };
  for (const n of [1, 2, 3]) {
    fleet.vm(`web-${n}`, { ...sized(4096), ...mode });
    world.has(`web-${n}`, "n1", { spec: aSpec({ ...sized(4096), ...mode }) });
  }
  fleet.vm("off", { ...sized(2048), runStrategy: "Manual" });
  world.has("off", "n1", { spec: aSpec({ ...sized(2048), runStrategy: "Manual" }), phase: "stopped" });
  expect(moves(balanced(fleet, world))).toEqual([]);
});

test("a fleet of nothing, and one with a silent node", () => {
  expect(moves(balanced(aFleet(), aFleet().empty()))).toEqual([]);
  const [fleet, world] = lopsided();
  expect(moves(balanced(fleet, world.silent("n2")))).toEqual(["web-1 n1 n3", "web-2 n1 n3", "web-3 n1 n3"]);
});

const fleets = fc.record({
  nodes: fc.integer({ min: 2, max: 6 }),
  vms: fc.array(
    fc.record({
      home: fc.nat(5),
      size: fc.integer({ min: 1, max: 6 }),
      app: fc.constantFrom("a", "b"),
      apart: fc.boolean(),
    }),
    { maxLength: 14 },
  ),
});

test("property: promises hold, the fullest node is never fuller, and the second proposes nothing", () => {
  let moved = 0;
  fc.assert(
    fc.property(fleets, ({ nodes, vms }) => {
      const fleet = aFleet();
      for (let n = 0; n < nodes; n++) fleet.node(`n${n}`, { memoryMiB: 96 * 1024, cpus: 100 });
      const world = fleet.empty().sends(...Array.from({ length: nodes }, (_, n) => `n${n}`));
      for (const [index, { home, size, app, apart }] of vms.entries()) {
        const input = { ...sized(size * 1024), labels: { app } };
        fleet.vm(`vm-${index}`, {
          ...input,
          antiAffinity: apart ? [{ match: { app }, per: "node", required: false }] : [],
        });
        world.has(`vm-${index}`, `n${home % nodes}`, { spec: aSpec(input) });
      }
      const found = balanced(fleet, world, { minGain: 0.02 });
      moved += found.plan.changes.length;
      expect(Math.max(...found.after.values())).toBeLessThanOrEqual(Math.max(...found.before.values()) + 1e-9);
      const observed = afterPlan(found.plan, fleet.desired(), world.observed());
      expect(moves(balanced(fleet, world, { minGain: 0.02, observed }))).toEqual([]);
      expect(balanced(fleet, world, { minGain: 0.02 }).plan).toEqual(found.plan);
    }),
    { numRuns: 150 },
  );
  expect(moved).toBeGreaterThan(50);
});
