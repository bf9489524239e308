/** The promises of the product, for thousands of random fleets in random states. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Change } from "../../src/model/changes.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { anyWorld, planFor } from "../support/any-world.ts";
import { simulate } from "../support/simulate.ts";

const WORLDS = { numRuns: 2000 };

const anyOrder = fc.infiniteStream(fc.nat({ max: 1000 }));
const chooser = (stream: Iterator<number>) => (n: number) => (n === 0 ? -1 : Number(stream.next().value) % n);

test("no plan breaks a promise that the checker knows", () => {
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const [desired, observed] = [fleet.desired(), world.observed()];
      expect(checkPlan(planFor(desired, observed, allowances), desired, observed)).toEqual([]);
    }),
    WORLDS,
  );
});

test("in every order the plan allows: one home, room on every node at every instant, silent nodes untouched", () => {
  fc.assert(
    fc.property(anyWorld, anyOrder, ({ fleet, world, allowances }, order) => {
      const [desired, observed] = [fleet.desired(), world.observed()];
      const plan = planFor(desired, observed, allowances);
      expect(simulate(plan, desired, observed, chooser(order[Symbol.iterator]())).broken).toEqual([]);
    }),
    WORLDS,
  );
});

test("after an apply nothing is left to do for what the plan touched", () => {
  fc.assert(
    fc.property(anyWorld, anyOrder, ({ fleet, world, allowances }, order) => {
      const [desired, observed] = [fleet.desired(), world.observed()];
      const first = planFor(desired, observed, allowances);
      const after = simulate(first, desired, observed, chooser(order[Symbol.iterator]())).observed;
      const second = planFor(desired, after, allowances);
      // Who changed, and was told to lack something else beside, may have it now.
      const lacking = new Set<string>(first.blocked.map(({ name }) => name));
      const touched = new Set<string>(first.changes.flatMap(({ name }) => (lacking.has(name) ? [] : [name])));
      // One that is smaller, or runs, only now may move for one that was blocked before.
      const helps = (change: Change) =>
        lacking.size > 0 && change.reasons.every(({ because }) => because === "placement");
      expect(second.changes.filter((change) => touched.has(change.name) && !helps(change))).toEqual([]);
      if (first.complete) expect(second).toMatchObject({ steps: [], changes: [], complete: true });
    }),
    WORLDS,
  );
});

test("VMs of silent nodes are in no step, and are called unknown if the manifests want them", () => {
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const [desired, observed] = [fleet.desired(), world.observed()];
      const plan = planFor(desired, observed, allowances);
      const fenced = new Set(desired.nodes.filter((node) => node.fenced).map((node) => node.name));
      const silent = observed.nodes.filter((node) => node.reach === "silent").map((node) => node.name);
      const seen = new Set(
        observed.nodes.flatMap((node) => (node.reach === "answered" ? node.report.vms.map((vm) => vm.name) : [])),
      );
      const unsure = silent.some((name) => !fenced.has(name));
      expect(plan.steps.filter((step) => silent.includes(step.node))).toEqual([]);
      if (unsure) {
        const lost = desired.vms.filter((vm) => !seen.has(vm.name)).map((vm) => vm.name);
        expect(plan.unknown.filter((each) => each.kind === "VirtualMachine").map((each) => each.name)).toEqual(
          expect.arrayContaining(lost),
        );
        expect(plan.complete).toBe(false);
      }
    }),
    WORLDS,
  );
});

test("no VM is started while its last known home is a node that left the manifests", () => {
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const [desired, observed] = [fleet.desired(), world.observed()];
      const reports = observed.nodes.flatMap((node) => (node.reach === "answered" ? [node.report] : []));
      const seen = new Set<string>(reports.flatMap((report) => report.vms.map((vm) => vm.name)));
      const homes = Object.entries(reports[0]?.whereabouts?.[0]?.homes ?? {});
      const lost = new Set(homes.flatMap(([name, home]) => (home === "gone" && !seen.has(name) ? [name] : [])));
      const { steps } = planFor(desired, observed, allowances);
      expect(steps.filter((step) => lost.has(step.vm))).toEqual([]);
    }),
    WORLDS,
  );
});

test("same input, same bytes", () => {
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const once = JSON.stringify(planFor(fleet.desired(), world.observed(), allowances));
      expect(JSON.stringify(planFor(fleet.desired(), world.observed(), allowances))).toBe(once);
    }),
    WORLDS,
  );
});

test("every VM of the manifests is accounted for: changed, unchanged, unknown or blocked", () => {
  fc.assert(
    fc.property(anyWorld, ({ fleet, world, allowances }) => {
      const desired = fleet.desired();
      const plan = planFor(desired, world.observed(), allowances);
      const named = new Set<string>([...plan.changes, ...plan.unknown, ...plan.blocked].map((each) => each.name));
      const silentlyFine = desired.vms.filter((vm) => !named.has(vm.name)).length;
      expect(silentlyFine).toBe(plan.summary.unchanged);
    }),
    WORLDS,
  );
});
