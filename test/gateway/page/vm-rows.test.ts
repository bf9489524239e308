/** A row for every VM that is or should be: what it says in good times and bad. Pure. */
import { expect, test } from "vitest";
import type { NodeReport } from "../../../src/model/observed-state.ts";
import type { Sighting } from "../../../src/report/gateway/sighting.ts";
import { toNodeRows } from "../../../src/report/gateway/to-node-rows.ts";
import { toVmRows } from "../../../src/report/gateway/to-vm-rows.ts";
import { aFleet, aSpec, type FleetBuilder, NOON, planOf, type WorldBuilder } from "../../support/a-fleet.ts";

function sightingOf(fleet: FleetBuilder, world: WorldBuilder, last?: NodeReport): Sighting {
  const observed = world.observed();
  const silent = observed.nodes.filter(({ reach }) => reach === "silent").map(({ name }) => name);
  const silence = new Map(silent.map((name) => [name, { since: NOON, last: last ?? null }]));
  return { desired: fleet.desired(), observed, plan: planOf(fleet, world), silence };
}
const rowOf = (sighting: Sighting, name: string) => toVmRows(sighting).find((row) => row.name === name);

test("what is nowhere is absent, and unknown while a node is silent that nobody said is off", () => {
  const fleet = aFleet()
    .node("n1")
    .node("n2")
    .vm("web-1", { on: "n1", cpus: { count: 2, max: 2 } });
  expect(rowOf(sightingOf(fleet, fleet.empty()), "web-1")).toMatchObject({
    ...{ phase: "absent", node: null, cpus: 2, named: true, change: { action: "create" } },
  });
  expect(rowOf(sightingOf(fleet, fleet.empty().silent("n2")), "web-1")).toMatchObject({ phase: "unknown", node: null });
});

test("what a silent node had is shown as it was, and by nobody who has not seen it", () => {
  const fleet = aFleet().node("n1").node("n2").vm("web-1", { on: "n1" });
  const before = fleet.asDesired().observed().nodes[0]!;
  const last = before.reach === "answered" ? before.report : undefined;
  const gone = fleet.asDesired().silent("n1");
  expect(rowOf(sightingOf(fleet, gone, last), "web-1")).toMatchObject({ phase: "unknown", node: "n1", ready: null });
  expect(rowOf(sightingOf(fleet, gone), "web-1")).toMatchObject({ phase: "unknown", node: null });
  expect(toNodeRows(sightingOf(fleet, gone, last), NOON)[0]).toMatchObject({ reach: "silent", vms: 1, running: 0 });
  expect(toNodeRows(sightingOf(fleet, gone), NOON)[0]).toMatchObject({ capacity: null, free: null, vms: 0 });
});

test("a guest that moves is one row, where it is", () => {
  const fleet = aFleet()
    .node("n1")
    .node("n2")
    .vm("web-1", { nodes: ["n1", "n2"] });
  const migration = { since: NOON, url: "node n2" };
  const moving = fleet
    .empty()
    .has("web-1", "n1", { migration: { ...migration, role: "source", stage: "sending" } })
    .has("web-1", "n2", { phase: "stopped", migration: { ...migration, role: "destination", stage: "arriving" } });
  expect(toVmRows(sightingOf(fleet, moving))).toMatchObject([{ name: "web-1", node: "n1", phase: "running" }]);
  const moved = fleet
    .empty()
    .has("web-1", "n1", { phase: "stopped", migration: { ...migration, role: "source", stage: "left" } })
    .has("web-1", "n2");
  expect(toVmRows(sightingOf(fleet, moved))).toMatchObject([{ name: "web-1", node: "n2", phase: "running" }]);
});

test("what somebody else changed is drift with its class; what waits for the guest is pending and no drift", () => {
  const spec = aSpec({ cpus: { count: 2, max: 4 } });
  const fleet = aFleet().node("n1").vm("web-1", { on: "n1", cpus: spec.cpus });
  const live = { cpus: { count: 1, max: 4 } };
  const drifted = fleet.empty().has("web-1", "n1", { spec, live });
  expect(rowOf(sightingOf(fleet, drifted), "web-1")).toMatchObject({ drift: "live", pending: false, cpus: 1 });
  const owed = [{ path: "cpus.count", since: NOON, held: false }];
  const pending = fleet.empty().has("web-1", "n1", { spec, live, owed });
  expect(rowOf(sightingOf(fleet, pending), "web-1")).toMatchObject({ drift: null, pending: true });
});

test("another fleet's VMs are no rows; what the manifests do not name is to be deleted", () => {
  const fleet = aFleet().node("n1").vm("web-1", { on: "n1" });
  const world = fleet.asDesired().has("theirs", "n1", { fleet: "other" }).has("old", "n1");
  const rows = toVmRows(sightingOf(fleet, world));
  expect(rows.map(({ name, named }) => [name, named])).toEqual([
    ["old", false],
    ["web-1", true],
  ]);
});

test("addresses are those that its agent says, else those that the manifests declare", () => {
  const nics = [
    {
      ...{ name: "a", network: "lan", mac: "52:54:00:00:00:01" },
      attachment: { kind: "none" as const },
      address: "10.0.0.7/24",
    },
  ];
  const fleet = aFleet().node("n1").vm("web-1", { on: "n1", nics });
  const seen = sightingOf(fleet, fleet.empty());
  expect(rowOf(seen, "web-1")?.addresses).toEqual([{ address: "10.0.0.7", source: "declared" }]);
  const sighting = sightingOf(fleet, fleet.asDesired());
  const [node] = sighting.observed.nodes;
  if (node?.reach !== "answered") throw new Error("it answers");
  const vms = node.report.vms.map((vm) => ({
    ...vm,
    addresses: [{ address: "10.0.0.9", source: "lease" as const, nic: "a" }],
  }));
  const told = {
    ...sighting,
    observed: { ...sighting.observed, nodes: [{ ...node, report: { ...node.report, vms } }] },
  };
  expect(rowOf(told, "web-1")?.addresses).toEqual([{ address: "10.0.0.9", source: "lease" }]);
});
