/**
 * What everything that speaks to Cloud Hypervisor leans on: every route in every state, and the stories behind. The same tests
 * hold for the double in each release that we support and, where one is on the PATH, for a real one: so the double cannot lie.
 */
import { once } from "node:events";
import { rename, stat, truncate, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Answer,
  aVmConfig,
  type CloudHypervisorForTests,
  cloudHypervisorForTests,
  type RunningCloudHypervisor,
  startCloudHypervisor,
} from "../../support/cloud-hypervisor.ts";
import { cloudHypervisorOpenApi } from "../../support/cloud-hypervisor-openapi.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

const MEBI = 1024 * 1024;

interface Subject {
  readonly name: string;
  readonly open: () => Promise<CloudHypervisorForTests>;
}

const DOUBLES = ["50.0", "51.0", "52.0", "53.0", "54.0"].map(
  (version): Subject => ({ name: `the double as ${version}`, open: () => cloudHypervisorForTests({ version }) }),
);
const REAL: readonly Subject[] = requires("the contract of Cloud Hypervisor on a real one", "cloud-hypervisor")
  ? [{ name: "a real one", open: () => cloudHypervisorForTests() }]
  : [];
const SUBJECTS = [...DOUBLES, ...REAL];
/** For stories whose every word is the same in all releases. */
const NEWEST_RELEASED = [...DOUBLES.slice(3, 4), ...REAL];

interface World extends AsyncDisposable {
  readonly hypervisor: CloudHypervisorForTests;
  readonly vmm: RunningCloudHypervisor;
  readonly release: number;
  readonly file: (name: string, bytes?: number) => Promise<string>;
}

async function aWorld(subject: Subject): Promise<World> {
  const hypervisor = await subject.open();
  const vmm = await startCloudHypervisor(hypervisor).catch(async () => {
    // Before 52 there is no --no-shutdown.
    return startCloudHypervisor(hypervisor, { noShutdown: false });
  });
  const { body } = await vmm.get("vmm.ping");
  return {
    hypervisor,
    vmm,
    release: Number((body as { readonly version: string }).version.split(".")[0]),
    async file(name, bytes = 4 * MEBI) {
      const path = join(vmm.folder, name);
      await writeFile(path, "");
      await truncate(path, bytes);
      return path;
    },
    async [Symbol.asyncDispose]() {
      await vmm[Symbol.asyncDispose]();
      await hypervisor[Symbol.asyncDispose]();
    },
  };
}

type State = "nothing" | "defined" | "running" | "paused";
const STATES: readonly State[] = ["nothing", "defined", "running", "paused"];

/** Brings the process there from wherever it is. One disk d0, no serial line (a defined VM leaves its socket's file behind). */
async function bringTo(state: State, { vmm, file }: World): Promise<void> {
  await vmm.put("vm.delete");
  if (state === "nothing") return;
  const disks = [{ id: "d0", path: await file("d0.raw"), image_type: "Raw" }];
  await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { serial: { mode: "Null" }, disks })));
  if (state === "defined") return;
  await succeeds(vmm.put("vm.boot"));
  if (state === "paused") await succeeds(vmm.put("vm.pause"));
}

async function succeeds(asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

/**
 * Whether the guest's state can be saved: not on a KVM that is itself in a guest and cannot give the state of nested ones.
 * Only ever false on a real one; such a host leaves the story out, and says so.
 */
async function canBeSaved({ vmm, hypervisor }: World): Promise<boolean> {
  if (!hypervisor.isReal) return true;
  await succeeds(vmm.put("vm.pause"));
  const tried = await vmm.put("vm.snapshot", { destination_url: "file:///proc/no-folder" });
  await succeeds(vmm.put("vm.resume"));
  const can = !JSON.stringify(tried.body).includes("GetNestedState");
  if (!can) console.warn("this host's KVM cannot save a guest: its migration is left out");
  return can;
}

/** What a connection is told before it asks; empty: nothing, it is served. */
function greeting(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.on("connect", () => socket.end());
  });
}

/** Statuses: by number where all releases agree, else by what they mean. */
type Outcome = 200 | 204 | 404 | "refused" | "no VM" | "unknown device" | "invalid" | "not unique";

