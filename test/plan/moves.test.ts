/** Guests that go to another node as they run: which, where to, in which order, and what is done to them there. */
import { describe, expect, test } from "vitest";
import { nodeName } from "../../src/model/names.ts";
import { aFleet, aSpec, type FleetBuilder, NOON, type WorldBuilder } from "../support/a-fleet.ts";
import { sentencesOf, soundPlan } from "../support/sound-plan.ts";

const of = (memoryMiB: number, cpus = 1) => ({
  memory: { sizeMiB: memoryMiB, maxMiB: 8 * memoryMiB },
  cpus: { count: cpus, max: 8 },
});

describe("a placement that no longer allows its node", () => {
  const fleet = () => aFleet().nodes("n1", "n2").vm("web-1", { on: "n2" });
  const world = () => fleet().empty().has("web-1", "n1", { generation: 4, serial: 9 });

  test("moves the guest as it runs, without being asked for more than the plan says", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2"));
    expect(sentencesOf(made)).toEqual(["migrate web-1 from n1 to n2"]);
    expect(made.steps[0]).toMatchObject({ fromNode: "n1", node: "n2", expect: { generation: 4, serial: 9 } });
    expect(made.changes[0]).toMatchObject({ action: "migrate", class: "migrate", fromNode: "n1", node: "n2" });
    expect(made).toMatchObject({ applyable: true, complete: true, summary: { migrate: 1, replace: 0 } });
  });

  test("what else is to change is changed where it arrived", () => {
    const bigger = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n2", ...of(2048) });
    const seen = bigger
      .empty()
      .has("web-1", "n1", { spec: aSpec(of(1024)), live: { memory: { sizeMiB: 1024, maxMiB: 8192 } } })
      .sends("n1", "n2");
    const made = soundPlan(bigger, seen);
    // Its own room for growth is another as well, and that is given at a boot only.
    expect(sentencesOf(made)).toEqual(["migrate web-1 from n1 to n2", "update web-1 on n2", "reboot web-1 on n2"]);
    expect(made.changes[0]).toMatchObject({ action: "migrate", class: "reboot" });
  });

  test.each<[string, WorldBuilder, string]>([
    ["its own node cannot", world().sends("n2"), "noop 1 on n1 does not send guests"],
    ["it stands still", world().has("web-1", "n1", { phase: "paused" }).sends("n1", "n2"), "it is paused"],
    [
      "its guest has what stays",
      world()
        .has("web-1", "n1", { movable: { live: false, why: "it has the device gpu0 of n1" } })
        .sends("n1", "n2"),
      "it has the device gpu0 of n1",
    ],
  ])("where %s, it would have to be made anew, and that is asked for", (_, seen, why) => {
    const made = soundPlan(fleet(), seen);
    expect(made.changes[0]?.reasons[0]?.text).toBe(
      `its placement no longer allows n1, and it cannot be migrated (${why}): it is deleted here and made anew elsewhere`,
    );
    expect(made.refusals[0]?.message).toMatch(/^no VM is replaced unless that is asked for/);
  });

  test("where only the other node cannot, it stays, and the plan says what that node lacks", () => {
    const made = soundPlan(fleet(), world().sends("n1"));
    expect(sentencesOf(made)).toEqual([
      "blocked web-1 (1 cpu, 1 GiB) has to leave n1 and can go nowhere else: n2: noop 1 there takes in no guests",
    ]);
  });

  test("whom the other node expects since an apply that died goes there, into the room that is kept", () => {
    const small = aFleet()
      .node("n1")
      .node("n2", { cpus: 1, memoryMiB: 1024 })
      .vm("web-1", { on: "n2", ...of(1024) });
    const seen = small
      .empty()
      .has("web-1", "n1", { spec: aSpec(of(1024)) })
      .sends("n1", "n2");
    const migration = {
      role: "destination",
      stage: "expected",
      peer: nodeName("n1"),
      since: NOON,
      url: "node n1",
    } as const;
    const asked = seen.has("web-1", "n2", { spec: aSpec(of(1024)), phase: "starting", migration });
    expect(sentencesOf(soundPlan(small, asked))).toEqual(["migrate web-1 from n1 to n2"]);
  });

  test("a budget that allows less refuses it", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2"), { maxClass: "live" });
    expect(made.refusals[0]?.message).toBe("at most live is allowed: web-1 would need migrate");
  });
});

