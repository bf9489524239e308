/** Which nodes could be lost: the same answer as a plan for each case gives, case by case. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeName } from "../../src/model/names.ts";
import { assume } from "../../src/plan/assume.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import { renderSurvival } from "../../src/report/what-if/survival-text.ts";
import { checkSurvival, type Survival } from "../../src/what-if/survive.ts";
import { aFleet, aSpec, type FleetBuilder, type WorldBuilder } from "../support/a-fleet.ts";

const survival = (fleet: FleetBuilder, world: WorldBuilder, losses: 1 | 2 = 1, targets: string[] = []): Survival =>
  checkSurvival({
    ...{ desired: fleet.desired(), observed: world.observed(), source: "test", commit: null, losses },
    selection: targets.length === 0 ? null : { targets, excludes: [] },
  });

/** `n1: a b`, `n1 n2: c` */
const failing = ({ failures }: Survival) =>
  failures.map(({ down, homeless }) => `${down.join(" ")}: ${homeless.map(({ name }) => name).join(" ")}`);

const sized = (sizeMiB: number) => ({ memory: { sizeMiB, maxMiB: sizeMiB } });

test("room for one node's VMs on the rest, and not for two nodes'", () => {
  const fleet = aFleet();
  for (const node of ["n1", "n2", "n3", "n4"]) fleet.node(node, { memoryMiB: 4096 });
  for (const n of [1, 2, 3, 4]) fleet.vm(`a-${n}`, sized(2048)).vm(`b-${n}`, sized(1024));
  const world = fleet.empty();
  for (const n of [1, 2, 3, 4])
    world.has(`a-${n}`, `n${n}`, { spec: aSpec(sized(2048)) }).has(`b-${n}`, `n${n}`, { spec: aSpec(sized(1024)) });
  const one = survival(fleet, world);
  // In sums there is room, 3 GiB for 3 GiB; but no node has 2 GiB left.
  expect(failing(one)).toEqual(["n1: a-1", "n2: a-2", "n3: a-3", "n4: a-4"]);
  expect(one).toMatchObject({ survives: false, nodes: 4, vms: 8, cases: 4 });
  expect(one.failures[0]?.homeless[0]?.filters.at(-1)).toEqual({ filter: "room", left: 0 });
});

test("a pin, an anti-affinity and a cordon each cost a home; told once, by filter", () => {
  const antiAffinity = [{ match: { app: "db" }, per: "node", required: true }];
  const fleet = aFleet()
    .nodes("n1", "n2")
    .node("n3", { cordoned: true })
    .vm("pinned", { on: "n1" })
    .vm("db-1", { labels: { app: "db" }, antiAffinity })
    .vm("db-2", { labels: { app: "db" }, antiAffinity })
    .vm("free");
  const db = { spec: aSpec({ labels: { app: "db" } }) };
  const world = fleet.empty().has("pinned", "n1").has("db-1", "n1", db).has("db-2", "n2", db).has("free", "n2");
  const found = survival(fleet, world, 2);
  expect(failing(found)).toEqual(["n1: db-1 pinned", "n2: db-2", "n1 n2: free"]);
  const text = renderSurvival(found, { colour: false });
  expect(text).toMatch(/^Does not survive the loss of any two nodes: 2 nodes and 1 pair of nodes could not be lost/);
  expect(text).toContain("n1 down: 2 of 2 VMs find no home\n");
  expect(text).toContain("  pinned: 3 nodes in the fleet, 1 allowed by its placement, 0 that answer\n");
  expect(text).toContain("  db-1: 3 nodes in the fleet, 2 that answer, 1 that take newcomers, 0 by anti-affinity");
  expect(failing(survival(fleet, world, 1, ["free"]))).toEqual([]);
});

test("others move for it, where a plan would move them", () => {
  const fleet = aFleet()
    .node("n1", { memoryMiB: 2048 })
    .node("n2", { memoryMiB: 2048 })
    .node("n3", { memoryMiB: 1024 });
  fleet.vm("big", sized(2048)).vm("small", sized(1024));
  const world = fleet
    .empty()
    .has("big", "n1", { spec: aSpec(sized(2048)) })
    .has("small", "n2", { spec: aSpec(sized(1024)) })
    .sends("n1", "n2", "n3");
  const { desired, observed } = assume(fleet.desired(), world.observed(), [{ node: nodeName("n1"), is: "fenced" }]);
  const plan = makePlan({
    ...{ desired, observed, source: "test", commit: null, selection: null },
    allowances: { maxClass: null, allowDestroy: null },
  });
  const isMade = plan.changes.some(({ name, action }) => name === "big" && action === "create");
  expect(failing(survival(fleet, world))).toEqual(isMade ? [] : ["n1: big"]);
});