function statusOf(outcome: Outcome, release: number): number {
  switch (outcome) {
    case "refused":
      return 500;
    case "no VM":
      return release >= 53 ? 404 : 500;
    case "unknown device":
      return release >= 54 ? 404 : 500;
    case "invalid":
      return release >= 54 ? 400 : 500;
    case "not unique":
      return release >= 54 ? 409 : 500;
    default:
      return outcome;
  }
}

interface Row {
  readonly route: string;
  readonly body?: (world: World) => Promise<unknown> | unknown;
  /** In the order of STATES. */
  readonly outcomes: readonly [Outcome, Outcome, Outcome, Outcome];
  /** Releases that have the route; the others answer 404. */
  readonly since?: number;
}

const adminOfNetwork = requires("NICs of a Cloud Hypervisor guest", "network-admin");

const ROWS: readonly Row[] = [
  { route: "vmm.ping", outcomes: [200, 200, 200, 200] },
  { route: "vm.info", outcomes: ["no VM", 200, 200, 200] },
  { route: "vm.counters", outcomes: ["refused", "refused", 200, 200] },
  {
    route: "vm.create",
    body: ({ vmm }) => aVmConfig(vmm.folder, { serial: { mode: "Null" } }),
    outcomes: [204, "refused", "refused", "refused"],
  },
  { route: "vm.delete", outcomes: [204, 204, 204, 204] },
  { route: "vm.boot", outcomes: ["no VM", 204, "refused", "refused"] },
  { route: "vm.pause", outcomes: ["refused", "refused", 204, "refused"] },
  { route: "vm.resume", outcomes: ["refused", "refused", "refused", 204] },
  { route: "vm.shutdown", outcomes: ["refused", "refused", 204, 204] },
  { route: "vm.reboot", outcomes: ["no VM", "no VM", 204, 204] },
  { route: "vm.power-button", outcomes: ["refused", "refused", 204, 204] },
  { route: "vm.nmi", outcomes: ["refused", "refused", 204, 204] },
  { route: "vm.resize", body: () => ({ desired_vcpus: 2 }), outcomes: ["no VM", 204, 204, 204] },
  {
    route: "vm.resize-zone",
    body: () => ({ id: "no-zone", desired_ram: 64 * MEBI }),
    outcomes: ["no VM", "refused", "refused", "refused"],
  },
  {
    route: "vm.resize-disk",
    body: () => ({ id: "d0", desired_size: 8 * MEBI }),
    outcomes: ["no VM", "refused", 204, 204],
  },
  {
    route: "vm.resize-disk",
    body: () => ({ id: "nope", desired_size: 8 * MEBI }),
    outcomes: ["no VM", "refused", "unknown device", "unknown device"],
  },
  {
    route: "vm.add-disk",
    body: async ({ file }) => ({ id: "d1", path: await file("d1.raw"), image_type: "Raw" }),
    outcomes: ["no VM", 204, 200, 200],
  },
  {
    route: "vm.add-disk",
    body: async ({ file }) => ({ id: "d0", path: await file("d1.raw"), image_type: "Raw" }),
    outcomes: ["no VM", "not unique", "not unique", "not unique"],
  },
  {
    route: "vm.add-disk",
    body: async ({ file }) => ({ id: "d1", path: await file("d1.raw"), num_queues: 9 }),
    outcomes: ["no VM", "invalid", "invalid", "invalid"],
  },
  {
    route: "vm.add-net",
    body: () => ({ id: "n0", tap: `chd${process.pid}`, mac: "52:54:00:00:00:01" }),
    outcomes: adminOfNetwork ? ["no VM", 204, 200, 200] : ["no VM", 204, "refused", "refused"],
  },
  {
    route: "vm.add-net",
    body: () => ({ id: "n0", num_queues: 1 }),
    outcomes: ["no VM", "invalid", "invalid", "invalid"],
  },
  {
    route: "vm.add-fs",
    body: ({ vmm }) => ({ id: "f0", tag: "t", socket: join(vmm.folder, "fs.sock"), num_queues: 1, queue_size: 1024 }),
    outcomes: ["no VM", "invalid", "invalid", "invalid"],
  },
  {
    route: "vm.add-generic-vhost-user",
    body: ({ vmm }) => ({ socket: join(vmm.folder, "vu.sock"), queue_sizes: [128], device_type: 26 }),
    outcomes: ["no VM", "invalid", "invalid", "invalid"],
    since: 52,
  },
  {
    route: "vm.add-pmem",
    body: async ({ file }) => ({ id: "p0", file: await file("pmem.raw") }),
    outcomes: ["no VM", 204, 200, 200],
  },
  {
    route: "vm.add-vdpa",
    body: () => ({ id: "va", path: "/dev/no-vhost-vdpa", num_queues: 1 }),
    outcomes: ["no VM", 204, "refused", "refused"],
  },
  {
    route: "vm.add-vsock",
    body: ({ vmm }) => ({ id: "v0", cid: 3, socket: join(vmm.folder, "vsock.sock") }),
    outcomes: ["no VM", 204, 200, 200],
  },
  {
    route: "vm.add-device",
    body: () => ({ id: "dev0", path: "/sys/bus/pci/devices/ffff:99:00.0" }),
    outcomes: ["no VM", 204, "refused", "refused"],
  },
  {
    route: "vm.add-user-device",
    body: ({ vmm }) => ({ socket: join(vmm.folder, "ud.sock") }),
    outcomes: ["no VM", "invalid", "invalid", "invalid"],
  },
  { route: "vm.remove-device", body: () => ({ id: "d0" }), outcomes: ["no VM", 204, 204, 204] },
  {
    route: "vm.remove-device",
    body: () => ({ id: "nope" }),
    outcomes: ["no VM", "unknown device", "unknown device", "unknown device"],
  },
  {
    route: "vm.remove-device",
    body: () => ({ id: "__serial" }),
    outcomes: ["no VM", "unknown device", "refused", "refused"],
  },
  {
    route: "vm.snapshot",
    body: ({ vmm }) => ({ destination_url: `file://${join(vmm.folder, "no-folder")}` }),
    outcomes: ["refused", "refused", "refused", "refused"],
  },
  {
    route: "vm.restore",
    body: ({ vmm }) => ({ source_url: `file://${join(vmm.folder, "no-folder")}` }),
    outcomes: ["refused", "refused", "refused", "refused"],
  },
  {
    route: "vm.coredump",
    body: ({ vmm }) => ({ destination_url: `file://${join(vmm.folder, "core")}` }),
    outcomes: [404, 404, 404, 404],
  },
  {
    route: "vm.receive-migration",
    body: () => ({ receiver_url: "nowhere" }),
    outcomes: ["refused", "refused", "refused", "refused"],
  },
  {
    route: "vm.send-migration",
    body: () => ({ destination_url: "nowhere" }),
    outcomes: ["refused", "refused", "refused", "refused"],
  },
];

