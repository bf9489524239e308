/** Situations a fleet gets into, and the plan a person would expect. Plans are compared as sentences. */
import { describe, expect, test } from "vitest";
import type { Maintenance } from "../../src/model/desired-state.ts";
import { type Instant, instant, nodeName, vmName } from "../../src/model/names.ts";
import type { NodeReport, Whereabouts } from "../../src/model/observed-state.ts";
import type { CloudInit, Disk, Nic } from "../../src/model/vm-spec.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { whereaboutsFor } from "../../src/plan/whereabouts.ts";
import { latestWhereabouts } from "../../src/reconcile/locate-vms.ts";
import { describeStep } from "../../src/schedule/step.ts";
import {
  aFleet,
  aSpec,
  type FleetBuilder,
  NOON,
  type PlanOptions,
  planOf,
  type WorldBuilder,
} from "../support/a-fleet.ts";
import { soundPlan } from "../support/sound-plan.ts";

/** The plan as sentences; every plan of every test also keeps the promises. */
function sentences(fleet: FleetBuilder, world: WorldBuilder, options: PlanOptions = {}): string[] {
  const plan = soundPlan(fleet, world, options);
  return [
    ...plan.steps.map(describeStep),
    ...plan.unknown.map((each) => `unknown ${each.name}: ${each.because}`),
    ...plan.blocked.map((each) => `blocked ${each.name}: ${each.message}`),
    ...plan.refusals.map((each) => `refused: ${each.message}`),
  ];
}

const actions = (fleet: FleetBuilder, world: WorldBuilder) =>
  planOf(fleet, world).changes.map((each) => `${each.name} ${each.action} ${each.class}`);
const named = (name: string) => ({ name, origin: { kind: "blank", sizeMiB: 8 }, readonly: false }) as const;
const blank = (sizeMiB: number) => ({ name: "data", origin: { kind: "blank", sizeMiB }, readonly: false }) as const;
const image = (path: string) =>
  ({
    name: "root",
    origin: { kind: "image", image: "i", path, format: "qcow2", sizeMiB: 64 },
    readonly: false,
  }) as const;

describe("what is there already", () => {
  test("a fleet that is as the manifests say needs nothing", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n1" }).vm("web-2", { on: "n2" });
    const plan = planOf(fleet, fleet.asDesired());
    expect(plan).toMatchObject({ steps: [], changes: [], complete: true, applyable: false, summary: { unchanged: 2 } });
  });

  test("a label is metadata: the guest notices nothing", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", labels: { tier: "front" } });
    const world = fleet.empty().has("web-1", "n1");
    expect(actions(fleet, world)).toEqual(["web-1 update metadata"]);
    expect(sentences(fleet, world)).toEqual(["update web-1 on n1"]);
  });

  test("more memory is live while the guest has room for it", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db-1", { on: "n1", memory: { sizeMiB: 2048, maxMiB: 4096 } });
    const world = fleet.empty().has("db-1", "n1", { spec: aSpec({ memory: { sizeMiB: 1024, maxMiB: 4096 } }) });
    expect(actions(fleet, world)).toEqual(["db-1 update live"]);
  });

  test("another share of the node is metadata, and the plan says when it counts", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", weights: { cpu: 200, io: null } });
    const plan = planOf(fleet, fleet.empty().has("web-1", "n1"));
    expect(plan.steps.map(describeStep)).toEqual(["update web-1 on n1"]);
    expect(plan.changes[0]?.reasons).toMatchObject([{ field: "weights.cpu", from: null, to: 200, class: "metadata" }]);
    expect(plan.changes[0]?.reasons[0]?.text).toContain("at once where systemd keeps the guest");
  });

  test("more memory than the guest was booted with room for is a reboot, and the plan says why", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db-1", { on: "n1", memory: { sizeMiB: 8192, maxMiB: 8192 } });
    const world = fleet.empty().has("db-1", "n1", { spec: aSpec({ memory: { sizeMiB: 1024, maxMiB: 4096 } }) });
    const plan = planOf(fleet, world);
    expect(plan.steps.map(describeStep)).toEqual(["update db-1 on n1", "reboot db-1 on n1"]);
    const size = plan.changes[0]?.reasons.find((reason) => reason.field === "memory.size");
    expect(size).toMatchObject({ from: 1024, to: 8192, class: "reboot", source: { file: "db-1.yaml" } });
    expect(size?.text).toContain("booted with room for 4096 MiB");
  });

  test("a hypervisor that cannot hotplug reboots instead", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db-1", { on: "n1", cpus: { count: 2, max: 4 } });
    const world = fleet
      .empty()
      .has("db-1", "n1", { spec: aSpec({ cpus: { count: 1, max: 4 } }) })
      .able("n1", { cpusUp: false });
    expect(actions(fleet, world)).toEqual(["db-1 reboot reboot"]);
  });

  test("a stopped guest takes any change without a reboot", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db-1", { on: "n1", runStrategy: "Manual", cpus: { count: 9, max: 9 } });
    const world = fleet.empty().has("db-1", "n1", { spec: aSpec({ runStrategy: "Manual" }), phase: "stopped" });
    expect(sentences(fleet, world)).toEqual(["update db-1 on n1"]);
  });

  test("a disk never shrinks and is never overwritten", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("a", { on: "n1", disks: [blank(512)] })
      .vm("b", { on: "n1", disks: [image("/new.qcow2")] });
    const world = fleet
      .empty()
      .has("a", "n1", { spec: aSpec({ disks: [blank(1024)] }) })
      .has("b", "n1", { spec: aSpec({ disks: [image("/old.qcow2")] }) });
    expect(planOf(fleet, world).blocked.map((each) => [each.name, each.code])).toEqual([
      ["a", "SHRINK"],
      ["b", "UNSUPPORTED"],
    ]);
    expect(planOf(fleet, world).steps).toEqual([]);
  });

  test("ignored fields are left as they are, in the plan and in what is applied", () => {
    const input = { on: "n1", cpus: { count: 2, max: 4 }, labels: { a: "b" }, ignore: ["/spec/cpus/count"] };
    const fleet = aFleet().nodes("n1").vm("db-1", input);
    const world = fleet.empty().has("db-1", "n1", { spec: aSpec({ cpus: { count: 3, max: 4 } }) });
    const plan = planOf(fleet, world);
    expect(plan.changes[0]?.reasons.map((reason) => reason.field)).toEqual(["labels"]);
    expect(Object.values(plan.specs)[0]?.cpus).toEqual({ count: 3, max: 4 });
  });
});

