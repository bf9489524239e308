/** A fleet as a document, and plans of worlds that were not seen. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DesiredState } from "../../src/model/desired-state.ts";
import { nodeName, type VmName } from "../../src/model/names.ts";
import { type Assumption, assume } from "../../src/plan/assume.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import { type FleetSnapshot, fromSnapshot, toSnapshot } from "../../src/plan/snapshot.ts";
import { findAnswerError } from "../../src/wire/check-shape.ts";
import { aFleet, NOON } from "../support/a-fleet.ts";
import { anyWorld, planFor } from "../support/any-world.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

/** Every VM's manifest says where each value stands. */
const placed = (desired: DesiredState): DesiredState => ({
  ...desired,
  vms: desired.vms.map((vm, line) => ({
    ...vm,
    whereIs: (pointer) => ({ file: `${vm.name}.yaml`, line: line + 1, column: pointer.length }),
  })),
});

test("of random worlds: what was planned then is planned from the document, byte for byte", () => {
  let steps = 0;
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const asked = new Map<VmName, Set<string>>();
      const known = placed(fleet.desired());
      const desired = {
        ...known,
        vms: known.vms.map((vm) => ({
          ...vm,
          whereIs: (pointer: string) => {
            asked.set(vm.name, (asked.get(vm.name) ?? new Set<string>()).add(pointer));
            return vm.whereIs(pointer);
          },
        })),
      };
      const observed = world.observed();
      const live = planFor(desired, observed, allowances);
      const snapshot = toSnapshot({ desired: known, observed, source: "./fleet", commit: null, asked });
      const kept = JSON.parse(JSON.stringify(snapshot)) as FleetSnapshot;
      expect(findAnswerError("fleet-snapshot", kept)).toBeNull();
      const again = fromSnapshot(kept);
      steps += live.steps.length;
      expect(JSON.stringify(planFor(again.desired, again.observed, allowances))).toBe(JSON.stringify(live));
    }),
    { numRuns: 300 },
  );
  if (ENOUGH_DRAWS) expect(steps).toBeGreaterThan(300);
});

test("no text and nothing that a guest said is in it", () => {
  const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1" });
  const said = { kind: "crash", at: NOON, message: "killed", console: ["hunter2"], log: ["hunter2"] } as const;
  const seen = fleet.asDesired().observed();
  const nodes = seen.nodes.map((node) =>
    node.reach === "silent"
      ? node
      : { ...node, report: { ...node.report, vms: node.report.vms.map((vm) => ({ ...vm, lastEvent: said })) } },
  );
  const observed = { ...seen, nodes };
  const desired: DesiredState = { ...fleet.desired(), files: new Map([["0".repeat(64) as never, "pass: hunter2"]]) };
  const text = JSON.stringify(toSnapshot({ desired, observed, source: ".", commit: null, asked: new Map() }));
  expect(text).toContain('"message":"killed"');
  expect(text).not.toContain("hunter2");
});

const input = { source: "./fleet", commit: null, selection: null, allowances: { maxClass: null, allowDestroy: null } };

test("assumed down, a node is silent: its VMs are unknown; fenced, they are started elsewhere", () => {
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("web-1", { nodes: ["n1", "n2"] })
    .vm("web-2", { on: "n2" });
  const desired = fleet.desired();
  const observed = fleet.empty().has("web-1", "n1").has("web-2", "n2").observed();
  const what = (is: Assumption["is"]) => {
    const world = assume(desired, observed, [{ node: nodeName("n1"), is }]);
    return makePlan({ ...input, ...world, assumed: [`n1=${is}`] });
  };
  const down = what("down");
  expect(down.steps).toEqual([]);
  expect(down.unknown.map(({ name, because }) => [name, because])).toEqual([
    ["n1", "assumed to be down"],
    ["web-1", "may be on n1, which does not answer"],
  ]);
  expect(down.base.assumed).toEqual(["n1=down"]);
  const fenced = what("fenced");
  expect(fenced.steps.map(({ kind, vm, node }) => [kind, vm, node])).toEqual([
    ["createVm", "web-1", "n2"],
    ["bootVm", "web-1", "n2"],
  ]);
  expect(fenced.base.desiredDigest).not.toBe(down.base.desiredDigest);
});

test("of random worlds: whatever is assumed, the plan keeps its promises in the world that was assumed", () => {
  fc.assert(
    fc.property(anyWorld, fc.constantFrom("down", "fenced"), ({ fleet, world, allowances }, is) => {
      const [first] = fleet.desired().nodes;
      if (first === undefined) return;
      const assumed = assume(fleet.desired(), world.observed(), [{ node: first.name, is: is as Assumption["is"] }]);
      const plan = planFor(assumed.desired, assumed.observed, allowances);
      expect(checkPlan(plan, assumed.desired, assumed.observed)).toEqual([]);
      expect(plan.steps.filter((step) => step.node === first.name)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
