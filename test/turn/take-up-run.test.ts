/** Which VMs of a run that is taken up are still as it left them. */
import { expect, test } from "vitest";
import type { RunEvent } from "../../src/run/journal.ts";
import { stateOf } from "../../src/run/state.ts";
import { findRefused } from "../../src/turn/runs/take-up-run.ts";
import { aFleet, NOON, type WorldBuilder } from "../support/a-fleet.ts";
import { aBegunRun } from "../support/a-run.ts";
import { aRunnablePlan } from "../support/a-runnable-plan.ts";

const at = NOON;
const seen = { generation: 1, serial: 1 };
/** Moved by deleting it on n1 and making it on n2. */
const plan = aRunnablePlan()
  .step("deleteVm", "web-1", "n1", { expect: seen })
  .step("createVm", "web-1", "n2", { after: ["deleteVm-web-1"], generation: 2 })
  .step("rebootVm", "web-2", "n1", { expect: seen })
  .build();

const started = (step: string): RunEvent => ({ event: "step-started", at, step });
const done = (step: string, left: { generation: number; serial: number } | null): RunEvent => ({
  ...{ event: "step-succeeded", at, step, noop: false, attempts: 1, milliseconds: 1 },
  left,
});

const fleet = aFleet().nodes("n1", "n2");
const refused = (world: WorldBuilder, ...events: RunEvent[]) => {
  const state = stateOf([aBegunRun(plan), ...events])!;
  return [...findRefused(plan, state, world.observed(), new Set())].map(
    ([vm, { message }]) => `${vm}${message.slice(vm.length)}`,
  );
};
const web1 = (node: string, over: object = {}) =>
  fleet
    .empty()
    .has("web-1", node, { ...seen, ...over })
    .has("web-2", "n1", seen);

test("as it was, or as its steps left it: it goes on", () => {
  expect(refused(web1("n1"))).toEqual([]);
  expect(refused(fleet.empty().has("web-2", "n1", seen), done("deleteVm-web-1", null))).toEqual([]);
  const after = [done("deleteVm-web-1", null), done("createVm-web-1", { generation: 2, serial: 7 })];
  // Nothing is left to be done to it: whatever it is by now.
  expect(refused(fleet.empty().has("web-2", "n1", seen), ...after)).toEqual([]);
});

test("changed, gone, or somewhere else: it is left alone", () => {
  expect(refused(web1("n1", { serial: 5 }))).toEqual([
    expect.stringMatching(/^web-1: the plan saw generation 1, serial 1 on n1; now generation 1, serial 5/),
  ]);
  expect(refused(web1("n2"))).toHaveLength(1);
  expect(refused(web1("n2"), done("deleteVm-web-1", null))).toHaveLength(1);
  expect(refused(fleet.empty().has("web-1", "n1", seen))).toEqual([
    expect.stringMatching(/^web-2: .*; now it is nowhere$/),
  ]);
});

test("with a step in doubt it may be as before or after, at either end, and nowhere else", () => {
  const doubt = [done("deleteVm-web-1", null), started("createVm-web-1")];
  expect(refused(fleet.empty().has("web-2", "n1", seen), ...doubt)).toEqual([]);
  expect(refused(web1("n2", { generation: 2 }), ...doubt)).toEqual([]);
  expect(refused(web1("n1"), ...doubt)).toHaveLength(1);
  expect(refused(web1("n1"), started("deleteVm-web-1"))).toEqual([]);
  expect(refused(web1("n1").has("web-1", "n2", seen), started("deleteVm-web-1"))).toHaveLength(1);
  // Its reboot may be done: the agent says which.
  expect(refused(web1("n1").has("web-2", "n1", { ...seen, serial: 2 }), started("rebootVm-web-2"))).toEqual([]);
});

test("while a node is silent where it could be, nothing is made of it", () => {
  const silent = fleet.empty().has("web-2", "n1", seen).silent("n2");
  expect(refused(silent, done("deleteVm-web-1", null))).toEqual([
    expect.stringMatching(/now it cannot be checked, because n2 does not answer$/),
  ]);
});