/** Told by tests of their own: it ends the process. */
const TOLD_ELSEWHERE = ["vmm.shutdown"];

const openApi = cloudHypervisorOpenApi();
test.runIf(openApi !== null)("every route of the published description is called", () => {
  const called = new Set([...ROWS.map(({ route }) => route), ...TOLD_ELSEWHERE]);
  expect([...called].sort()).toEqual((openApi?.routes ?? []).map(({ name }) => name).sort());
});

describe.each(SUBJECTS)("every route in every state: $name", (subject) => {
  test("answers as the table says, and as the published description allows", async () => {
    await using world = await aWorld(subject);
    const wrong: string[] = [];
    for (const { route, body, outcomes, since = 0 } of ROWS) {
      for (const [index, state] of STATES.entries()) {
        await bringTo(state, world);
        const sent = await body?.(world);
        const isGet = ["vmm.ping", "vm.info", "vm.counters"].includes(route);
        const answer = await (isGet ? world.vmm.get(route) : world.vmm.put(route, sent));
        const outcome = world.release < since ? 404 : (outcomes[index] ?? "refused");
        const expected = statusOf(outcome, world.release);
        if (answer.status === expected) continue;
        wrong.push(
          `${route} ${JSON.stringify(sent)} when ${state}: ${answer.status} ${JSON.stringify(answer.body)}, not ${expected}`,
        );
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(STATES)("vmm.shutdown answers 200 and ends the process well, with %s", async (state) => {
    await using world = await aWorld(subject);
    await bringTo(state, world);
    expect(await world.vmm.put("vmm.shutdown")).toEqual({ status: 200, body: undefined });
    expect(await world.vmm.ended).toEqual({ code: 0, signal: null });
    await expect(stat(world.vmm.apiSocket)).rejects.toThrow("ENOENT");
  });
});

describe.each(NEWEST_RELEASED)("the words of $name", (subject) => {
  test("an error is a chain, the outermost first", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    expect((await vmm.put("vm.boot")).body).toEqual([
      "Error from API",
      "The VM could not boot",
      "VM config is missing",
    ]);
    expect((await vmm.get("vm.info")).body).toEqual([
      "Error from API",
      "The VM info is not available",
      "VM is not created",
    ]);
    await bringTo("running", world);
    expect((await vmm.put("vm.resume")).body).toEqual([
      "Error from API",
      "The VM could not resume",
      "Cannot resume VM",
      "Failed to resume migratable component",
      "Invalid transition: InvalidStateTransition(Running, Running)",
    ]);
    expect((await vmm.put("vm.remove-device", { id: "nope" })).body).toEqual([
      "Error from API",
      "The device could not be removed from the VM",
      "Error from device manager",
      "Failed to find device corresponding to the given identifier: nope",
    ]);
    const missing = join(vmm.folder, "missing.raw");
    expect((await vmm.put("vm.add-disk", { path: missing })).body).toEqual([
      "Error from API",
      "The disk could not be added to the VM",
      "Error from device manager",
      "Cannot open disk path",
      `I/O error (path=${missing} op=open)`,
      "No such file or directory (os error 2)",
    ]);
  });

  test("what is no request is told by the HTTP below", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    const body = `{"desired_ram":1,"fill":"${"x".repeat(51_200)}"}`;
    expect(await vmm.putWrong("vm.resize", JSON.parse(body))).toMatchObject({
      status: 400,
      body: expect.stringContaining("is larger than the limit of 51200"),
    });
    expect(await vmm.putWrong("vm.pause", {})).toEqual({ status: 400, body: ["Bad Request"] });
    expect(await vmm.putWrong("vm.resize", undefined)).toEqual({ status: 400, body: ["Bad Request"] });
    expect(await vmm.putWrong("vm.create", undefined)).toEqual({ status: 400, body: undefined });
    expect(await vmm.putWrong("vm.nope", {})).toEqual({ status: 404, body: ["Not Found"] });
    expect(await vmm.putWrong("vm.info", undefined)).toEqual({ status: 400, body: ["Bad Request"] });
    await bringTo("running", world);
    const answers = [
      await vmm.putWrong("vm.resize", { desired_vcpus: "2" }),
      await vmm.putWrong("vm.resize", { desired_vcpus: -1 }),
      await vmm.putWrong("vm.remove-device", {}),
      await vmm.putWrong("vm.add-disk", { path: "/x", image_type: "raw" }),
      await vmm.putWrong("vm.add-disk", { path: "/x", rate_limiter_config: { bandwith: {} } }),
      await vmm.putWrong("vm.add-net", { mac: "zz" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
    expect(
      answers.map(({ body }) => `${(body as string[])[0]}: ${(body as string[])[1]?.replace(/ at line.*/, "")}`),
    ).toEqual([
      'Failed to deserialize JSON: invalid type: string "2", expected u32',
      "Failed to deserialize JSON: invalid value: integer `-1`, expected u32",
      "Failed to deserialize JSON: missing field `id`",
      "Failed to deserialize JSON: unknown variant `raw`, expected one of `FixedVhd`, `Qcow2`, `Raw`, `Vhdx`, `Unknown`",
      "Failed to deserialize JSON: unknown field `bandwith`, expected `bandwidth` or `ops`",
      "Failed to deserialize JSON: The provided MAC address is invalid: parsing of zz into a MAC address failed",
    ]);
    // A field that nobody knows is no mistake.
    expect((await vmm.putWrong("vm.resize", { desired_vcpu: 2 })).status).toBe(204);
  });
});

describe.each(SUBJECTS)("stories: $name", (subject) => {
  test("vm.create checks nothing; a boot that fails early leaves the config, one that fails late leaves a VM that is in the way", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { cpus: { boot_vcpus: 4, max_vcpus: 2 } })));
    expect(await vmm.put("vm.boot")).toMatchObject({ status: statusOf("invalid", world.release) });
    expect(await vmm.info()).toMatchObject({ state: "Created" });
    expect((await vmm.info()).device_tree ?? null).toBeNull();
    await succeeds(vmm.put("vm.delete"));

    await succeeds(
      vmm.put(
        "vm.create",
        aVmConfig(vmm.folder, { serial: { mode: "Null" }, payload: { kernel: join(vmm.folder, "none") } }),
      ),
    );
    expect(await vmm.put("vm.boot")).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["Cannot open kernel file"]),
    });
    expect(await vmm.info()).toMatchObject({
      state: "Created",
      device_tree: expect.objectContaining({ __rng: expect.anything() }),
    });
    expect(await vmm.put("vm.boot")).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["VM is already created"]),
    });
    expect(vmm.events()).not.toContain("vm/booted");
    await succeeds(vmm.put("vm.shutdown"));
    expect((await vmm.info()).device_tree ?? null).toBeNull();
  });

  test("one image has one writer, wherever the other is", async () => {
    await using first = await aWorld(subject);
    await using second = await startCloudHypervisor(first.hypervisor, { noShutdown: first.release >= 52 });
    const disk = { id: "d0", path: await first.file("shared.raw"), image_type: "Raw" };
    await succeeds(first.vmm.put("vm.create", aVmConfig(first.vmm.folder, { disks: [disk] })));
    await succeeds(first.vmm.put("vm.boot"));
    await succeeds(second.put("vm.create", aVmConfig(second.folder, { disks: [disk] })));
    expect(await second.put("vm.boot")).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["Error locking disk images: Another instance likely holds a lock"]),
    });
    await succeeds(second.put("vm.shutdown"));
    await succeeds(first.vmm.put("vm.shutdown"));
    await succeeds(second.put("vm.boot"));
    expect(await first.vmm.put("vm.boot")).toMatchObject({ status: 500 });
  });

  test("what was left open is filled in, and shown", async () => {
    await using world = await aWorld(subject);
    const { vmm, release } = world;
    const path = await world.file("d.raw");
    const disks = [{ path }, { path: await world.file("e.raw"), readonly: true }];
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { disks, net: [{}] })));
    const before = (await vmm.info()).config as Record<string, Record<string, unknown>[]>;
    expect(before.net?.[0]?.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
    expect(before.rng).toMatchObject({ src: "/dev/urandom" });
    expect(before.cpus).toMatchObject({ boot_vcpus: 1, max_phys_bits: 46, nested: true });
    const disk = before.disks?.[0] ?? {};
    expect("id" in disk).toBe(release < 53);
    expect(disk).toMatchObject({ num_queues: 1, queue_size: 128, readonly: false });
    await succeeds(vmm.put("vm.delete"));

    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { disks, serial: { mode: "Null" } })));
    await succeeds(vmm.put("vm.boot"));
    const after = (await vmm.info()).config as Record<string, Record<string, unknown>[]>;
    expect(after.disks?.map(({ id }) => id)).toEqual(["_disk0", "_disk1"]);
    if (release >= 51) expect(after.disks?.map(({ image_type }) => image_type)).toEqual(["Raw", "Raw"]);
  });

  test("devices take slots in their order, or as they are told", async () => {
    await using world = await aWorld(subject);
    const { vmm, release } = world;
    const at = async (name: string, slot?: number) => ({
      id: name,
      path: await world.file(`${name}.raw`),
      image_type: "Raw",
      ...(slot === undefined ? {} : { pci_device_id: slot }),
    });
    await succeeds(
      vmm.put("vm.create", aVmConfig(vmm.folder, { disks: [await at("a", 9), await at("b"), await at("c", 1)] })),
    );
    await succeeds(vmm.put("vm.boot"));
    const tree = (await vmm.info()).device_tree ?? {};
    const slots = ["a", "b", "c", "__rng"].map((id) => tree[`_virtio-pci-${id}`]?.pci_bdf);
    const told = ["0000:00:09.0", "0000:00:02.0", "0000:00:01.0", "0000:00:03.0"];
    expect(slots).toEqual(release >= 52 ? told : ["0000:00:01.0", "0000:00:02.0", "0000:00:03.0", "0000:00:04.0"]);
    expect((await vmm.put("vm.add-disk", await at("e"))).body).toEqual({
      id: "e",
      bdf: release >= 52 ? "0000:00:04.0" : "0000:00:05.0",
    });
  });

  test("a removed device keeps its id until the guest lets go, or a reboot takes it away", async () => {
    await using world = await aWorld(subject);
    const { vmm, release } = world;
    // The tiny guest on a real one never ejects.
    const payload = { ...(aVmConfig(vmm.folder).payload as object), cmdline: "double-guest=never-eject" };
    const disk = { id: "late", path: await world.file("late.raw"), image_type: "Raw" };
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { payload })));
    await succeeds(vmm.put("vm.boot"));
    await succeeds(vmm.put("vm.add-disk", disk));
    await succeeds(vmm.put("vm.remove-device", { id: "late" }));
    const info = await vmm.info();
    expect((info.config.disks as unknown[] | undefined) ?? []).toEqual([]);
    expect(info.device_tree).toHaveProperty("late");
    expect(await vmm.put("vm.add-disk", disk)).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["Invalid identifier as it is not unique: late"]),
    });
    const again = await vmm.put("vm.remove-device", { id: "late" });
    expect(again.status).toBe(release === 53 ? 500 : 204);
    await succeeds(vmm.put("vm.reboot"));
    expect(vmm.events()).not.toContain("vm/device-removed");
    await succeeds(vmm.put("vm.add-disk", disk));
  });

  test("a vCPU that the guest keeps stands in the way of the next resize", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    const payload = { ...(aVmConfig(vmm.folder).payload as object), cmdline: "double-guest=keep-vcpus" };
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { payload, cpus: { boot_vcpus: 2, max_vcpus: 4 } })));
    await succeeds(vmm.put("vm.boot"));
    await succeeds(vmm.put("vm.resize", { desired_vcpus: 1 }));
    expect((await vmm.info()).config.cpus).toMatchObject({ boot_vcpus: 1 });
    expect(await vmm.put("vm.resize", { desired_vcpus: 3 })).toEqual({ status: 429, body: ["Too Many Requests"] });
    // As many as there still are: nothing to do, so nothing in the way.
    expect((await vmm.put("vm.resize", { desired_vcpus: 2 })).status).toBe(204);
    expect(await vmm.put("vm.resize", { desired_vcpus: 5 })).toMatchObject({ status: 429 });
  });

  test("ACPI memory grows in blocks while there is room, and shrinks at the next reboot only", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder)));
    await succeeds(vmm.put("vm.boot"));
    const ram = (mebi: number) => vmm.put("vm.resize", { desired_ram: mebi * MEBI });
    expect(await ram(129)).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["The requested hotplug memory addition is not a valid size"]),
    });
    expect((await ram(256)).status).toBe(204);
    expect((await ram(384)).status).toBe(204);
    expect(await ram(512)).toMatchObject({
      status: 500,
      body: expect.arrayContaining(["Not enough space in the hotplug RAM region"]),
    });
    expect((await ram(64)).status).toBe(204);
    expect((await vmm.info()).config.memory).toMatchObject({ size: 64 * MEBI });
    expect((await vmm.info()).memory_actual_size).toBe(64 * MEBI);
  });

  test("virtio-mem grows and shrinks in its own blocks, and refuses the size it has", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    const memory = { size: 128 * MEBI, hotplug_method: "VirtioMem", hotplug_size: 128 * MEBI };
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { memory })));
    await succeeds(vmm.put("vm.boot"));
    const ram = async (mebi: number) => {
      const { status, body } = await vmm.put("vm.resize", { desired_ram: mebi * MEBI });
      return status === 204
        ? 204
        : /identical|bigger|aligned|below boot size/.exec((body as string[]).at(-1) ?? "")?.[0];
    };
    expect(await ram(192)).toBe(204);
    expect((await vmm.info()).config.memory).toMatchObject({ size: 128 * MEBI, hotplugged_size: 64 * MEBI });
    expect(await ram(192)).toBe("identical");
    expect(await ram(193)).toBe("aligned");
    expect(await ram(512)).toBe("bigger");
    expect(await ram(64)).toBe("below boot size");
    expect(await ram(128)).toBe(204);
  });

  test("a raw disk grows, and is cut as readily", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    const path = await world.file("d.raw");
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { disks: [{ id: "d", path, image_type: "Raw" }] })));
    await succeeds(vmm.put("vm.boot"));
    await succeeds(vmm.put("vm.resize-disk", { id: "d", desired_size: 8 * MEBI }));
    expect((await stat(path)).size).toBe(8 * MEBI);
    await succeeds(vmm.put("vm.resize-disk", { id: "d", desired_size: 2 * MEBI }));
    expect((await stat(path)).size).toBe(2 * MEBI);
    expect((await vmm.put("vm.resize-disk", { id: "d", desired_size: 2 * MEBI + 1 })).status).toBe(500);
  });

  test("a boot or reboot that cannot open a disk leaves a config without any, and the next boot goes without", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    const here = { id: "here", path: await world.file("here.raw"), image_type: "Raw" };
    const gone = { id: "gone", path: join(vmm.folder, "gone.raw"), image_type: "Raw" };
    const disksNow = async () => ((await vmm.info()).config.disks as unknown[] | null | undefined) ?? [];
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { serial: { mode: "Null" }, disks: [here, gone] })));
    expect((await vmm.put("vm.boot")).status).toBe(500);
    expect(await disksNow()).toEqual([]);
    await succeeds(vmm.put("vm.delete"));

    await rename(await world.file("back.raw"), gone.path);
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder, { serial: { mode: "Null" }, disks: [here, gone] })));
    await succeeds(vmm.put("vm.boot"));
    await rename(gone.path, `${gone.path}.away`);
    expect((await vmm.put("vm.reboot")).status).toBe(500);
    expect(await vmm.info()).toMatchObject({ state: "Created" });
    expect(vmm.events().at(-1)).toBe("vm/rebooting");
    await succeeds(vmm.put("vm.boot"));
    expect((await vmm.info()).state).toBe("Running");
    expect(await disksNow()).toEqual([]);
  });

  test("a VM that was never booted leaves its serial socket behind, in the way of the next one", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder)));
    await succeeds(vmm.put("vm.delete"));
    const inTheWay = expect.arrayContaining(["Address already in use (os error 98)"]);
    expect(await vmm.put("vm.create", aVmConfig(vmm.folder))).toMatchObject({ status: 500, body: inTheWay });
    // It failed, and the config is there.
    expect(await vmm.info()).toMatchObject({ state: "Created" });
  });

  test("events are told in their order", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder)));
    for (const route of ["vm.boot", "vm.pause", "vm.resume", "vm.reboot", "vm.shutdown", "vm.delete"])
      await succeeds(vmm.put(route));
    await vmm.put("vmm.shutdown");
    await vmm.ended;
    expect(vmm.events()).toEqual([
      "vmm/starting",
      "vm/booting",
      "vm/booted",
      "vm/pausing",
      "vm/paused",
      "vm/resuming",
      "vm/resumed",
      "vm/rebooting",
      "vm/rebooted",
      "vm/shutdown",
      "vm/deleted",
      "vmm/shutdown",
    ]);
  });

  test("SIGTERM ends it well; after SIGKILL its socket lies there, and the next one takes the place", async () => {
    await using world = await aWorld(subject);
    const { vmm, hypervisor, release } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder)));
    await succeeds(vmm.put("vm.boot"));
    vmm.kill("SIGTERM");
    expect(await vmm.ended).toEqual({ code: 0, signal: null });
    expect(vmm.events().slice(-3)).toEqual(["vm/shutdown", "vm/deleted", "vmm/shutdown"]);
    await expect(stat(vmm.apiSocket)).rejects.toThrow("ENOENT");

    const options = { folder: vmm.folder, noShutdown: release >= 52 };
    await using second = await startCloudHypervisor(hypervisor, options);
    second.kill("SIGKILL");
    expect(await second.ended).toEqual({ code: null, signal: "SIGKILL" });
    expect((await stat(vmm.apiSocket)).isSocket()).toBe(true);
    await using third = await startCloudHypervisor(hypervisor, options);
    expect((await third.get("vmm.ping")).body).toMatchObject({ pid: third.pid });
  });

  test("a console that needs a file and has none kills the process", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    expect(await vmm.put("vm.create", aVmConfig(vmm.folder, { serial: { mode: "File" } }))).toMatchObject({
      status: 500,
      body: ["Error from API", "API response receive error", "receiving on a closed channel"],
    });
    expect(await vmm.ended).toEqual({ code: 1, signal: null });
  });

  test("an eleventh connection is sent away", async () => {
    await using world = await aWorld(subject);
    const held: Socket[] = [];
    try {
      for (let index = 0; index < 10; index++) {
        const socket = connect(world.vmm.apiSocket);
        held.push(socket);
        await once(socket, "connect");
      }
      expect(await greeting(world.vmm.apiSocket)).toMatch(/^HTTP\/1.1 503/);
    } finally {
      for (const socket of held) socket.destroy();
    }
    await until("there is room again", async () => (await greeting(world.vmm.apiSocket)) === "");
  });

  test("who waits for a migration is deaf, to SIGTERM too, until the sender has come and gone", async () => {
    await using world = await aWorld(subject);
    const { vmm, release } = world;
    const path = join(vmm.folder, "m.sock");
    const received = vmm.put("vm.receive-migration", { receiver_url: `unix:${path}` });
    if (release >= 52) await vmm.untilEvent("vm/migration-receive-ready");
    await until("it listens", () =>
      stat(path).then(
        (found) => found.isSocket(),
        () => false,
      ),
    );
    let pinged: Answer | null = null;
    const ping = vmm.get("vmm.ping").then((answer) => {
      pinged = answer;
    });
    vmm.kill("SIGTERM");
    // Everything that it does not block has long been answered by another.
    await using other = await startCloudHypervisor(world.hypervisor, { noShutdown: release >= 52 });
    await other.get("vmm.ping");
    expect(pinged).toBeNull();
    const sender = connect(path);
    sender.on("error", () => {});
    sender.end();
    expect((await received).status).toBe(500);
    await ping.catch(() => {});
    expect(await vmm.ended).toEqual({ code: 0, signal: null });
  });

  test("a running VM moves to another process: the source ends, the destination goes on", async () => {
    await using source = await aWorld(subject);
    await using destination = await startCloudHypervisor(source.hypervisor, { noShutdown: source.release >= 52 });
    await bringTo("running", source);
    if (!(await canBeSaved(source))) return;
    const url = `unix:${join(source.vmm.folder, "m.sock")}`;
    const received = destination.put("vm.receive-migration", { receiver_url: url });
    await until("it listens", () =>
      stat(url.slice(5)).then(
        (found) => found.isSocket(),
        () => false,
      ),
    );
    await succeeds(source.vmm.put("vm.send-migration", { destination_url: url }));
    await succeeds(received);
    expect((await destination.info()).state).toBe("Running");
    expect(await source.vmm.ended).toEqual({ code: 0, signal: null });
    if (source.release < 52) return;
    const events = source.vmm.events().filter((name) => !name.includes("iteration"));
    expect(events.slice(events.indexOf("vm/migration-started"))).toEqual([
      "vm/migration-started",
      "vm/pausing",
      "vm/paused",
      "vm/snapshotting",
      "vm/snapshotted",
      "vm/migration-finished",
      "vm/deleted",
      "vmm/shutdown",
    ]);
    expect(destination.events()).toEqual([
      "vmm/starting",
      "vm/migration-receive-ready",
      "vm/migration-receive-started",
      "vm/restoring",
      "vm/restored",
      "vm/resuming",
      "vm/resumed",
      "vm/migration-receive-finished",
    ]);
  });

  test("a migration to nobody fails, and the guest runs on", async () => {
    await using world = await aWorld(subject);
    const { vmm, release } = world;
    await bringTo("running", world);
    const { status } = await vmm.put("vm.send-migration", { destination_url: `unix:${join(vmm.folder, "nobody")}` });
    expect(status).toBe(release >= 53 ? 204 : 500);
    if (release >= 52) await vmm.untilEvent("vm/migration-failed");
    await until("it is changed again", async () => (await vmm.put("vm.pause")).status === 204);
    expect((await vmm.info()).state).toBe("Paused");
  });

  test("the serial line has one client, and loses it at a reboot", async () => {
    await using world = await aWorld(subject);
    const { vmm } = world;
    await succeeds(vmm.put("vm.create", aVmConfig(vmm.folder)));
    await succeeds(vmm.put("vm.boot"));
    const first = await vmm.serial();
    await first.says(/COUNTER \d+\r?\n/);
    const second = await vmm.serial();
    await until("the first was sent away", () => first.isClosed);
    await second.says(/COUNTER \d+\r?\n/);
    await succeeds(vmm.put("vm.reboot"));
    await until("the second was sent away", () => second.isClosed);
    const third = await vmm.serial();
    await third.says(/COUNTER \d+\r?\n/);
    await succeeds(vmm.put("vm.shutdown"));
    await expect(stat(join(vmm.folder, "serial.sock"))).rejects.toThrow("ENOENT");
  });
});
