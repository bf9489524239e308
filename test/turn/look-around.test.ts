/** What a plan asks nodes for, and what it becomes of the answers. */
import { expect, test } from "vitest";
import type { LookAnswer, LookQuestion } from "../../src/model/boot/boot-needs.ts";
import { questionKey } from "../../src/model/boot/boot-needs.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import type { NodeName } from "../../src/model/names.ts";
import type { ObservedState } from "../../src/model/observed-state.ts";
import type { Disk, Nic } from "../../src/model/vm-spec.ts";
import { checkPlan } from "../../src/plan/check-plan.ts";
import { makePlan } from "../../src/plan/make-plan.ts";
import type { Plan } from "../../src/plan/plan-document.ts";
import { describeStep } from "../../src/schedule/step.ts";
import { planLookingAhead } from "../../src/turn/look-around.ts";
import { ABLE, aFleet, aSpec, type FleetBuilder, type WorldBuilder } from "../support/a-fleet.ts";

type Answers = Readonly<Record<string, LookAnswer | null>>;

const FOUND: LookAnswer = { found: true };
const lost = (problem: string): LookAnswer => ({ found: false, problem });

/** The world on QEMU, each node answering as told; what is not told of is there. */
async function planWith(
  fleet: FleetBuilder,
  world: WorldBuilder,
  answers: Readonly<Record<string, Answers | Error>>,
): Promise<{ readonly plan: Plan; readonly said: string[]; readonly asked: string[] }> {
  const seen = onQemu(world.observed());
  const asked: string[] = [];
  const lookFor = (node: NodeName) => async (questions: readonly LookQuestion[]) => {
    const known = answers[node] ?? {};
    if (known instanceof Error) throw known;
    return questions.map((question) => {
      const key = questionKey(question);
      asked.push(`${node}: ${key}`);
      return known[key] === undefined ? FOUND : known[key];
    });
  };
  const desired = fleet.desired();
  const make = (observed: ObservedState) =>
    makePlan({
      ...{ desired, observed, source: "test", commit: null, selection: null },
      allowances: { maxClass: null, allowDestroy: null },
    });
  const agentOf = (node: NodeName) => ({ lookFor: lookFor(node) });
  const { plan, observed } = await planLookingAhead(seen, make, agentOf, new AbortController().signal);
  expect(checkPlan(plan, desired, observed)).toEqual([]);
  const said = [...plan.steps.map(describeStep), ...plan.blocked.map((each) => `blocked ${each.message}`)];
  return { plan, said, asked };
}

const onQemu = (observed: ObservedState): ObservedState => ({
  ...observed,
  nodes: observed.nodes.map((node) =>
    node.reach === "silent"
      ? node
      : {
          ...node,
          report: {
            ...node.report,
            hypervisors: (["qemu", "cloud-hypervisor"] as const).map((kind) => ({
              kind,
              version: "53.0.0",
              capabilities: ABLE,
            })),
          },
        },
  ),
});

const kernel = (path: string) => ({ kind: "kernel", kernel: path, initramfs: null, cmdline: "" }) as const;
const image = (path: string, sizeMiB = 64): Disk => ({
  name: "root",
  origin: { kind: "image", image: "deb", path, format: "qcow2", sizeMiB },
  readonly: false,
});
const file = (path: string, name = "data"): Disk => ({
  name,
  origin: { kind: "external", url: `file://${path}` },
  readonly: false,
});
const bridged = (bridge: string): Nic => ({
  ...{ name: "eth0", network: "front", mac: "52:54:00:00:00:01", address: null },
  attachment: { kind: "bridge", bridge },
});
const qemu = { hypervisor: "qemu" } as const;

test("a VM goes to the node that has its image and its bridge, and each is asked once", async () => {
  const fleet = aFleet()
    .nodes("n1", "n2", "n3")
    .vm("web-1", { ...qemu, disks: [image("/deb.qcow2")], nics: [bridged("br0")] });
  const { said, asked } = await planWith(fleet, fleet.empty(), {
    n1: { "image qcow2 /deb.qcow2": lost("/deb.qcow2 is not there") },
    n2: { "bridge br0": lost("there is no bridge br0") },
  });
  expect(said).toEqual(["create web-1 on n3", "boot web-1 on n3"]);
  expect(asked.length).toBe(new Set(asked).size);
});

test("a VM that no node can boot is blocked, and says why for each", async () => {
  const fleet = aFleet()
    .nodes("n1", "n2")
    .vm("web-1", { ...qemu, boot: kernel("/k") });
  const { said, plan } = await planWith(fleet, fleet.empty(), {
    n1: { "file /k": lost("/k is not there") },
    n2: { "file /k": lost("/k is not there") },
  });
  expect(plan.blocked[0]?.hint).toBe("put what is missing on the node, or correct its path in the manifests");
  expect(said).toEqual(["blocked web-1 (1 cpu, 1 GiB) fits nowhere: n1, n2: lacks its kernel: /k is not there"]);
});

const withFs = (socket: string, over: Readonly<Record<string, unknown>> = {}) => ({
  hypervisor: "cloud-hypervisor" as const,
  boot: kernel("/k"),
  passthrough: { fs: [{ tag: "share", socket }], ...over },
});

