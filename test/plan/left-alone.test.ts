/** What a plan must not touch, must not call unchanged, and must not change in passing. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instant, nodeName, vmName } from "../../src/model/names.ts";
import type { ImageBelow } from "../../src/model/observed-state.ts";
import type { Disk, Nic } from "../../src/model/vm-spec.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { aFleet, aSpec, NOON, type SeenInput } from "../support/a-fleet.ts";
import { anyTwoDiskUrls } from "../support/any-disk-url.ts";
import { planFor } from "../support/any-world.ts";
import { soundPlan } from "../support/sound-plan.ts";

const blank = (name: string): Disk => ({ name, origin: { kind: "blank", sizeMiB: 64 }, readonly: false });
const image = (name: string): Disk => ({
  name: "root",
  origin: { kind: "image", image: name, path: "/images/a.qcow2", format: "qcow2", sizeMiB: 64 },
  readonly: false,
});
const nic = (network: string): Nic => ({
  name: "eth0",
  network,
  attachment: { kind: "bridge", bridge: "br0" },
  mac: "02:00:00:00:00:01",
  address: null,
});

describe("ignored fields", () => {
  test("keep what the running guest has when another field is applied", () => {
    const input = { on: "n1", cpus: { count: 2, max: 4 }, labels: { a: "b" }, ignore: ["/spec/cpus/count"] };
    const fleet = aFleet().nodes("n1").vm("db", input);
    const world = fleet.empty().has("db", "n1", {
      spec: aSpec({ cpus: { count: 2, max: 4 } }),
      live: { cpus: { count: 4, max: 4 } },
    });
    const plan = soundPlan(fleet, world);
    expect(plan.changes).toMatchObject([{ class: "metadata" }]);
    expect(plan.changes[0]?.reasons.map((reason) => reason.field)).toEqual(["labels"]);
    expect(Object.values(plan.specs)[0]?.cpus).toEqual({ count: 4, max: 4 });
  });

  test("a disk that somebody attached and that is ignored is not detached by another change", () => {
    const input = { on: "n1", disks: [blank("root")], labels: { a: "b" }, ignore: ["/spec/disks/extra"] };
    const fleet = aFleet().nodes("n1").vm("db", input);
    const world = fleet.empty().has("db", "n1", {
      spec: aSpec({ disks: [blank("root")] }),
      live: { disks: [blank("root"), blank("extra")] },
    });
    expect(Object.values(soundPlan(fleet, world).specs)[0]?.disks.map((disk) => disk.name)).toEqual(["root", "extra"]);
  });
});

const LATER = instant("2026-01-01T13:00:00.000Z");

describe("a VM that was migrated by hand", () => {
  const migration = { role: "source", since: instant("2026-01-01T12:00:00.000Z"), url: "tcp:10.0.0.9:49152" } as const;
  const left = { phase: "stopped", endedBy: "operator", migration } as const;

  test("is not started where it left, while nobody who can be seen has it", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web", { on: "n1" });
    const plan = soundPlan(fleet, fleet.empty().has("web", "n1", left));
    expect(plan.steps).toEqual([]);
    expect(plan.unknown).toMatchObject([
      { name: "web", because: expect.stringContaining("was sent from n1 to tcp:10.0.0.9:49152 by hand") },
    ]);
  });

  test.each([
    ["n1", "n2"],
    ["n2", "n1"],
  ])("from %s to %s, lives where it arrived", (from, to) => {
    const fleet = aFleet().nodes("n1", "n2").vm("web");
    const plan = soundPlan(fleet, fleet.empty().has("web", from, left).has("web", to));
    expect(plan).toMatchObject({ steps: [], unknown: [] });
    const gone = aFleet().nodes("n1", "n2").vm("other");
    const removed = soundPlan(gone, gone.empty().has("web", from, left).has("web", to).has("other", "n1"));
    expect(removed.changes).toMatchObject([{ name: "web", node: to }]);
  });

  test("once it was deleted where it arrived, what it left on its way is no question any more", () => {
    const moved = (since: string) => ({
      ...left,
      migration: {
        role: "source",
        since: instant(since),
        url: "node n2",
        peer: nodeName("n2"),
        stage: "left",
      } as const,
    });
    const gone = aFleet().nodes("n1", "n2");
    const seen = (since: string) => gone.empty().has("web", "n1", moved(since)).keeps("web", "n2", ["data"]);
    expect(soundPlan(gone, seen("2026-01-01T11:00:00.000Z"))).toMatchObject({ unknown: [], steps: [] });
    // It left again after that deletion: nobody knows where it is.
    expect(soundPlan(gone, seen("2026-01-01T13:00:00.000Z")).unknown).toHaveLength(1);
  });

  test("a new one is made anywhere but where the name is still taken", () => {
    const migration = { role: "source", since: NOON, url: "node n2", peer: nodeName("n2"), stage: "left" } as const;
    const fleet = (on?: string) =>
      aFleet()
        .nodes("n1", "n2")
        .vm("web", on === undefined ? {} : { on });
    const world = fleet()
      .empty()
      .has("web", "n1", { ...left, migration })
      .keeps("web", "n2", [], 1, { deletedAt: LATER });
    expect(soundPlan(fleet(), world).steps.map(({ node }) => node)).toEqual(["n2", "n2"]);
    expect(soundPlan(fleet("n1"), world).blocked[0]?.message).toContain(
      "n1: keeps what it left there when it moved away (odorobo vm delete web --node n1 ends that)",
    );
  });

  test("what it left holds no room, and is made anew when the node that it went to is fenced", () => {
    const migration = { role: "source", since: NOON, url: "node n2", peer: nodeName("n2"), stage: "left" } as const;
    const one = aFleet().node("n1", { memoryMiB: 1024 }).nodes("n2").vm("new", { on: "n1" });
    const beside = one
      .empty()
      .has("web", "n1", { ...left, migration })
      .keeps("web", "n2", [], 1, { deletedAt: LATER });
    expect(soundPlan(one, beside).steps.map(({ vm }) => vm)).toEqual(["new", "new"]);

    const lost = aFleet().node("n1").node("n2", { fenced: true }).node("n3").vm("web");
    const world = lost
      .empty()
      .has("web", "n1", { ...left, migration })
      .silent("n2");
    expect(soundPlan(lost, world).steps.map(({ kind, node }) => `${kind} ${node}`)).toEqual([
      "createVm n3",
      "bootVm n3",
    ]);
  });

  test("where it left no disks its name is free, above the generation that it had there", () => {
    const migration = { role: "source", since: NOON, url: "node n2", peer: nodeName("n2"), stage: "left" } as const;
    const lost = aFleet().node("n1").node("n2", { fenced: true }).vm("web");
    const world = (bytes: number) =>
      lost
        .empty()
        .has("web", "n1", { ...left, generation: 7, migration, left: { bytes, until: LATER } })
        .silent("n2");
    const plan = soundPlan(lost, world(0));
    expect(plan.steps).toMatchObject([
      { kind: "createVm", node: "n1", generation: 8, expect: null },
      { kind: "bootVm" },
    ]);
    expect(soundPlan(lost, world(4096))).toMatchObject({ steps: [], blocked: [{ name: "web" }] });
  });

  test("is gone when the node that it went to answers, is the same, and has nothing of it any more", () => {
    const migration = { role: "source", since: NOON, url: "node n2", peer: nodeName("n2"), stage: "left" } as const;
    const fleet = aFleet().nodes("n1", "n2");
    const world = (at: string, id: string) =>
      fleet
        .empty()
        .has("web", "n1", { ...left, migration })
        .noted({ at: instant(at), homes: {}, ids: { [nodeName("n2")]: id } });
    const id = fleet
      .empty()
      .observed()
      .nodes.find(({ name }) => name === "n2");
    const own = id?.reach === "answered" ? id.report.node.id : "";
    expect(soundPlan(fleet, world("2026-01-01T13:00:00.000Z", own)).unknown).toEqual([]);
    // Another data folder, or nobody has looked since it left.
    expect(soundPlan(fleet, world("2026-01-01T13:00:00.000Z", "another")).unknown).toHaveLength(1);
    expect(soundPlan(fleet, world("2026-01-01T11:00:00.000Z", own)).unknown).toHaveLength(1);
  });

  test("is not deleted where it left while it may run elsewhere", () => {
    const fleet = aFleet().nodes("n1").vm("other", { on: "n1" });
    const plan = soundPlan(fleet, fleet.empty().has("web", "n1", left).has("other", "n1"));
    expect(plan.steps).toEqual([]);
  });
});

describe("a guest that its agent starts again", () => {
  const restart = { attempts: 2, nextAt: instant("2026-01-01T12:00:04.000Z"), givenUp: false };

  test("is booted by a plan that comes first, and the plan says that its agent would", () => {
    const fleet = aFleet().nodes("n1").vm("web", { on: "n1" });
    const plan = soundPlan(fleet, fleet.empty().has("web", "n1", { phase: "crashed", reason: "killed", restart }));
    expect(plan.steps.map((step) => step.kind)).toEqual(["bootVm"]);
    expect(plan.changes[0]?.reasons[0]?.text).toBe(
      "it should run and is crashed: killed; its agent starts it again at 2026-01-01T12:00:04.000Z, after 2 starts that did not last",
    );
  });

  test("and has given up on, is booted, and the plan says why it is off", () => {
    const fleet = aFleet().nodes("n1").vm("web", { on: "n1" });
    const reason = "killed; given up after 10 starts in a row that did not last";
    const given = { attempts: 10, nextAt: null, givenUp: true };
    const plan = soundPlan(fleet, fleet.empty().has("web", "n1", { phase: "crashed", reason, restart: given }));
    expect(plan.changes[0]?.reasons[0]?.text).toBe(`it should run and is crashed: ${reason}`);
  });
});

describe("a guest whose hypervisor does not answer", () => {
  test("is unknown, not unchanged", () => {
    const fleet = aFleet().nodes("n1").vm("web", { on: "n1" });
    const world = fleet.empty().has("web", "n1", { silent: true, reason: "its hypervisor does not answer" });
    const plan = soundPlan(fleet, world);
    expect(plan).toMatchObject({
      steps: [],
      complete: false,
      summary: { unchanged: 0, unknown: 1 },
      unknown: [{ kind: "VirtualMachine", name: "web", node: "n1" }],
    });
    expect(plan.unknown[0]?.because).toContain("its hypervisor does not answer");
  });

  test("can still be switched off", () => {
    const fleet = aFleet().nodes("n1").vm("web", { on: "n1", runStrategy: "Stopped" });
    const plan = soundPlan(fleet, fleet.empty().has("web", "n1", { silent: true }));
    expect(plan.steps.map((step) => step.kind)).toEqual(["shutdownVm", "updateVm"]);
  });
});

describe("the order of disks and NICs is what the guest boots from and how it names them", () => {
  test("exchanged disks are a change that needs a reboot, not one carried along unseen", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db", { on: "n1", disks: [blank("b"), blank("a")] });
    const world = fleet.empty().has("db", "n1", { spec: aSpec({ disks: [blank("a"), blank("b")] }) });
    const plan = soundPlan(fleet, world);
    expect(plan.changes).toMatchObject([
      { class: "reboot", reasons: [{ field: "disks", from: ["a", "b"], to: ["b", "a"] }] },
    ]);
  });

  test("a disk added between two others is only that", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db", { on: "n1", disks: [blank("a"), blank("c"), blank("b")] });
    const world = fleet.empty().has("db", "n1", { spec: aSpec({ disks: [blank("a"), blank("b")] }) });
    expect(soundPlan(fleet, world).changes).toMatchObject([{ class: "live", reasons: [{ field: "disks.c" }] }]);
  });

  test("an ignored disk that the manifest does not name stays in its place", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db", { on: "n1", disks: [blank("b")], ignore: ["/spec/disks/a"] });
    const world = fleet.empty().has("db", "n1", { spec: aSpec({ disks: [blank("a"), blank("b")] }) });
    expect(soundPlan(fleet, world).changes).toEqual([]);
  });
});

describe("another name for the same thing", () => {
  test("an Image that was renamed is metadata, and done once", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db", { on: "n1", disks: [image("debian-12")] });
    const before = fleet.empty().has("db", "n1", { spec: aSpec({ disks: [image("debian")] }) });
    expect(soundPlan(fleet, before).changes).toMatchObject([{ class: "metadata" }]);
    // The guest was booted under the old name, and a hypervisor knows no other.
    const after = fleet
      .empty()
      .has("db", "n1", { spec: aSpec({ disks: [image("debian-12")] }), live: { disks: [image("debian")] } });
    expect(soundPlan(fleet, after).changes).toEqual([]);
  });

  test("a Network that was renamed reboots nobody, and is done once", () => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("db", { on: "n1", nics: [nic("frontend")] });
    const before = fleet.empty().has("db", "n1", { spec: aSpec({ nics: [nic("front")] }) });
    expect(soundPlan(fleet, before).changes).toMatchObject([{ class: "metadata" }]);
    const after = fleet
      .empty()
      .has("db", "n1", { spec: aSpec({ nics: [nic("frontend")] }), live: { nics: [nic("front")] } });
    expect(soundPlan(fleet, after).changes).toEqual([]);
  });
});

describe("two fleets on the same nodes", () => {
  test("another fleet's VM of the same name on another node is not a second home of ours", () => {
    const fleet = aFleet()
      .nodes("n1", "n2")
      .vm("web", { on: "n2", labels: { a: "1" } });
    const world = fleet.empty().has("web", "n1", { fleet: "other" }).has("web", "n2");
    expect(soundPlan(fleet, world)).toMatchObject({ blocked: [], steps: [{ kind: "updateVm", node: "n2" }] });
  });

  test("two others' VMs of that name: ours is not made, and nobody is told to delete theirs", () => {
    const fleet = aFleet().nodes("n1", "n2").vm("web");
    const world = fleet.empty().has("web", "n1", { fleet: "other" }).has("web", "n2", { fleet: "third" });
    expect(soundPlan(fleet, world)).toMatchObject({ steps: [], blocked: [{ code: "FOREIGN" }] });
  });
});

test("a VM of ours whose record cannot be read is named although the manifests no longer do", () => {
  const fleet = aFleet().nodes("n1");
  const { at, nodes } = fleet.empty().told({ old: "n1" }).observed();
  const unreadable = ["old", "theirs"].map((name) => ({ name: vmName(name), problem: "it is not JSON" }));
  const observed = {
    at,
    nodes: nodes.map((node) => (node.reach === "silent" ? node : { ...node, report: { ...node.report, unreadable } })),
  };
  const plan = planFor(fleet.desired(), observed, { maxClass: null, allowDestroy: null });
  expect(checkPlan(plan, fleet.desired(), observed)).toEqual([]);
  expect(plan).toMatchObject({ steps: [], complete: false, unknown: [{ kind: "VirtualMachine", name: "old" }] });
});

test("a disk, a MAC or an address in another spelling plans nothing, and is not given in passing either", () => {
  fc.assert(
    fc.property(anyTwoDiskUrls, fc.boolean(), ([one, other], isLabelled) => {
      // The fleet's hypervisor has no such disks.
      fc.pre(![one, other].some(({ disk }) => disk.startsWith("nbd+unix")));
      const disk = (url: string): Disk => ({ name: "d", origin: { kind: "external", url }, readonly: false });
      const nics = (mac: string, address: string) => [{ ...nic("front"), mac, address }];
      const applied = aSpec({ disks: [disk(one.url)], nics: nics("02:00:00:00:00:AA", "FD00::1/64") });
      const labels = isLabelled ? { a: "b" } : {};
      const desired = { disks: [disk(other.url)], nics: nics("02:00:00:00:00:aa", "fd00:0::1/64"), labels };
      const fleet = aFleet()
        .nodes("n1")
        .vm("web", { on: "n1", ...desired });
      const plan = soundPlan(fleet, fleet.empty().has("web", "n1", { spec: applied }));
      const fields = plan.changes.flatMap((change) => change.reasons.map((reason) => reason.field));
      const isOther = one.disk !== other.disk;
      expect(fields.sort()).toEqual([...(isOther ? ["disks.d"] : []), ...(isLabelled ? ["labels"] : [])]);
      for (const spec of Object.values(plan.specs)) expect(spec.disks).toEqual([disk(isOther ? other.url : one.url)]);
    }),
  );
});

describe("the images below disks", () => {
  const problem = {
    code: "IMAGE_CHANGED",
    message: "disk root was made over A, and at P there is B now",
    hint: "put back A",
  } as const;
  const input = { on: "n1", disks: [image("deb")] };
  const has = (over: object, images: readonly ImageBelow[]) => {
    const fleet = aFleet()
      .nodes("n1")
      .vm("web", { ...input, ...over });
    return {
      fleet,
      world: (seen: SeenInput) =>
        fleet.empty().has("web", "n1", { spec: aSpec({ disks: [image("deb")] }), images, ...seen }),
    };
  };

  test("that are others now are no ground to boot on, and the agent's own words say so", () => {
    const { fleet, world } = has({}, [{ disk: "root", file: "/images/a.qcow2", problem }]);
    const plan = soundPlan(fleet, world({ phase: "stopped", endedBy: "operator" }));
    expect(plan.steps).toEqual([]);
    expect(plan.blocked).toMatchObject([
      { name: "web", code: "IMAGE_CHANGED", message: `n1: ${problem.message}`, hint: "put back A" },
    ]);
  });

  test("keep a guest from a reboot that it would not come back from, and from nothing else", () => {
    const images = [{ disk: "root", file: "/images/a.qcow2", problem }];
    const more = has({ memory: { sizeMiB: 2048, maxMiB: 2048 } }, images);
    expect(soundPlan(more.fleet, more.world({})).blocked).toMatchObject([{ code: "IMAGE_CHANGED" }]);
    const labels = has({ labels: { a: "b" } }, images);
    expect(soundPlan(labels.fleet, labels.world({})).changes).toMatchObject([{ class: "metadata" }]);
    const same = has({}, images);
    expect(soundPlan(same.fleet, same.world({})).steps).toEqual([]);
  });

  test("that a path no longer leads to are named where the VM is booted", () => {
    const { fleet, world } = has({}, [{ disk: "root", file: "/images/a-1.qcow2", pathNow: "/images/a-2.qcow2" }]);
    const [change] = soundPlan(fleet, world({ phase: "stopped", endedBy: "operator" })).changes;
    expect(change?.reasons[0]?.text).toContain("disk root stays over /images/a-1.qcow2, though");
  });
});