test("a node that keeps disks of its earlier life, or has a namesake, is no place to go to", () => {
  const fleet = aFleet()
    .nodes("n1", "n2", "n3")
    .vm("web-1", { nodes: ["n2", "n3"] });
  const world = () => fleet.empty().has("web-1", "n1").sends("n1", "n2", "n3");
  expect(sentencesOf(soundPlan(fleet, world().keeps("web-1", "n2", ["data"])))).toEqual([
    "migrate web-1 from n1 to n3",
  ]);
  expect(sentencesOf(soundPlan(fleet, world().has("web-1", "n2", { fleet: "other" })))).toEqual([
    "migrate web-1 from n1 to n3",
  ]);
  const both = world().keeps("web-1", "n2", ["data"]).has("web-1", "n3", { fleet: "other" });
  expect(sentencesOf(soundPlan(fleet, both))[0]).toContain(
    "n2: keeps disks of an earlier life of it (odorobo vm purge web-1 --node n2 ends that); n3: has a VM of this name already",
  );
});

test("an empty disk of its own goes along, and counts in the time", () => {
  const data = { name: "data", origin: { kind: "blank", sizeMiB: 1150 }, readonly: false } as const;
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("a", { on: "n2", disks: [data], ...of(1150) });
  const world = fleet
    .empty()
    .has("a", "n1", { spec: aSpec({ disks: [data], ...of(1150) }) })
    .sends("n1", "n2");
  expect(soundPlan(fleet, world).times?.moves).toMatchObject([{ endSeconds: 2.2, memoryMiB: 2300 }]);
});

describe("more than its node has", () => {
  const fleet = () =>
    aFleet()
      .node("n1", { memoryMiB: 4096 })
      .node("n2", { memoryMiB: 16384 })
      .vm("web-1", { ...of(1024), memory: { sizeMiB: 6144, maxMiB: 8192 } })
      .vm("web-2", of(1024));
  const small = aSpec({ ...of(1024), memory: { sizeMiB: 1024, maxMiB: 8192 } });
  const world = () =>
    fleet()
      .empty()
      .has("web-1", "n1", { spec: small })
      .has("web-2", "n1", { spec: aSpec(of(1024)) });

  test("goes where there is room, and grows there", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2"));
    expect(sentencesOf(made)).toEqual(["migrate web-1 from n1 to n2", "update web-1 on n2"]);
    expect(made.changes[0]?.reasons.map((reason) => reason.text)).toContainEqual(
      "n1 has no room for that: it needs 5 GiB more memory (2 GiB free)",
    );
  });

  test("goes only where it can grow as it runs", () => {
    const made = soundPlan(fleet(), world().sends("n1", "n2").able("n2", { memoryUp: false }));
    expect(sentencesOf(made)).toEqual([
      expect.stringContaining("n2: has noop 1, which changes less of a running guest than it needs"),
    ]);
  });

  test("is blocked where it cannot go, and says why", () => {
    expect(sentencesOf(soundPlan(fleet(), world()))[0]).toMatch(
      /^blocked web-1 needs 0 more cpus and 5120 MiB .* and it cannot move: noop 1 on n1 does not send guests$/,
    );
  });
});

describe("in which order", () => {
  const tight = () => aFleet().node("n1", { memoryMiB: 4096 }).node("n2", { memoryMiB: 4096 });

  test("a guest moves when what was deleted has made room", () => {
    const fleet = tight().vm("a", { on: "n2", ...of(3072) });
    const world = fleet
      .empty()
      .has("a", "n1", { spec: aSpec(of(3072)) })
      .has("old", "n2", { spec: aSpec(of(2048)) })
      .sends("n1", "n2");
    const made = soundPlan(fleet, world);
    expect(sentencesOf(made)).toEqual(["delete old from n2, keeping its disks", "migrate a from n1 to n2"]);
    expect(made.steps[1]?.after).toEqual([made.steps[0]?.id]);
  });

  test("a new VM starts when a guest that moves has left", () => {
    const fleet = tight()
      .vm("a", { on: "n2", ...of(3072) })
      .vm("b", { on: "n1", ...of(2048) });
    const world = fleet
      .empty()
      .has("a", "n1", { spec: aSpec(of(3072)) })
      .sends("n1", "n2");
    const made = soundPlan(fleet, world);
    expect(sentencesOf(made)).toEqual(["migrate a from n1 to n2", "create b on n1", "boot b on n1"]);
    expect(made.steps[1]?.after).toEqual([made.steps[0]?.id]);
  });
});

