/** Disks that a VM left when it moved away, and its new node is lost: whose they are to decide about (ADR 49). */
import fc from "fast-check";
import { expect, test } from "vitest";
import { instant, nodeName } from "../../src/model/names.ts";
import type { Disk } from "../../src/model/vm-spec.ts";
import { renderPlan } from "../../src/report/plan/plan-text.ts";
import { renderRebalance } from "../../src/report/what-if/rebalance-text.ts";
import { renderSurvival } from "../../src/report/what-if/survival-text.ts";
import { rebalance } from "../../src/what-if/rebalance.ts";
import { checkSurvival } from "../../src/what-if/survive.ts";
import { aFleet, aSpec, NOON } from "../support/a-fleet.ts";
import { soundPlan } from "../support/sound-plan.ts";

const root: Disk = { name: "root", origin: { kind: "blank", sizeMiB: 64 }, readonly: false };
const spec = aSpec({ disks: [root] });
const LATER = instant("2026-01-01T13:00:00.000Z");

/** It went from n1 to n2. */
const leftOnN1 = (bytes = 4096) => ({
  spec,
  phase: "stopped" as const,
  endedBy: "operator" as const,
  migration: { role: "source", since: NOON, url: "node n2", peer: nodeName("n2"), stage: "left" } as const,
  left: { bytes, until: LATER },
});

test("with its new node fenced and no third one, nothing is started, and both ways out are told", () => {
  const fleet = aFleet()
    .node("n1")
    .node("n2", { fenced: true })
    .vm("db", { disks: [root] });
  const plan = soundPlan(fleet, fleet.empty().has("db", "n1", leftOnN1()).silent("n2"));
  expect(plan.steps).toEqual([]);
  const text = renderPlan(plan, { colour: false, verbose: false });
  expect(text).toContain("odorobo vm delete db --node n1, and plan again");
  expect(text).toContain("odorobo vm purge db --node n1");
});

test("after the delete, the disks are those of a deleted VM: the next plan takes them up there; after the purge, it begins with empty ones", () => {
  const fleet = aFleet()
    .node("n1")
    .node("n2", { fenced: true })
    .vm("db", { disks: [root] });
  const deleted = soundPlan(fleet, fleet.empty().keeps("db", "n1", ["root"], 1, { deletedAt: NOON }).silent("n2"));
  expect(deleted.steps.map(({ kind, node }) => `${kind} ${node}`)).toEqual(["createVm n1", "bootVm n1"]);
  const purged = soundPlan(fleet, fleet.empty().silent("n2"));
  expect(purged.steps.map(({ kind, node }) => `${kind} ${node}`)).toEqual(["createVm n1", "bootVm n1"]);
});

test("on a third node it is made, and where its old disks are is told before anybody agrees", () => {
  const fleet = aFleet()
    .node("n1")
    .node("n2", { fenced: true })
    .node("n3")
    .vm("db", { disks: [root] });
  const plan = soundPlan(fleet, fleet.empty().has("db", "n1", leftOnN1()).silent("n2"));
  expect(plan.steps.map(({ kind, node }) => `${kind} ${node}`)).toEqual(["createVm n3", "bootVm n3"]);
  expect(plan.changes[0]?.reasons.map(({ text }) => text).join("\n")).toContain(
    "its disks as they were when it moved away are on n1, and here it begins with empty ones",
  );
});

test("whatever the fleet: old disks are never started on, and are in the way of nothing else", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      fc.constantFrom(0, 4096),
      fc.boolean(),
      (others, isFenced, bytes, isHome) => {
        const fleet = aFleet().node("n1").node("n2", { fenced: isFenced });
        for (let n = 0; n < others - 1; n++) fleet.node(`n${n + 3}`);
        fleet.vm("db", { disks: [root] });
        const world = fleet.empty().has("db", "n1", leftOnN1(bytes));
        if (isHome) world.has("db", "n2", { spec });
        else world.silent("n2");
        const { steps } = soundPlan(fleet, world);
        const made = steps.filter(({ kind }) => kind === "createVm").map(({ node }) => node);
        if (isHome || !isFenced) expect(made).toEqual([]);
        else if (bytes > 0) expect(made).not.toContain("n1");
        if (!isHome && isFenced && (others > 1 || bytes === 0)) expect(made).toHaveLength(1);
      },
    ),
  );
});

test("check and rebalance say beforehand who could be started nowhere, and what ends that", () => {
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("db", { disks: [root] });
  const world = fleet.empty().has("db", "n1", leftOnN1()).has("db", "n2", { spec });
  const input = { desired: fleet.desired(), observed: world.observed(), source: "test", commit: null };
  const survival = checkSurvival({ ...input, losses: 1, selection: null });
  expect(survival.failures).toMatchObject([{ down: ["n2"], homeless: [{ name: "db", leftDisks: ["n1"] }] }]);
  const told = renderSurvival(survival, { colour: false });
  expect(told).toContain("Now: odorobo vm purge db; once n2 is lost: odorobo vm delete db --node n1");
  const allowances = { maxClass: null, allowDestroy: null };
  const balanced = rebalance({ ...input, allowances, minGain: 0.05, holdSeconds: 0 });
  expect(renderRebalance(balanced, { colour: false, minGain: 0.05 })).toContain("odorobo vm delete db --node n1");

  const three = aFleet()
    .nodes("n1", "n2", "n3")
    .vm("db", { disks: [root] });
  const wide = three.empty().has("db", "n1", leftOnN1()).has("db", "n2", { spec });
  const open = { ...input, desired: three.desired(), observed: wide.observed() };
  expect(checkSurvival({ ...open, losses: 1, selection: null }).survives).toBe(true);
  const told3 = rebalance({ ...open, allowances, minGain: 0.05, holdSeconds: 0 });
  expect(told3.heldByOldDisks).toEqual([]);
});
