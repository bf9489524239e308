import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import type { ObservedState } from "../../src/model/observed-state.ts";
import { toStatusDocument } from "../../src/report/status-document.ts";
import { renderStatus } from "../../src/report/status-text.ts";
import { aFleet, aSpec, type FleetBuilder, type WorldBuilder } from "../support/a-fleet.ts";

const schema = JSON.parse(readFileSync(new URL("../../schemas/status.schema.json", import.meta.url), "utf8"));
const ajv = new Ajv2020({ strict: true, formats: { "date-time": true }, allowUnionTypes: true });
const isStatus = ajv.compile(schema);

const statusOf = (fleet: FleetBuilder, world: WorldBuilder) => statusOfObserved(fleet, world.observed());

function statusOfObserved(fleet: FleetBuilder, observed: ObservedState) {
  const status = toStatusDocument({
    desired: fleet.desired(),
    observed,
    source: "./fleet",
    commit: "1a2b3c4d5e6f7a8b",
  });
  expect(isStatus(status), JSON.stringify(isStatus.errors)).toBe(true);
  return status;
}

const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" }).vm("web-2", { on: "n2" }).vm("web-3", { on: "n1" });

test("the schema's own examples are valid", () => {
  for (const example of schema.examples) expect(isStatus(example), JSON.stringify(isStatus.errors)).toBe(true);
});

test("maintenance is shown while it is under way, and when it will begin", () => {
  const at = (from: string | null) => ({
    from: from === null ? null : instant(from),
    until: null,
    reason: "new disks",
  });
  const planned = aFleet()
    .node("n1", { maintenance: at(null), cordoned: true })
    .node("n2", { maintenance: at("2027-01-01T00:00:00.000Z") });
  const text = renderStatus(statusOf(planned, planned.empty()), { colour: false });
  expect(text).toContain("up, cordoned, in maintenance (new disks)");
  expect(text).toContain("up, maintenance from 2027-01-01T00:00:00.000Z");
});

test("status shows nodes, VMs, who they belong to, and drift", () => {
  const world = fleet
    .asDesired()
    .lost("web-3", "n1")
    .has("web-1", "n1", { live: { cpus: { count: 4, max: 4 } } })
    .has("old-1", "n1", { phase: "crashed", reason: "killed by signal 9" })
    .has("guest", "n2", { fleet: "other", spec: aSpec({ runStrategy: "Manual" }), phase: "stopped" });
  expect(renderStatus(statusOf(fleet, world), { colour: false })).toMatchInlineSnapshot(`
    "2 of 3 VMs running, 1 drifted, 1 absent; 2 nodes
    fleet test, from ./fleet at 1a2b3c4d5e6f, seen at 2026-01-01T12:00:00.000Z

    NODE  STATE  VMS  CPUS        MEMORY  HYPERVISORS  ADDRESS
    n1    up       2  4/16  1 GiB/16 GiB  noop 1       http://n1:8890
    n2    up       2  1/16  1 GiB/16 GiB  noop 1       http://n2:8890

    VM     NODE  PHASE    READY  GEN  COMMIT  NOTES
    guest  n2    stopped  -        1  -       not this fleet's
    old-1  n1    crashed  -        1  -       no longer in the manifests; killed by signal 9
    web-1  n1    running  -        1  -       drift: cpus.count, cpus.max
    web-2  n2    running  -        1  -

    Drift (applied → live):
      web-1 cpus.count: 1 → 4
      web-1 cpus.max: 1 → 4

    In the manifests and on no node: web-3"
  `);
});

test("other fleets' VMs are shown, and counted nowhere", () => {
  const others = { fleet: "other", live: { cpus: { count: 2, max: 2 } } };
  const world = fleet.asDesired().has("their-1", "n1", others).has("by-hand", "n2", { fleet: null });
  const status = statusOf(fleet, world);
  expect(status.vms.map(({ name, belongs }) => [name, belongs])).toContainEqual(["their-1", "other"]);
  expect(status.summary).toMatchObject({ vms: 3, running: 3, notReady: 0, drifted: 0 });
});

test("a silent node's VMs are unknown, not absent, and nothing is claimed of the node", () => {
  const status = statusOf(fleet, fleet.asDesired().silent("n2"));
  expect(status.unknown).toEqual(["web-2"]);
  expect(status.absent).toEqual([]);
  expect(renderStatus(status, { colour: false })).toMatchInlineSnapshot(`
    "2 of 2 VMs running, 1 unknown; 2 nodes, 1 silent
    fleet test, from ./fleet at 1a2b3c4d5e6f, seen at 2026-01-01T12:00:00.000Z

    NODE  STATE   VMS  CPUS        MEMORY  HYPERVISORS  ADDRESS
    n1    up        2  2/16  2 GiB/16 GiB  noop 1       http://n1:8890
    n2    silent    ?     ?             ?  -            http://n2:8890  connection refused

    VM     NODE  PHASE    READY  GEN  COMMIT  NOTES
    web-1  n1    running  -        1  -
    web-3  n1    running  -        1  -

    Unknown, while a node is silent: web-2"
  `);
});

test("a fenced node's VMs are absent: a person said that they do not run", () => {
  const fenced = aFleet().node("n1").node("n2", { fenced: true }).vm("web-1", { on: "n1" }).vm("web-2", { on: "n2" });
  const status = statusOf(fenced, fenced.asDesired().silent("n2"));
  expect(status.absent).toEqual(["web-2"]);
  expect(status.unknown).toEqual([]);
});

test("a VM whose record cannot be read is neither absent nor running", () => {
  const observed = fleet.asDesired().lost("web-3", "n1").observed();
  const nodes = observed.nodes.map((node) =>
    node.reach === "answered" && node.name === "n1"
      ? {
          ...node,
          report: { ...node.report, unreadable: [{ name: vmName("web-3"), problem: "vm.json is cut in half" }] },
        }
      : node,
  );
  const status = statusOfObserved(fleet, { ...observed, nodes });
  expect(status.absent).toEqual([]);
  expect(status.summary.unknown).toBe(1);
  expect(renderStatus(status, { colour: false })).toContain("Unreadable on n1: web-3: vm.json is cut in half");
});

test("a guest that runs over an exchanged image is told before its next boot is refused", () => {
  const problem = { code: "IMAGE_CHANGED", message: "disk root was made over A", hint: "put it back" } as const;
  const images = [
    { disk: "data", file: "/b.qcow2" },
    { disk: "root", file: "/a.qcow2", problem },
  ];
  const status = statusOf(fleet, fleet.asDesired().has("web-1", "n1", { images }));
  expect(status.vms.find((vm) => vm.name === "web-1")?.bootRefused).toEqual({ disk: "root", code: "IMAGE_CHANGED" });
  expect(status.vms.find((vm) => vm.name === "web-2")).not.toHaveProperty("bootRefused");
  expect(renderStatus(status, { colour: false })).toContain(
    "its next boot is refused: the image below disk root was exchanged (IMAGE_CHANGED)",
  );
});

test("what a VM left where it moved away from is listed, and counted as no VM", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web");
  const since = instant("2026-01-01T11:00:00.000Z");
  const migration = { role: "source", since, url: "node n2", peer: nodeName("n2"), stage: "left" } as const;
  const world = fleet.empty().has("web", "n1", { phase: "stopped", endedBy: "operator", migration }).has("web", "n2");
  const status = statusOf(fleet, world);
  expect(status.summary).toMatchObject({ vms: 1, running: 1 });
  expect(status.vms.map(({ node }) => node)).toEqual(["n1", "n2"]);
  expect(status.nodes.map(({ vms }) => vms)).toEqual([0, 1]);
});
