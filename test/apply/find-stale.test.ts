import { expect, test } from "vitest";
import { findStale, refuseStale } from "../../src/apply/find-stale.ts";
import { nodeName, vmName } from "../../src/model/names.ts";
import type { ObservedState } from "../../src/model/observed-state.ts";
import { aFleet, aSpec, NOON, planOf, type WorldBuilder } from "../support/a-fleet.ts";

/** web-1 is to be resized, web-2 to be made, web-3 is as it should be. */
const fleet = () =>
  aFleet()
    .nodes("n1", "n2", "n3")
    .vm("web-1", { on: "n1", cpus: { count: 2, max: 2 } })
    .vm("web-2", { on: "n2" })
    .vm("web-3", { on: "n3" });
const before = (): WorldBuilder =>
  fleet().empty().has("web-1", "n1", { generation: 3, serial: 7 }).has("web-3", "n3", { spec: aSpec() });

const plan = planOf(fleet(), before());
const texts = (now: WorldBuilder | ObservedState) =>
  findStale(plan, "nodes" in now ? now : now.observed()).map((each) => each.text);

test("the plan touches web-1 and web-2", () => {
  expect(Object.keys(plan.base.vms)).toEqual(["web-1", "web-2"]);
});

test("a world that stands still is not stale", () => {
  expect(texts(before())).toEqual([]);
});

test("what happens to VMs that the plan does not touch does not matter", () => {
  const now = before().has("web-3", "n3", { generation: 9, serial: 99, phase: "crashed" }).has("other", "n1");
  expect(texts(now)).toEqual([]);
});

test("somebody applied another spec: both states, and the commit", () => {
  const now = before().has("web-1", "n1", { generation: 4, serial: 9 }).observed();
  expect(texts(withCommit(now, "feedbee"))).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now generation 4, serial 9 on n1 (running; applied from commit feedbee)",
  ]);
});

test("something happened to it: the phase says what", () => {
  const now = before().has("web-1", "n1", { generation: 3, serial: 8, phase: "crashed", reason: "killed by signal 9" });
  expect(texts(now)).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now generation 3, serial 8 on n1 (crashed: killed by signal 9; applied from no commit)",
  ]);
});

test("a VM that was to be made has appeared", () => {
  const now = before().has("web-2", "n3", { generation: 1, serial: 2 });
  expect(texts(now)).toEqual([
    "web-2: the plan saw no such VM; now generation 1, serial 2 on n3 (running; applied from no commit)",
  ]);
});

test("a VM that moved, one that is in two places, one that is gone", () => {
  const same = { generation: 3, serial: 7 };
  expect(texts(before().lost("web-1", "n1").has("web-1", "n2", same))).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now generation 3, serial 7 on n2 (running; applied from no commit)",
  ]);
  expect(texts(before().has("web-1", "n2", same))[0]).toContain(
    "serial 7 on n1 (running; applied from no commit) and ",
  );
  expect(texts(before().lost("web-1", "n1"))).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now it is nowhere",
  ]);
});

test("what a move left behind is no second home, and one that is nowhere else is gone", () => {
  const left = { role: "source", stage: "left", peer: nodeName("n1"), since: NOON, url: "node n1" } as const;
  expect(texts(before().has("web-1", "n3", { phase: "stopped", migration: left }))).toEqual([]);
  const gone = fleet().empty().has("web-3", "n3", { spec: aSpec() });
  expect(texts(gone.has("web-1", "n1", { generation: 3, serial: 7, phase: "stopped", migration: left }))).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now it is nowhere",
  ]);
});

test("a VM whose node is silent cannot be checked, nor one that may have appeared on a silent node", () => {
  expect(findStale(plan, before().silent("n1").observed())).toEqual([
    {
      vm: "web-1",
      planned: { node: "n1", generation: 3, serial: 7 },
      now: null,
      silent: ["n1"],
      text: "web-1: the plan saw generation 3, serial 7 on n1; now it cannot be checked, because n1 does not answer",
    },
    {
      vm: "web-2",
      planned: null,
      now: null,
      silent: ["n1"],
      text: "web-2: the plan saw no such VM; now it cannot be checked, because n1 does not answer",
    },
  ]);
  expect(texts(before().silent("n3"))).toEqual([
    "web-2: the plan saw no such VM; now it cannot be checked, because n3 does not answer",
  ]);
  expect(texts(before().silent("n1", "n2", "n3"))[1]).toContain("3 nodes do not answer (n1, n2, n3)");
});

test("of a fenced node's silence nothing is made", () => {
  expect(findStale(plan, before().silent("n3").observed(), new Set([nodeName("n3")]))).toEqual([]);
});

test("a record that its agent cannot read is no unchanged VM", () => {
  const seen = before().lost("web-1", "n1").observed();
  const unreadable = [{ name: vmName("web-1"), problem: "record.json is not JSON" }];
  const now = {
    ...seen,
    nodes: seen.nodes.map((node) =>
      node.reach === "answered" && node.name === nodeName("n1")
        ? { ...node, report: { ...node.report, unreadable } }
        : node,
    ),
  };
  expect(texts(now)).toEqual([
    "web-1: the plan saw generation 3, serial 7 on n1; now its record on n1 cannot be read: record.json is not JSON",
  ]);
});

test("a stale plan is refused with exit code 5, every VM by name", () => {
  refuseStale(plan, []);
  const stale = findStale(plan, before().lost("web-1", "n1").has("web-2", "n2").observed());
  const refuse = () => refuseStale(plan, stale);
  expect(refuse).toThrow(
    expect.objectContaining({
      code: "PLAN_STALE",
      exitCode: 5,
      hint: "nothing was begun; make a new plan",
      message: [
        `plan ${plan.id} no longer fits 2 of the 2 VMs that it touches:`,
        "  web-1: the plan saw generation 3, serial 7 on n1; now it is nowhere",
        "  web-2: the plan saw no such VM; now generation 1, serial 1 on n2 (running; applied from no commit)",
      ].join("\n"),
    }),
  );
});

function withCommit(observed: ObservedState, commit: string): ObservedState {
  const nodes = observed.nodes.map((node) =>
    node.reach === "silent"
      ? node
      : { ...node, report: { ...node.report, vms: node.report.vms.map((vm) => ({ ...vm, commit })) } },
  );
  return { ...observed, nodes };
}