describe("drift", () => {
  test("a guest that somebody killed is started again, and the plan names the drift", () => {
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1" });
    const world = fleet.empty().has("web-1", "n1", { phase: "crashed", reason: "killed by SIGKILL" });
    const plan = planOf(fleet, world);
    expect(plan.steps.map(describeStep)).toEqual(["boot web-1 on n1"]);
    expect(plan.changes[0]?.reasons[0]).toMatchObject({
      because: "state",
      text: "it should run and is crashed: killed by SIGKILL",
    });
  });

  test("a guest that powered itself off stays off with RerunOnFailure, and is started with Always", () => {
    const off = { phase: "stopped", endedBy: "guest" } as const;
    const fleet = aFleet().nodes("n1").vm("a", { on: "n1" }).vm("b", { on: "n1", runStrategy: "RerunOnFailure" });
    const world = fleet
      .empty()
      .has("a", "n1", off)
      .has("b", "n1", { ...off, spec: aSpec({ runStrategy: "RerunOnFailure" }) });
    expect(sentences(fleet, world)).toEqual(["boot a on n1"]);
  });

  test("cpus that somebody took away by hand come back live", () => {
    const spec = aSpec({ cpus: { count: 4, max: 4 } });
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1", cpus: spec.cpus });
    const world = fleet.empty().has("web-1", "n1", { spec, live: { cpus: { count: 2, max: 4 } } });
    const plan = planOf(fleet, world);
    expect(plan.changes[0]).toMatchObject({ action: "update", class: "live" });
    expect(plan.changes[0]?.reasons[0]).toMatchObject({ because: "drift", field: "cpus.count", from: 2, to: 4 });
    expect(plan.steps).toMatchObject([{ kind: "updateVm", generation: 2, expect: { generation: 1, serial: 1 } }]);
  });

  test("a NIC whose tap is gone comes back with a reboot: no update of a running guest could give it another", () => {
    const eth0: Nic = {
      ...{ name: "eth0", network: "front", mac: "52:54:00:00:00:01", address: null },
      attachment: { kind: "bridge", bridge: "br0" },
    };
    const gone = { nics: [{ ...eth0, attachment: { kind: "none" } }] } as const;
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", nics: [eth0] });
    const world = fleet.empty().has("web-1", "n1", { spec: aSpec({ nics: [eth0] }), live: gone });
    const plan = planOf(fleet, world);
    expect(plan.changes[0]).toMatchObject({ action: "reboot", class: "reboot" });
    expect(plan.changes[0]?.reasons[0]).toMatchObject({ because: "drift", field: "nics.eth0", class: "reboot" });
    expect(plan.steps.map(describeStep)).toEqual(["reboot web-1 on n1"]);
  });

  test("a reboot that an interrupted apply still owes is found again", () => {
    const spec = aSpec({ memory: { sizeMiB: 2048, maxMiB: 2048 } });
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1", memory: spec.memory });
    const world = fleet.empty().has("web-1", "n1", { spec, live: { memory: { sizeMiB: 1024, maxMiB: 1024 } } });
    expect(sentences(fleet, world)).toEqual(["reboot web-1 on n1"]);
  });

  test("what its reboot does anyway is not tried before it: the guest may not let go of a device", () => {
    const spec = aSpec({ disks: [named("a"), named("b")] });
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", disks: [named("a")], memory: { sizeMiB: 2048, maxMiB: 2048 } });
    const plan = planOf(fleet, fleet.empty().has("web-1", "n1", { spec }));
    expect(plan.changes[0]?.reasons.map((each) => [each.field, each.class])).toContainEqual(["disks.b", "live"]);
    expect(plan.steps).toMatchObject([{ kind: "updateVm", defer: true }, { kind: "rebootVm" }]);
  });

  test("a device that the guest does not let go of is owed to its reboot, and nobody else is blamed", () => {
    const spec = aSpec({ disks: [named("a")] });
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", disks: [named("a")] });
    const since = instant("2026-01-01T00:00:00.000Z");
    const world = fleet.empty().has("web-1", "n1", {
      spec,
      live: { disks: [named("a"), named("b")] },
      owed: [{ path: "disks.b", since, held: true }],
    });
    const plan = planOf(fleet, world);
    expect(plan.changes).toMatchObject([{ action: "reboot", class: "reboot" }]);
    const text = plan.changes[0]?.reasons[0]?.text ?? "";
    expect(text).toContain(`owed since ${since}: the guest was asked to let go of it and has not`);
    expect(text).not.toContain("someone else");
    expect(plan.steps).toMatchObject([{ kind: "rebootVm" }]);
  });

  test("what was applied and the guest does not have yet is nobody else's doing either", () => {
    const spec = aSpec({ memory: { sizeMiB: 2048, maxMiB: 2048 } });
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1", memory: spec.memory });
    const since = instant("2026-01-01T00:00:00.000Z");
    const live = { memory: { sizeMiB: 1024, maxMiB: 1024 } };
    const world = fleet.empty().has("web-1", "n1", { spec, live, owed: [{ path: "memory.size", since, held: false }] });
    const texts = planOf(fleet, world).changes[0]?.reasons.map((each) => each.text) ?? [];
    expect(texts).toEqual([
      `memory.size 1024 → 2048 MiB (owed since ${since}: it was applied and the guest does not have it yet)`,
      "memory.max 1024 → 2048 MiB (changed by someone else, not by odorobo)",
    ]);
  });

  test("a guest that stands still is let run on before it is asked to let go of anything", () => {
    const spec = aSpec({ disks: [named("a"), named("b")] });
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", disks: [named("a")] });
    const world = fleet.empty().has("web-1", "n1", { spec, phase: "paused" });
    expect(sentences(fleet, world)).toEqual(["resume web-1 on n1", "update web-1 on n1"]);
  });

  test.each([
    [
      "another key",
      { sshKeys: ["ssh-ed25519 B b"] },
      /users, keys, runcmd and write_files no more; another cloudInit.instance/,
    ],
    ["another network", { networkConfig: "ab".repeat(32) }, /only where its updates.network.when says so/],
    ["another instance", { instance: "2" }, /becomes a new instance .* makes new SSH host keys/],
  ])("cloudInit: %s says what of it reaches the guest, whether it runs or not", (_, change, says) => {
    const before = { userData: null, networkConfig: null, sshKeys: ["ssh-ed25519 A a"] };
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", cloudInit: { ...before, ...change } as CloudInit });
    for (const [phase, changeClass] of [
      ["running", "reboot"],
      ["stopped", "metadata"],
    ] as const) {
      const world = fleet.empty().has("web-1", "n1", { spec: aSpec({ cloudInit: before }), phase });
      const reason = planOf(fleet, world).changes[0]?.reasons.find((each) => each.field === "cloudInit");
      expect(reason).toMatchObject({ class: changeClass, text: expect.stringMatching(says) });
    }
  });

  test("a guest that somebody paused is resumed", () => {
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1" });
    expect(sentences(fleet, fleet.empty().has("web-1", "n1", { phase: "paused" }))).toEqual(["resume web-1 on n1"]);
  });

  test("what is done by hand and then written down only updates the record", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", cpus: { count: 2, max: 4 } });
    const world = fleet
      .empty()
      .has("web-1", "n1", { spec: aSpec({ cpus: { count: 1, max: 4 } }), live: { cpus: { count: 2, max: 4 } } });
    expect(actions(fleet, world)).toEqual(["web-1 update metadata"]);
  });
});

