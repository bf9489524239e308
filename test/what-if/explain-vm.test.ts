/** What a plan means for one VM: milder ways that were rejected, as data, and who else could have it, filter by filter. */
import { expect, test } from "vitest";
import { vmName } from "../../src/model/names.ts";
import { renderExplanation } from "../../src/report/what-if/explanation-text.ts";
import { type Explanation, explainVm } from "../../src/what-if/explain-vm.ts";
import { aFleet, aSpec, type FleetBuilder, planOf, type WorldBuilder } from "../support/a-fleet.ts";

const explained = (vm: string, fleet: FleetBuilder, world: WorldBuilder): Explanation =>
  explainVm(vmName(vm), planOf(fleet, world), fleet.desired(), world.observed());

const counts = ({ elsewhere }: Explanation) =>
  Object.fromEntries(elsewhere!.filters.map((each) => [each.filter, each.left]));

const sized = (sizeMiB: number, maxMiB = 16_384) => ({ memory: { sizeMiB, maxMiB } });

test("a VM that is as it should be: why it is there, and who else could have it", () => {
  const fleet = aFleet().nodes("n1", "n2", "n3").vm("web-1").node("n4", { cordoned: true });
  const world = fleet.empty().has("web-1", "n1").sends("n1", "n2", "n4");
  const found = explained("web-1", fleet, world);
  expect(found).toMatchObject({
    outcome: "unchanged",
    change: null,
    home: {
      state: "present",
      nodes: ["n1"],
      because: [{ text: "its placement allows any node, and who need not move stays" }],
    },
    elsewhere: { rooted: null, node: "n2", able: ["n2"] },
  });
  // n3 has a hypervisor that takes in no guests.
  expect(counts(found)).toMatchObject({ nodes: 4, candidates: 3, placement: 3, answers: 3, open: 2, able: 1, room: 1 });
  expect(renderExplanation(found, { colour: false })).toContain(
    "Nodes it could go to: n2\n  4 nodes in the fleet, 3 to choose from, 2 that take newcomers, 1 whose hypervisor can run it, 1 with room",
  );
});

test("live would do but there is no room: it goes elsewhere, and the milder chain says why not", () => {
  const fleet = aFleet().node("n1", { memoryMiB: 4096 }).node("n2").vm("web-1", sized(8192)).vm("db-1", { on: "n1" });
  const world = fleet
    .asDesired()
    .has("web-1", "n1", { spec: aSpec(sized(1024)) })
    .sends("n1", "n2");
  const found = explained("web-1", fleet, world);
  expect(found.change).toMatchObject({ action: "migrate", node: "n2" });
  expect(found.steps.map((step) => step.kind)).toEqual(["migrateVm", "updateVm"]);
  expect(found.rejected).toEqual([
    { chain: ["live"], field: "memory.sizeMiB", because: expect.stringContaining("n1 has no room for that") },
  ]);
});

test("no room at home and none with room to move to: both chains are told", () => {
  const fleet = aFleet().node("n1", { memoryMiB: 4096 }).node("n2", { memoryMiB: 4096 }).vm("web-1", sized(8192));
  const world = fleet
    .empty()
    .has("web-1", "n1", { spec: aSpec(sized(1024)) })
    .sends("n1", "n2");
  const found = explained("web-1", fleet, world);
  expect(found.outcome).toBe("blocked");
  expect(found.rejected.map(({ chain }) => chain)).toEqual([["live"], ["migrate", "live"]]);
  expect(found.rejected[1]!.because).toContain("no node takes it");
  expect(counts(found)).toMatchObject({ "anti-affinity": 1, room: 0 });
  expect(found.elsewhere).toMatchObject({ node: null, able: [] });
});

test("no room at home, and it cannot move: told as the second chain", () => {
  const fleet = aFleet().node("n1", { memoryMiB: 4096 }).node("n2").vm("web-1", sized(8192));
  const world = fleet.empty().has("web-1", "n1", { spec: aSpec(sized(1024)) });
  const found = explained("web-1", fleet, world);
  expect(found.rejected.map(({ chain }) => chain)).toEqual([["live"], ["migrate", "live"]]);
  expect(found.elsewhere?.rooted).toContain("does not send guests");
});

test("the hypervisor takes it only at a reboot: why not live", () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { on: "n1", cpus: { count: 2, max: 4 } });
  const world = fleet.empty().has("web-1", "n1");
  const found = explained("web-1", fleet, world);
  expect(found.change).toMatchObject({ action: "reboot", class: "reboot" });
  expect(found.rejected).toEqual([
    { chain: ["live"], field: "cpus.count", because: "the guest was booted with room for 1 vCPU" },
    { chain: ["live"], field: "cpus.max", because: "room for growth is given at boot" },
  ]);
});

test("its placement changed and it cannot migrate: why it would be made anew", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n2" });
  const world = fleet.empty().has("web-1", "n1", { phase: "paused" }).sends("n1", "n2");
  const found = explained("web-1", fleet, world);
  expect(found).toMatchObject({ change: { action: "replace" }, refusals: [{ code: "PLAN_REFUSED" }] });
  expect(found.rejected).toEqual([{ chain: ["migrate"], field: "placement", because: "it is paused" }]);
});