describe("where there is no room for both", () => {
  const full = () => aFleet().node("n1", { memoryMiB: 4096 }).node("n2", { memoryMiB: 4096 });
  const swap = (fleet: FleetBuilder) => fleet.vm("a", { on: "n2", ...of(4096) }).vm("b", { on: "n1", ...of(4096) });
  const sized = (memoryMiB: number) => ({ spec: aSpec(of(memoryMiB)) });

  test("two guests that are to change places use a third node, one of them once", () => {
    const fleet = swap(full().node("n3", { memoryMiB: 4096 }));
    const world = fleet.empty().has("a", "n1", sized(4096)).has("b", "n2", sized(4096)).sends("n1", "n2", "n3");
    const made = soundPlan(fleet, world);
    expect(made.steps).toHaveLength(3);
    const [parked, second, third] = made.steps;
    expect(parked).toMatchObject({ kind: "migrateVm", node: "n3" });
    expect(second?.after).toEqual([parked?.id]);
    expect(third?.after).toEqual([parked?.id, second?.id].sort());
    expect(third).toMatchObject({ kind: "migrateVm", vm: parked?.vm, fromNode: "n3", expect: null });
    const change = made.changes.find((each) => each.name === parked?.vm);
    expect(change?.reasons.at(-1)?.text).toMatch(/^it goes by way of n3, where it runs until there is room on n[12]$/);
    expect(made.summary).toMatchObject({ migrate: 2, unchanged: 0, blocked: 0 });
  });

  test("without a third node the plan says who waits for whom, and moves neither", () => {
    const fleet = swap(full());
    const world = fleet.empty().has("a", "n1", sized(4096)).has("b", "n2", sized(4096)).sends("n1", "n2");
    const made = soundPlan(fleet, world);
    expect(made.steps).toEqual([]);
    expect(made.blocked.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(made.blocked[0]?.message).toContain("lacks 4096 MiB on n2");
  });

  test("a guest that nobody asked to move makes way and comes back, and the plan says so", () => {
    const fleet = swap(full().node("n3", { memoryMiB: 4096 }).node("n4", { memoryMiB: 2048 })).vm("c", {
      on: "n3",
      ...of(1024),
    });
    const world = fleet
      .empty()
      .has("a", "n1", sized(4096))
      .has("b", "n2", sized(4096))
      .has("c", "n3", sized(1024))
      .sends("n1", "n2", "n3", "n4");
    const made = soundPlan(fleet, world);
    expect(made.blocked).toEqual([]);
    const aside = made.changes.find(({ name }) => name === "c");
    expect(aside).toMatchObject({ action: "migrate", node: "n3", fromNode: null });
    expect(aside?.reasons[0]?.text).toBe("it makes way on n3 for other moves: it goes to n4 and back");
    expect(made.summary).toMatchObject({ migrate: 3, unchanged: 0 });
    // One that was left out by name is not moved for others.
    expect(soundPlan(fleet, world, { selection: { targets: ["a", "b"], excludes: [] } }).steps).toEqual([]);
  });

  test("guests that may not be together are not together on the way either", () => {
    const apart = { antiAffinity: [{ match: { app: "db" }, per: "node", required: true }], labels: { app: "db" } };
    const fleet = aFleet()
      .nodes("n1", "n2", "n3")
      .vm("a", { on: "n2", ...of(1024), ...apart })
      .vm("b", { on: "n3", ...of(1024), ...apart });
    const spec = aSpec({ ...of(1024), labels: apart.labels });
    const world = fleet.empty().has("a", "n1", { spec }).has("b", "n2", { spec }).sends("n1", "n2", "n3");
    const made = soundPlan(fleet, world);
    expect(sentencesOf(made)).toEqual(["migrate b from n2 to n3", "migrate a from n1 to n2"]);
    expect(made.steps[1]?.after).toEqual([made.steps[0]?.id]);
  });

  test("how long it takes, how much room is left, and how long guests stand still", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("a", { on: "n2", ...of(2300) });
    const world = fleet.empty().has("a", "n1", sized(2300)).sends("n1", "n2");
    const { times, steps: all } = soundPlan(fleet, world);
    // 2,300 MiB over a link of 1,150 MiB/s, and 0.2 s to get ready and let go.
    expect(times).toMatchObject({
      makespanSeconds: 2.2,
      moves: [{ step: all[0]?.id, startSeconds: 0, endSeconds: 2.2, memoryMiB: 2300 }],
      busiestLink: { node: "n1", direction: "up", seconds: 2 },
      headroom: [
        { node: "n1", cpus: 15, memoryMiB: 14084 },
        { node: "n2", cpus: 15, memoryMiB: 14084 },
      ],
    });
  });
});