describe("a guest that stands still because it could not write", () => {
  const stalled = { disks: ["root"], noRoom: true, since: instant("2026-01-01T00:00:00.000Z") };
  const seen = { phase: "paused", reason: "stands still (io-error)", stalled } as const;

  test("is not resumed as if somebody had paused it, and not called as it should be", () => {
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1" });
    const plan = planOf(fleet, fleet.empty().has("web-1", "n1", seen));
    expect(plan.steps).toEqual([]);
    expect(plan.complete).toBe(false);
    expect(plan.summary.unchanged).toBe(0);
    expect(plan.blocked).toMatchObject([
      {
        name: "web-1",
        code: "STALLED",
        message: "web-1 on n1 stands still (io-error)",
        hint: "make room on the node where root is kept; nothing needs to be applied",
      },
    ]);
  });

  test("is changed, rebooted and stopped like any other", () => {
    const change = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", labels: { new: "1" } });
    expect(sentences(change, change.empty().has("web-1", "n1", seen))).toEqual(["update web-1 on n1"]);
    const off = aFleet().nodes("n1").vm("web-1", { on: "n1", runStrategy: "Stopped" });
    expect(
      sentences(off, off.asDesired().has("web-1", "n1", { ...seen, spec: aSpec({ runStrategy: "Stopped" }) })),
    ).toEqual(["shut down web-1 on n1"]);
  });
});