test("maintenance: why it does not move, where its onDrain, or its hypervisor, says otherwise", () => {
  const maintenance = { from: null, until: null, reason: null };
  const fleet = (onDrain: "stop" | "migrate") =>
    aFleet().node("n1", { maintenance }).node("n2").vm("web-1", { onDrain });
  const stop = fleet("stop");
  expect(
    explained("web-1", stop, stop.empty().has("web-1", "n1", { spec: aSpec({ onDrain: "stop" }) })).rejected,
  ).toEqual([{ chain: ["migrate"], field: "onDrain", because: "its onDrain says otherwise" }]);
  const migrate = fleet("migrate");
  const found = explained("web-1", migrate, migrate.empty().has("web-1", "n1"));
  expect(found).toMatchObject({ outcome: "blocked", blocked: { code: "NOT_MOVABLE" } });
  expect(found.rejected).toEqual([
    { chain: ["migrate"], field: null, because: expect.stringContaining("does not send guests") },
  ]);
});

test("what it waits for is named, by whom", () => {
  const fleet = aFleet()
    .node("n1", { memoryMiB: 2048 })
    .node("n2", { memoryMiB: 2048 })
    .node("n3", { memoryMiB: 2048 })
    .vm("a", { on: "n2", ...sized(2048, 2048) })
    .vm("b", { on: "n1", ...sized(2048, 2048) });
  const spec = aSpec(sized(2048, 2048));
  const world = fleet.empty().has("a", "n1", { spec }).has("b", "n2", { spec }).sends("n1", "n2", "n3");
  const [a, b] = [explained("a", fleet, world), explained("b", fleet, world)];
  const waits = [...a.steps, ...b.steps].flatMap((step) => step.waitsFor.map(({ text }) => text));
  expect(waits.length).toBeGreaterThan(0);
  expect(waits.every((text) => /^migrate [ab] from/.test(text))).toBe(true);
  expect(renderExplanation(a, { colour: false })).toMatch(/1\. migrate a from n1 to n\d \[migrate\], from [\d.]+ s to/);
});

test("pending is told as pending: not as somebody else's change, and not as done", () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { on: "n1", cpus: { count: 1, max: 4 } });
  const owed = [{ path: "cpus.max", since: planOf(fleet, fleet.empty()).base.observedAt, held: false }];
  const world = fleet.asDesired().has("web-1", "n1", {
    spec: aSpec({ cpus: { count: 1, max: 4 } }),
    live: { cpus: { count: 1, max: 1 } },
    owed,
  });
  const found = explained("web-1", fleet, world);
  expect(found.pending).toEqual(owed);
  expect(found.change?.reasons).toMatchObject([{ because: "pending", field: "cpus.max", class: "reboot" }]);
  const text = renderExplanation(found, { colour: false });
  expect(text).toContain("Pending: applied, and not in the guest yet:\n  cpus.max since");
  expect(text).not.toContain("someone else");
});

test("absent, unknown, two homes and nobody's", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" });
  expect(explained("web-1", fleet, fleet.empty())).toMatchObject({
    home: { state: "absent", nodes: [] },
    outcome: "changes",
    elsewhere: { node: "n1", able: ["n1"] },
  });
  expect(explained("web-1", fleet, fleet.empty().silent("n1"))).toMatchObject({
    home: { state: "unknown", nodes: [] },
    outcome: "unknown",
    elsewhere: null,
  });
  expect(explained("web-1", fleet, fleet.empty().has("web-1", "n1").has("web-1", "n2"))).toMatchObject({
    home: { state: "two-homes", nodes: ["n1", "n2"] },
    outcome: "blocked",
    elsewhere: null,
  });
  expect(explained("hand", fleet, fleet.asDesired().has("hand", "n2", { fleet: null }))).toMatchObject({
    outcome: "foreign",
  });
  expect(explained("gone", fleet, fleet.asDesired().has("gone", "n2"))).toMatchObject({
    change: { action: "destroy" },
    values: [],
  });
  expect(() => explained("web-2", fleet, fleet.asDesired())).toThrow(/NOT_FOUND|no manifest names web-2/);
});

test("a newcomer that others leave no room is told of the room that is left after the plan, not of now's", () => {
  const fleet = aFleet().node("n1", { memoryMiB: 4096 }).vm("a", sized(4096)).vm("b", sized(2048));
  const found = explained("b", fleet, fleet.empty());
  expect(found.outcome).toBe("blocked");
  expect(counts(found)).toMatchObject({ nodes: 1, room: 0 });
});

test("one that could only go switched off: why not as it runs, and to where", () => {
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("web-1", { migration: { mode: "cold", downtimeMs: 300, timeoutSeconds: 600 } });
  const spec = aSpec({ migration: { mode: "cold", downtimeMs: 300, timeoutSeconds: 600 } });
  const found = explained(
    "web-1",
    fleet,
    fleet.empty().has("web-1", "n1", { spec }).sends("n1", "n2").carries("n1", "n2"),
  );
  expect(found.elsewhere).toMatchObject({ rooted: null, onlyOff: "its migration mode is cold", node: "n2" });
  expect(renderExplanation(found, { colour: false })).toContain(
    "Nodes it could go to, switched off for the way: its migration mode is cold: n2\n",
  );
});

test("what waits for its window is told as waiting, with the window and what will be done in it", () => {
  const window = {
    ...{ days: ["sun"] as const, from: "02:00", until: "04:00", timezone: "UTC" },
    source: { file: "windows.yaml", line: 3, column: 5 },
  };
  const fleet = aFleet()
    .node("n1")
    .vm("web-1", { on: "n1", windows: [window], cpus: { count: 2, max: 4 } });
  const found = explained("web-1", fleet, fleet.empty().has("web-1", "n1"));
  expect(found).toMatchObject({
    outcome: "waits",
    change: { action: "reboot" },
    steps: [],
    window: { opens: "2026-01-04T02:00:00.000Z" },
  });
  expect(renderExplanation(found, { colour: false })).toMatch(
    /The plan: reboot on n1, because\n[\s\S]* {2}It waits for its window, which opens at 2026-01-04T02:00:00.000Z: Sun 02:00/,
  );
});