test("what is silent is not looked at, and not counted as room", () => {
  const fleet = aFleet()
    .nodes("n1", "n2", "n3")
    .vm("a")
    .vm("b", { nodes: ["n1", "n3"] });
  const world = fleet.empty().has("a", "n1").has("b", "n1").silent("n3");
  const found = survival(fleet, world);
  expect(failing(found)).toEqual(["n1: b"]);
  expect(found.unseen).toEqual({ nodes: ["n3"], vms: 0 });
  expect(renderSurvival(found, { colour: false })).toContain("Not looked at: n3, which does not answer.");
});

test("a fleet that survives says so, and what that rests on", () => {
  const fleet = aFleet()
    .nodes("n1", "n2", "n3")
    .vm("a", { disks: [{ name: "d", origin: { kind: "blank", sizeMiB: 10 }, readonly: false }] });
  const found = survival(fleet, fleet.empty().has("a", "n1"), 2);
  expect(renderSurvival(found, { colour: false })).toBe(
    "Survives the loss of any two nodes: everybody finds a home on the rest (1 VM on 3 nodes, 6 cases placed).\n\n1 VM has its disks on the node alone: a home elsewhere begins with empty ones.",
  );
});

const fleets = fc.record({
  nodes: fc.integer({ min: 2, max: 5 }),
  vms: fc.array(
    fc.record({
      home: fc.nat(4),
      size: fc.integer({ min: 1, max: 4 }),
      app: fc.constantFrom("a", "b", null),
      apart: fc.boolean(),
      pinned: fc.boolean(),
      stopped: fc.boolean(),
    }),
    { maxLength: 9 },
  ),
  room: fc.integer({ min: 4, max: 10 }),
});

describe("property", () => {
  test("the same VMs find no home as in the plan for that case", () => {
    let failed = 0;
    fc.assert(
      fc.property(fleets, ({ nodes, vms, room }) => {
        const fleet = aFleet();
        for (let n = 0; n < nodes; n++) fleet.node(`n${n}`, { memoryMiB: room * 1024, cpus: 100 });
        const world = fleet.empty();
        for (const [index, { home, size, app, apart, pinned, stopped }] of vms.entries()) {
          const node = `n${home % nodes}`;
          const antiAffinity = apart && app !== null ? [{ match: { app }, per: "node", required: true }] : [];
          const input = {
            ...sized(size * 1024),
            labels: app === null ? {} : { app },
            runStrategy: stopped ? ("Stopped" as const) : ("Always" as const),
          };
          fleet.vm(`vm-${index}`, {
            ...input,
            antiAffinity,
            ...(pinned ? { nodes: [node, `n${(home + 1) % nodes}`] } : {}),
          });
          world.has(`vm-${index}`, node, { spec: aSpec(input), phase: stopped ? "stopped" : "running" });
        }
        const found = survival(fleet, world, 2);
        // Both answers may disagree on who of several has to stay out, never on whether somebody has to.
        const isLost = new Set(found.failures.map(({ down }) => down.join()));
        const alone = new Set(found.failures.flatMap(({ down }) => (down.length === 1 ? down : [])));
        const names = fleet.desired().nodes.map(({ name }) => name);
        const cases = names.flatMap((one, index) => [[one], ...names.slice(index + 1).map((other) => [one, other])]);
        for (const down of cases) {
          // A pair of which one alone is a loss is told of that one.
          if (down.length === 2 && down.some((node) => alone.has(node))) continue;
          const { desired, observed } = assume(
            fleet.desired(),
            world.observed(),
            down.map((node) => ({ node, is: "fenced" })),
          );
          const plan = makePlan({
            ...{ desired, observed, source: "test", commit: null, selection: null },
            allowances: { maxClass: null, allowDestroy: null },
          });
          const lost = new Set(
            vms.flatMap((vm, index) => (down.includes(nodeName(`n${vm.home % nodes}`)) ? [`vm-${index}`] : [])),
          );
          const made = new Set<string>(
            plan.changes.filter(({ action }) => action === "create").map(({ name }) => name),
          );
          const isBlocked = [...lost].some((name) => !made.has(name));
          expect(isLost.has(down.join()), down.join()).toBe(isBlocked);
          if (isBlocked) failed++;
        }
        expect(survival(fleet, world, 2)).toEqual(found);
      }),
      { numRuns: 100 },
    );
    expect(failed).toBeGreaterThan(30);
  });
});