describe("what could not be seen", () => {
  test("a VM whose node went silent is left alone, and the rest is planned", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { on: "n1" })
      .vm("web-2", { on: "n2", labels: { new: "1" } });
    const world = fleet.asDesired().has("web-2", "n2").silent("n1");
    expect(sentences(fleet, world)).toEqual([
      "update web-2 on n2",
      "unknown n1: connection refused",
      "unknown web-1: may be on n1, which does not answer",
    ]);
    expect(planOf(fleet, world).complete).toBe(false);
  });

  test("a VM without a home is not started while it may run on a silent node", () => {
    const fleet = aFleet().nodes("n1", "n2", "n3").vm("web-1");
    expect(sentences(fleet, fleet.empty().silent("n2", "n3"))[2]).toBe(
      "unknown web-1: may be on one of 2 nodes that do not answer (n2, n3)",
    );
  });

  test("a node that a person has fenced lets its VMs start elsewhere", () => {
    const fleet = aFleet().node("n1", { fenced: true }).node("n2").vm("web-1");
    expect(sentences(fleet, fleet.empty().silent("n1"))).toEqual(["create web-1 on n2", "boot web-1 on n2"]);
  });

  test("a fence has no effect while the node answers", () => {
    const fleet = aFleet().node("n1", { fenced: true }).node("n2").vm("web-1");
    expect(sentences(fleet, fleet.empty().has("web-1", "n1"))).toEqual([]);
  });

  test("a VM with two homes is touched in neither", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web-1", { labels: { new: "1" } });
    const plan = planOf(fleet, fleet.empty().has("web-1", "n1").has("web-1", "n2"));
    expect(plan.steps).toEqual([]);
    expect(plan.blocked).toMatchObject([{ code: "TWO_HOMES" }]);
  });

  test("a VM that moved by itself is found where it is", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web-1");
    expect(sentences(fleet, fleet.empty().has("web-1", "n2"))).toEqual([]);
  });

  test("another fleet's VM of the same name is not ours", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", labels: { a: "1" } });
    expect(planOf(fleet, fleet.empty().has("web-1", "n1", { fleet: "other" })).blocked).toMatchObject([
      { code: "FOREIGN" },
    ]);
  });

  test("a VM made by hand is not deleted because git does not know it", () => {
    const fleet = aFleet().nodes("n1");
    expect(
      sentences(fleet, fleet.empty().has("mine", "n1", { fleet: null }).has("theirs", "n1", { fleet: "other" })),
    ).toEqual([]);
  });
});

describe("a node that left the manifests", () => {
  const later = instant("2026-01-01T13:00:00.000Z");

  test("keeps its VMs from being started elsewhere", () => {
    const fleet = aFleet().nodes("n1").vm("web-1").vm("web-2");
    const world = fleet.empty().told({ "web-1": "n9", "web-2": "n1" });
    expect(sentences(fleet, world)).toEqual([
      "create web-2 on n1",
      "boot web-2 on n1",
      "unknown web-1: was last on n9, which the manifests no longer name: put that Node back, with fenced: true if it is gone for good",
    ]);
    expect(planOf(fleet, world).complete).toBe(false);
  });

  test("is believed by the latest word only", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web-1");
    const world = fleet.empty().told({ "web-1": "n9" }, NOON, "n1").told({ "web-1": "n2" }, later, "n2");
    expect(sentences(fleet, world)).toEqual(["create web-1 on n1", "boot web-1 on n1"]);
  });

  test("lets them go once it is back and fenced", () => {
    const fleet = aFleet().node("n1").node("n9", { fenced: true }).vm("web-1");
    expect(sentences(fleet, fleet.empty().told({ "web-1": "n9" }, NOON, "n1").silent("n9"))[0]).toBe(
      "create web-1 on n1",
    );
  });

  test("what is told names new homes, and keeps what is not disproved", () => {
    const fleet = aFleet().nodes("n1").vm("here", { on: "n1" }).vm("lost").vm("new", { on: "n1" });
    const world = fleet.empty().has("here", "n1").told({ lost: "n9", gone: "n1", new: "n1" }, later);
    const told = whereaboutsFor(planOf(fleet, world), fleet.desired(), world.observed());
    expect(told).toEqual({
      fleet: "test",
      at: "2026-01-01T13:00:00.001Z",
      serial: 1,
      homes: { here: "n1", lost: "n9", new: "n1" },
      nodes: ["n1"],
      ids: { n1: "id-n1" },
    });
  });
});

describe("a node whose agent has another data folder", () => {
  const note = (over: Partial<Whereabouts> = {}) =>
    ({
      serial: 4,
      homes: { web: "n1", db: "n1" },
      nodes: ["n1", "n2"],
      ids: { n1: "before", n2: "id-n2" },
      ...over,
    }) as Partial<Whereabouts>;
  const fleet = aFleet().nodes("n1", "n2").vm("db").vm("web");
  const told = (world: WorldBuilder) => whereaboutsFor(planOf(fleet, world), fleet.desired(), world.observed());

  test("does not make the VMs that are missing from it look absent", () => {
    const world = fleet.empty().has("db", "n1").noted(note());
    expect(sentences(fleet, world)).toEqual([
      "unknown web: was last on n1, which has another data folder by now: start its agent with the one that it had, or say fenced: true of that Node for one apply if it is lost",
    ]);
  });

  test("is remembered as long as they are missing, however often it is told", () => {
    const first = told(fleet.empty().has("db", "n1").noted(note()));
    expect(first).toMatchObject({
      serial: 5,
      homes: { web: "n1", db: "n1" },
      ids: { n1: "id-n1" },
      missingSince: { web: "before" },
    });
    const again = fleet.empty().has("db", "n1").noted(first);
    expect(planOf(fleet, again).unknown.map(({ name }) => name)).toEqual(["web"]);
    expect(told(again)).toMatchObject({ serial: 6, missingSince: { web: "before" } });
    // Back with the data folder that it had: the VM is seen, and nothing is missing.
    expect(told(fleet.empty().has("db", "n1").has("web", "n1").noted(first)).missingSince).toBeUndefined();
  });

  test("lets them go when its Node is fenced, and when they were deleted there since", () => {
    const fenced = aFleet().node("n1", { fenced: true }).node("n2").vm("web");
    const world = fenced.empty().noted(note());
    expect(planOf(fenced, world).unknown).toEqual([]);
    expect(whereaboutsFor(planOf(fenced, world), fenced.desired(), world.observed()).missingSince).toBeUndefined();
    expect(planOf(fleet, fleet.empty().has("db", "n1").keeps("web", "n1", ["root"]).noted(note())).unknown).toEqual([]);
  });

  test("is as ever where nobody noted ids, or the same", () => {
    const { ids: _, ...before } = note();
    for (const known of [before, note({ ids: { [nodeName("n1")]: "id-n1" } })])
      expect(planOf(fleet, fleet.empty().has("db", "n1").noted(known)).unknown).toEqual([]);
  });
});