test("what the cloudHypervisor section names is asked for, and a VM goes where it is", async () => {
  const section = {
    memory: { shared: true },
    payload: { initramfs: "/initramfs" },
    disks: [
      { id: "raw", path: "/raw", readonly: true },
      { id: "far", vhost_user: true, vhost_socket: "/blk.sock" },
    ],
    net: [
      { id: "a", vhost_user: true, vhost_socket: "/in.sock" },
      { id: "b", vhost_user: true, vhost_socket: "/made.sock", vhost_mode: "Server" },
    ],
    pmem: [{ file: "/pmem" }],
    devices: [{ path: "/sys/bus/pci/devices/0000:01:00.0" }],
    vsock: { cid: 3, socket: "/made.vsock" },
    serial: { mode: "File", file: "/made.log" },
  };
  const fleet = aFleet().nodes("n1", "n2").vm("web-1", withFs("/fs.sock", section));
  const { said, asked } = await planWith(fleet, fleet.empty(), {
    n1: { "socket /fs.sock": lost("/fs.sock is not there") },
  });
  expect(said).toEqual(["create web-1 on n2", "boot web-1 on n2"]);
  expect(asked.filter((each) => each.startsWith("n2:")).sort()).toEqual([
    "n2: disk r /raw",
    "n2: file /initramfs",
    "n2: file /k",
    "n2: node /pmem",
    "n2: node /sys/bus/pci/devices/0000:01:00.0",
    "n2: socket /blk.sock",
    "n2: socket /fs.sock",
    "n2: socket /in.sock",
  ]);
});

test("a guest that runs is not held to the sockets it is connected to, but to the files it would boot from", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...withFs("/fs.sock", { memory: { shared: true }, payload: { initramfs: "/new" } }), on: "n1" });
  const world = fleet.empty().has("web-1", "n1", {
    spec: aSpec(withFs("/fs.sock", { memory: { shared: true }, payload: { initramfs: "/old" } })),
  });
  const { said, asked } = await planWith(fleet, world, { n1: { "file /new": lost("/new is not there") } });
  expect(said).toEqual([
    "blocked web-1 is left as it is, because n1 lacks the initramfs of payload: /new is not there",
  ]);
  expect(asked).not.toContain("n1: socket /fs.sock");
});

test("a wrong source does not stop a guest that runs", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", disks: [file("/wrong")] });
  const world = fleet.empty().has("web-1", "n1", { spec: aSpec({ ...qemu, disks: [file("/right")] }) });
  const { said, plan } = await planWith(fleet, world, { n1: { "disk rw /wrong": lost("/wrong is not there") } });
  expect(said).toEqual(["blocked web-1 is left as it is, because n1 lacks disk data: /wrong is not there"]);
  expect(plan.blocked[0]).toMatchObject({ code: "UNSUPPORTED", source: { file: "web-1.yaml" } });
});

test("of a live change only what it brings is asked about", async () => {
  const before = aSpec({ ...qemu, boot: kernel("/gone"), disks: [file("/a", "a")] });
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", boot: kernel("/gone"), disks: [file("/a", "a"), file("/b", "b")] });
  const world = fleet.empty().has("web-1", "n1", { spec: before });
  const { said, asked } = await planWith(fleet, world, { n1: { "file /gone": lost("/gone is not there") } });
  expect(asked).toEqual(["n1: disk rw /b"]);
  expect(said).toEqual(["update web-1 on n1"]);
});

test("a fleet that is as it should be, and one on noop, asks nothing", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("same", { ...qemu, on: "n1", boot: kernel("/k") })
    .vm("new", { on: "n1", boot: kernel("/k"), nics: [bridged("br0")] });
  const world = fleet.asDesired().lost("new", "n1");
  expect((await planWith(fleet, world, {})).asked).toEqual([]);
});

test("an agent of yesterday, and one that does not say, leave the plan as it was", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", boot: kernel("/k") });
  const expected = ["create web-1 on n1", "boot web-1 on n1"];
  const unknown = new OdoroboError("NOT_FOUND", "there is nothing at /v1/look");
  expect((await planWith(fleet, fleet.empty(), { n1: unknown })).said).toEqual(expected);
  expect((await planWith(fleet, fleet.empty(), { n1: { "file /k": null } })).said).toEqual(expected);
});

test("an image that is larger than its disk is told before it is copied", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", disks: [image("/deb.qcow2", 64)] });
  const { said } = await planWith(fleet, fleet.empty(), {
    n1: { "image qcow2 /deb.qcow2": { found: true, sizeMiB: 2048 } },
  });
  expect(said).toEqual([
    expect.stringContaining("n1: has an image of 2048 MiB for disk root, more than its size: /deb.qcow2"),
  ]);
});

test("a disk that was made is not asked for its image", async () => {
  const disks = [image("/deb.qcow2")];
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", disks });
  const world = fleet
    .empty()
    .has("web-1", "n1", { spec: aSpec({ ...qemu, disks }), phase: "stopped", disks: ["root"] });
  const { said, asked } = await planWith(fleet, world, {});
  expect(asked).toEqual([]);
  expect(said).toEqual(["boot web-1 on n1"]);
});

test("a plan that would reboot a guest into a missing file breaks a promise", async () => {
  const fleet = aFleet()
    .nodes("n1")
    .vm("web-1", { ...qemu, on: "n1", disks: [file("/wrong")] });
  const world = fleet.empty().has("web-1", "n1", { spec: aSpec({ ...qemu, disks: [file("/right")] }) });
  const observed = onQemu(world.observed());
  const desired = fleet.desired();
  const plan = makePlan({
    ...{ desired, observed, source: "test", commit: null, selection: null },
    allowances: { maxClass: null, allowDestroy: null },
  });
  const known = {
    ...observed,
    nodes: observed.nodes.map((node) => ({ ...node, looks: { "disk rw /wrong": lost("/wrong is not there") } })),
  } as ObservedState;
  expect(checkPlan(plan, desired, known)).toMatchObject([
    { promise: "no-surprise", message: "reboot web-1 on n1: the node lacks disk data: /wrong is not there" },
  ]);
});