test("a VM whose guest its agent does not know is unknown, and nothing is planned for it", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("db").vm("web");
  const world = fleet.empty().has("db", "n1").holds("web", "n2");
  expect(sentences(fleet, world)).toEqual([
    "unknown web: is held on n2: process 4711 runs, and no record here knows of it",
  ]);
});

test("a VM without a name that can be read may be any that is seen nowhere", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("db").vm("web");
  const world = fleet.empty().has("db", "n1").namesNot("n2");
  expect(sentences(fleet, world)).toEqual([
    "unknown web: may be on n2, which reports a VM without a name that can be read",
  ]);
});

test("of two notes the higher serial counts, whatever the clocks said", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("web");
  const tomorrow = instant("2026-01-02T12:00:00.000Z");
  const note = (at: Instant, serial: number | undefined, home: string): Whereabouts =>
    ({ fleet: "test", at, homes: { web: home }, ...(serial === undefined ? {} : { serial }) }) as Whereabouts;
  const reports = (...notes: Whereabouts[]) => notes.map((each) => ({ whereabouts: [each] }) as unknown as NodeReport);
  const latest = (...notes: Whereabouts[]) => latestWhereabouts("test", reports(...notes))?.homes;
  expect(latest(note(tomorrow, 3, "n1"), note(NOON, 4, "n2"))).toEqual({ web: "n2" });
  expect(latest(note(tomorrow, undefined, "n1"), note(NOON, 1, "n2"))).toEqual({ web: "n2" });
  expect(latest(note(NOON, undefined, "n1"), note(tomorrow, undefined, "n2"))).toEqual({ web: "n2" });
  const world = fleet.empty().noted({ at: tomorrow, homes: { [vmName("web")]: nodeName("n9") } });
  expect(whereaboutsFor(planOf(fleet, world), fleet.desired(), world.observed()).serial).toBe(1);
});

describe("placement", () => {
  test("new VMs spread over the emptiest nodes", () => {
    const fleet = aFleet().nodes("n1", "n2", "n3").vm("a").vm("b").vm("c");
    const creates = sentences(fleet, fleet.empty()).filter((each) => each.startsWith("create"));
    expect(creates).toEqual(["create a on n1", "create b on n2", "create c on n3"]);
  });

  test("anti-affinity keeps twins apart, and says so when it cannot", () => {
    const rule = { match: { app: "web" }, per: "node", required: true };
    const twin = { labels: { app: "web" }, antiAffinity: [rule] };
    const fleet = aFleet().nodes("n1", "n2").vm("web-1", twin).vm("web-2", twin).vm("web-3", twin);
    const plan = planOf(fleet, fleet.empty());
    expect(plan.changes.map((each) => each.node)).toEqual(["n1", "n2"]);
    expect(plan.blocked).toMatchObject([
      {
        name: "web-3",
        code: "UNPLACEABLE",
        message: "web-3 (1 cpu, 1 GiB) fits nowhere: n1, n2: anti-affinity (app=web per node)",
      },
    ]);
  });

  test("a VM with one node to go to is placed before bigger ones that could take it from it", () => {
    const twin = { labels: { app: "web" }, antiAffinity: [{ match: { app: "web" }, per: "node", required: true }] };
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("big", { ...twin, cpus: { count: 2, max: 2 } })
      .vm("pinned", { ...twin, on: "n1" });
    expect(sentences(fleet, fleet.empty())).toEqual([
      "create big on n2",
      "create pinned on n1",
      "boot big on n2",
      "boot pinned on n1",
    ]);
  });

  test("a rule that others have also binds the newcomer", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("loner", { on: "n1", antiAffinity: [{ match: { app: "noisy" }, per: "node", required: true }] })
      .vm("noisy", { labels: { app: "noisy" } });
    expect(sentences(fleet, fleet.asDesired())[0]).toBe("create noisy on n2");
  });

  test("affinity keeps friends together", () => {
    const rule = { match: { app: "cache" }, per: "rack", required: true };
    const fleet = aFleet()
      .node("n1", { labels: { rack: "a" } })
      .node("n2", { labels: { rack: "b" } })
      .node("n3", { labels: { rack: "b" } });
    fleet.vm("cache", { on: "n2", labels: { app: "cache" } }).vm("web", { affinity: [rule] });
    expect(sentences(fleet, fleet.asDesired())[0]).toBe("create web on n3");
  });

  test("an explanation counts why each node was refused", () => {
    const fleet = aFleet()
      .node("n1", { cordoned: true })
      .node("n2", { memoryMiB: 512 })
      .node("n3")
      .vm("big", { nodes: ["n1", "n2"] });
    expect(planOf(fleet, fleet.empty()).blocked[0]?.message).toBe(
      "big (1 cpu, 1 GiB) fits nowhere: n1: cordoned; n2 (16 cpus, 512 MiB free): lacks room; n3: not allowed by its placement",
    );
  });

  test("a node in maintenance takes no newcomers while its window is open", () => {
    const window = (from: string, until: string) => ({
      from: instant(from),
      until: instant(until),
      reason: "new disks",
    });
    const fleet = (maintenance: Maintenance) =>
      aFleet().node("n1", { maintenance }).node("n2", { memoryMiB: 512 }).vm("old", { on: "n1" }).vm("web");
    const open = fleet(window("2026-01-01T12:00:00.000Z", "2026-01-01T12:00:00.001Z"));
    const plan = planOf(open, open.asDesired().lost("web", "n1"));
    expect(plan.blocked.find(({ name }) => name === "web")?.message).toBe(
      "web (1 cpu, 1 GiB) fits nowhere: n1: in maintenance until 2026-01-01 12:00 UTC (new disks); n2 (16 cpus, 512 MiB free): lacks room",
    );
    for (const closed of [
      window("2026-01-01T12:00:00.001Z", "2026-01-01T13:00:00.000Z"),
      window("2026-01-01T11:00:00.000Z", "2026-01-01T12:00:00.000Z"),
    ]) {
      const later = fleet(closed);
      expect(sentences(later, later.asDesired().lost("web", "n1"))[0]).toBe("create web on n1");
    }
  });

  test("what does not fit yet waits for what leaves", () => {
    const fleet = aFleet().node("n1", { memoryMiB: 1024 }).vm("new", { on: "n1" });
    const plan = planOf(fleet, fleet.empty().has("old", "n1"));
    expect(plan.steps.map(describeStep)).toEqual([
      "delete old from n1, keeping its disks",
      "create new on n1",
      "boot new on n1",
    ]);
    expect(plan.steps[1]?.after).toEqual([plan.steps[0]?.id]);
  });

  test("reserved memory is not for guests, overcommit is", () => {
    const tight = aFleet()
      .node("n1", { memoryMiB: 2048, reserved: { cpus: 0, memoryMiB: 1536 } })
      .vm("a", { on: "n1" });
    expect(planOf(tight, tight.empty()).blocked).toMatchObject([{ code: "UNPLACEABLE" }]);
    const loose = aFleet()
      .node("n1", { cpus: 1, overcommit: { cpus: 4, memory: 1 } })
      .vm("a", { on: "n1", cpus: { count: 4, max: 4 } });
    expect(planOf(loose, loose.empty()).blocked).toEqual([]);
  });

  test("growth that the node cannot hold is blocked where it is, not rebooted in vain", () => {
    const fleet = aFleet()
      .node("n1", { memoryMiB: 2048 })
      .vm("a", { on: "n1", memory: { sizeMiB: 4096, maxMiB: 4096 } });
    expect(planOf(fleet, fleet.empty().has("a", "n1"))).toMatchObject({
      steps: [],
      blocked: [{ name: "a", code: "UNPLACEABLE" }],
    });
  });

  test("a VM that comes back goes to its disks, or nowhere", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("db", { disks: [blank(64)] });
    const world = fleet.empty().has("x", "n2", { fleet: null }).keeps("db", "n2", ["data"], 7);
    const plan = planOf(fleet, world);
    expect(plan.steps).toMatchObject([{ kind: "createVm", node: "n2", generation: 8 }, { kind: "bootVm" }]);
    expect(plan.changes[0]?.reasons[0]?.text).toBe("it comes back to its disks on n2");
    const full = aFleet()
      .node("n1")
      .node("n2", { cordoned: true })
      .vm("db", { disks: [blank(64)] });
    expect(planOf(full, full.empty().keeps("db", "n2", ["data"])).blocked[0]?.message).toContain(
      "cannot go back to its disks, which are kept on n2",
    );
  });
});

describe("a first mistake", () => {
  const wrong = aSpec({ disks: [image("/nowhere/a.qcow2")] });
  const failed = { spec: wrong, phase: "stopped", reason: "/nowhere/a.qcow2 cannot be read" } as const;
  const mended = aFleet()
    .nodes("n1")
    .vm("web-1", { on: "n1", disks: [image("/images/a.qcow2")] });

  test("in the path of an image is corrected, because no disk was made from it", () => {
    const world = mended.empty().has("web-1", "n1", { ...failed, disks: [] });
    expect(sentences(mended, world)).toEqual(["update web-1 on n1", "boot web-1 on n1"]);
  });

  test("in a size can be made smaller, too", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1", disks: [blank(4)] });
    const spec = aSpec({ disks: [blank(4096)] });
    const world = fleet.empty().has("web-1", "n1", { spec, phase: "crashed", disks: [] });
    expect(sentences(fleet, world)).toEqual(["update web-1 on n1", "boot web-1 on n1"]);
  });

  test("does not overwrite a disk that was made, or may have been", () => {
    for (const said of [{ disks: ["root"] }, {}]) {
      const world = mended.empty().has("web-1", "n1", { ...failed, ...said });
      expect(sentences(mended, world)).toEqual([
        "blocked web-1: disk root exists and is never overwritten: it was made from /nowhere/a.qcow2, the manifest now says /images/a.qcow2",
      ]);
    }
  });
});

describe("what goes", () => {
  test("a VM that left git is deleted, its disks kept", () => {
    const fleet = aFleet().nodes("n1");
    expect(sentences(fleet, fleet.empty().has("old", "n1"))).toEqual(["delete old from n1, keeping its disks"]);
  });

  test("a protected VM stays although its manifest is gone", () => {
    const fleet = aFleet().nodes("n1");
    const plan = planOf(fleet, fleet.empty().has("db", "n1", { spec: aSpec({ protect: true }) }));
    expect(plan).toMatchObject({ steps: [], blocked: [{ name: "db", code: "PROTECTED" }], complete: false });
  });

  test("a quarter of the fleet is not deleted without being asked", () => {
    const fleet = aFleet().nodes("n1");
    const world = fleet.empty();
    for (let i = 0; i < 6; i++) world.has(`vm-${i}`, "n1");
    expect(planOf(fleet, world)).toMatchObject({ applyable: false, refusals: [{ code: "PLAN_REFUSED" }] });
    expect(planOf(fleet, world).refusals[0]?.message).toContain("6 of 6 VMs would be destroyed");
    expect(planOf(fleet, world, { allowDestroy: 6 })).toMatchObject({ applyable: true, refusals: [] });
    const tooFew = planOf(fleet, world, { allowDestroy: 5 });
    expect(tooFew.applyable).toBe(false);
    expect(tooFew.refusals[0]?.message).toContain("destroyed or replaced; --allow-destroy lets 5 go: vm-0");
  });

  test.each([
    // gone of size, allowed unasked
    [1, 1, true],
    [1, 2, true],
    [2, 2, false],
    [1, 3, true],
    [2, 3, false],
    [2, 6, true],
    [3, 6, false],
    [5, 6, false],
    [5, 14, false],
    [5, 15, true],
    [6, 15, false],
    [6, 60, true],
    [7, 60, false],
  ])("%i of %i VMs go unasked: %s", (gone, size, goes) => {
    const fleet = aFleet().nodes("n1");
    for (let i = gone; i < size; i++) fleet.vm(`vm-${i}`, { on: "n1", memory: { sizeMiB: 64, maxMiB: 64 } });
    const world = fleet.asDesired();
    for (let i = 0; i < gone; i++) world.has(`vm-${i}`, "n1");
    const plan = planOf(fleet, world);
    expect(plan.applyable).toBe(goes);
    if (!goes) {
      expect(plan.refusals).toMatchObject([
        { code: "PLAN_REFUSED", hint: expect.stringContaining(`--allow-destroy ${gone}`) },
      ]);
      expect(planOf(fleet, world, { allowDestroy: gone }).applyable).toBe(true);
    }
  });

  test("a fleet that says its own count is asked no more than that", () => {
    const fleet = aFleet()
      .nodes("n1")
      .policy({ destroyGuard: { percent: 10, count: 5 } });
    const world = fleet.empty();
    for (let i = 0; i < 5; i++) world.has(`vm-${i}`, "n1");
    expect(planOf(fleet, world).applyable).toBe(true);
  });

  test("a VM without local disks leaves none behind, and a file is one", () => {
    const moved = (disks: readonly Disk[], made: readonly string[]) => {
      const fleet = aFleet().nodes("n1", "n2").vm("web-1", { on: "n2", disks });
      const world = fleet.empty().has("web-1", "n1", { spec: aSpec({ disks }), disks: made });
      return planOf(fleet, world, { maxClass: "replace" }).changes[0]?.reasons[0]?.text;
    };
    const external = (url: string) => ({ name: "data", origin: { kind: "external", url }, readonly: false }) as const;
    const text = "its placement no longer allows n1, and it cannot be migrated (noop 1 on n1 does not send guests): ";
    expect(moved([], [])).toBe(`${text}it is deleted here and made anew elsewhere`);
    expect(moved([external("rbd://p/i")], [])).toBe(`${text}it is deleted here and made anew elsewhere`);
    expect(moved([blank(4)], [])).toBe(`${text}it is deleted here and made anew elsewhere`);
    expect(moved([external("file:///srv/a.raw")], [])).toBe(`${text}its local disk data stays behind`);
    expect(moved([blank(4), image("/i")], ["data", "root"])).toBe(`${text}its local disks data, root stay behind`);
  });

  test("a VM comes back to its files as to its disks", () => {
    const disks = [{ name: "data", origin: { kind: "external", url: "file:///srv/a.raw" }, readonly: false }] as const;
    const fleet = aFleet().nodes("n1", "n2").vm("web-1", { disks });
    const world = fleet.empty().keeps("web-1", "n2", []);
    expect(sentences(fleet, world)).toEqual(["create web-1 on n2", "boot web-1 on n2"]);
  });

  test("a VM whose node is no longer allowed is replaced only when that is asked for", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web", { on: "n2" });
    const world = fleet.empty().has("web", "n1", { generation: 3 });
    expect(planOf(fleet, world)).toMatchObject({
      applyable: false,
      refusals: [{ hint: expect.stringContaining("--max-class replace") }],
    });
    expect(sentences(fleet, world, { maxClass: "replace" })).toEqual([
      "delete web from n1, keeping its disks",
      "create web on n2",
      "boot web on n2",
    ]);
    expect(planOf(fleet, world, { maxClass: "replace" }).steps[1]).toMatchObject({ generation: 4 });
  });

  test("a budget refuses what is worse, and names it", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("a", { on: "n1", boot: { kind: "firmware", firmware: "default" } });
    const world = fleet.empty().has("a", "n1");
    expect(planOf(fleet, world, { maxClass: "live" }).refusals[0]?.message).toBe(
      "at most live is allowed: a would need reboot",
    );
  });

  test("two full nodes that swap guests: both leave before either arrives", () => {
    const fleet = aFleet()
      .node("n1", { memoryMiB: 1024 })
      .node("n2", { memoryMiB: 1024 })
      .vm("a", { on: "n2" })
      .vm("b", { on: "n1" });
    const world = fleet.empty().has("a", "n1").has("b", "n2");
    expect(sentences(fleet, world, { maxClass: "replace" }).slice(0, 2)).toEqual([
      "delete a from n1, keeping its disks",
      "delete b from n2, keeping its disks",
    ]);
  });

  test("the same swap in a group that allows one down at a time gives way instead of deadlocking", () => {
    const fleet = aFleet().group("g", 1).node("n1", { memoryMiB: 1024 }).node("n2", { memoryMiB: 1024 });
    fleet.vm("a", { on: "n2", group: "g" }).vm("b", { on: "n1", group: "g" });
    const world = fleet
      .empty()
      .has("a", "n1", { spec: aSpec({ group: "g" }) })
      .has("b", "n2", { spec: aSpec({ group: "g" }) });
    const plan = planOf(fleet, world, { maxClass: "replace" });
    expect(plan.blocked.map((each) => each.code)).toContain("UNPLACEABLE");
    expect(checkPlan(plan, fleet.desired(), world.observed())).toEqual([]);
  });
});

describe("groups and targets", () => {
  test("members of a group are rebooted one after another", () => {
    const fleet = aFleet().nodes("n1").group("web", 1);
    const world = fleet.empty();
    for (const name of ["a", "b", "c"]) {
      fleet.vm(name, { on: "n1", group: "web", cpus: { count: 2, max: 2 } });
      world.has(name, "n1", { spec: aSpec({ group: "web" }) });
    }
    const plan = planOf(fleet, world);
    const reboots = plan.steps.filter((step) => step.kind === "rebootVm");
    const updates = plan.steps.filter((step) => step.kind === "updateVm");
    expect(updates[1]?.after).toEqual([reboots[0]?.id]);
    expect(updates[2]?.after).toEqual([reboots[1]?.id]);
    expect(sentences(fleet, world)).toHaveLength(6);
  });

  test("a target narrows the plan to names, globs and labels", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web-1", { on: "n1" })
      .vm("web-2", { on: "n1" })
      .vm("db", { on: "n1", labels: { tier: "data" } });
    const creates = (targets: string[], excludes: string[] = []) =>
      planOf(fleet, fleet.empty(), { selection: { targets, excludes } }).changes.map((change) => change.name);
    expect(creates(["web-*"])).toEqual(["web-1", "web-2"]);
    expect(creates(["tier=data", "web-1"])).toEqual(["db", "web-1"]);
    expect(creates([], ["web-?"])).toEqual(["db"]);
    expect(planOf(fleet, fleet.empty(), { selection: { targets: ["db"], excludes: [] } }).complete).toBe(false);
  });

  test("a target that nothing answers to is refused, not empty", () => {
    const fleet = aFleet().nodes("n1").vm("web-1", { on: "n1" });
    expect(
      planOf(fleet, fleet.asDesired(), { selection: { targets: ["wbe-1"], excludes: [] } }).refusals,
    ).toMatchObject([{ code: "USAGE", message: "no VM answers to wbe-1" }]);
  });
});

test("same input, same plan, byte for byte, whatever the order of arrival", () => {
  const build = (names: string[]) => {
    const fleet = aFleet().nodes("n1", "n2", "n3");
    for (const name of names) fleet.vm(name, { disks: [blank(64)] });
    return JSON.stringify(planOf(fleet, fleet.empty()));
  };
  expect(build(["c", "a", "b"])).toBe(build(["a", "b", "c"]));
});

test("what one VM asks of a node says nothing of another's", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("a", { hypervisor: "qemu" }).vm("b").vm("c", { hypervisor: "propolis" });
  const plan = planOf(fleet, fleet.empty());
  expect(plan.changes.map(({ name, action }) => `${name} ${action}`)).toEqual(["b create"]);
  const [a, c] = plan.blocked.map((each) => each.message);
  expect(a).toContain("has no qemu (it has noop)");
  expect(c).toContain("has no propolis (it has noop)");
});

test("a VM of the name that is not ours is said to be whose it is", () => {
  const fleet = aFleet().nodes("n1").vm("a", { on: "n1" });
  const message = (owner: string | null) =>
    planOf(fleet, fleet.empty().has("a", "n1", { fleet: owner })).blocked[0]?.message;
  expect(message(null)).toBe("n1 already has a VM of this name, made by hand");
  expect(message("shop")).toBe("n1 already has a VM of this name, of the fleet shop");
});

test("a guest that a person paused by hand and may is as it should be", () => {
  const fleet = aFleet().nodes("n1").vm("a", { on: "n1", runStrategy: "Manual" });
  const world = fleet.empty().has("a", "n1", { spec: aSpec({ runStrategy: "Manual" }), phase: "paused" });
  expect(planOf(fleet, world)).toMatchObject({ changes: [], blocked: [], summary: { unchanged: 1 } });
});

test("a move is explained where the manifest says where the VM belongs", () => {
  const fleet = aFleet().nodes("n1", "n2").vm("a", { on: "n2" });
  const [reason] = planOf(fleet, fleet.empty().has("a", "n1"), { maxClass: "replace" }).changes[0]!.reasons;
  expect(reason?.source?.line).toBe("/spec/placement".length);
});
