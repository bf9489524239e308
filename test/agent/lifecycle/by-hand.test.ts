/** What people do to a running guest past its spec: it shows as drift, and the paths they name stay below the allowed roots. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GuestAbilities, Hypervisor, RawRequest } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { vmName } from "../../../src/model/names.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { anAgent, aSpec, NEVER, type TestAgent, withProcess } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });

async function aGuest(options: Parameters<typeof anAgent>[0] = {}, annotations: Record<string, string> = {}) {
  const folder = await aTempFolder();
  const root = join(folder.path, "allowed");
  await mkdir(root);
  const agent = await anAgent({ allowedRoots: [root], processes: true, ...options });
  await agent.put("web-1", { spec: aSpec({ annotations }) });
  await agent.boot("web-1");
  return {
    agent,
    root,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const resize = (agent: TestAgent, what: object) =>
  agent.operate("web-1", { kind: "resize", cpus: null, memoryMiB: null, balloonMiB: null, disk: null, ...what });

test("resized by hand, the guest has it and the spec does not: drift, that the next agent sees too", async () => {
  await using world = await aGuest();
  const { agent } = world;
  const result = await resize(agent, { cpus: 3, memoryMiB: 256, disk: { name: "root", sizeMiB: 128 } });
  expect(result).toMatchObject({ outcome: "done", after: { generation: 1, spec: { cpus: { count: 1 } } } });
  expect(result.after?.live).toMatchObject({ cpus: { count: 3 }, memory: { sizeMiB: 256 } });
  const paths = result.after?.drift.map((each) => each.path);
  expect(paths).toEqual(["cpus.count", "memory.size", "disks.root"]);
  await agent.restart();
  expect(await agent.vm("web-1")).toEqual(result.after);
  expect((await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 })).after?.drift).toEqual([]);
});

test("what the guest has no room for is refused, and says what there is", async () => {
  await using world = await aGuest();
  await expect(resize(world.agent, { cpus: 5 })).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: "web-1 was booted with room for 4 vCPUs",
  });
  await expect(resize(world.agent, { memoryMiB: 1024 })).rejects.toEqual(gives("UNSUPPORTED"));
  await expect(resize(world.agent, { disk: { name: "root", sizeMiB: 1 } })).rejects.toEqual(gives("UNSUPPORTED"));
  await expect(resize(world.agent, { disk: { name: "none", sizeMiB: 1 } })).rejects.toEqual(gives("NOT_FOUND"));
  await expect(resize(world.agent, {})).rejects.toEqual(gives("BAD_REQUEST"));
});

test("what the hypervisor leaves undone is a failure for who asked by hand", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  const lazy: Hypervisor = {
    ...withProcess(noop),
    async connect(vm, options) {
      return Object.assign(await noop.connect(vm, options), { update: async () => {} });
    },
  };
  await using world = await aGuest({ hypervisors: [lazy] });
  expect(await resize(world.agent, { cpus: 2 })).toMatchObject({
    outcome: "failed",
    error: { code: "UNSUPPORTED", message: "web-1 took not all of it while it runs: it has 1 vCPUs, not 2" },
  });
});

test("a disk and a NIC are attached and detached; what was attached is known by its name afterwards", async () => {
  await using world = await aGuest();
  const { agent, root } = world;
  await writeFile(join(root, "extra.raw"), "");
  const origin = { kind: "external", url: `file://${root}/extra.raw` } as const;
  const nic = {
    name: "eth9",
    network: "x",
    attachment: { kind: "none" },
    mac: "52:54:00:00:00:09",
    address: null,
  } as const;
  const disk = { name: "extra", origin, readonly: false };
  await agent.operate("web-1", { kind: "attach", device: { list: "disks", disk } });
  await agent.operate("web-1", { kind: "attach", device: { list: "nics", nic } });
  const { drift, live } = await agent.vm("web-1");
  expect(drift.map((each) => each.path)).toEqual(["disks.extra", "nics.eth9"]);
  expect(live?.disks.at(-1)).toEqual(disk);
  const other = { ...disk, readonly: true };
  await expect(agent.operate("web-1", { kind: "attach", device: { list: "disks", disk: other } })).rejects.toEqual(
    gives("BAD_REQUEST"),
  );
  expect(await agent.operate("web-1", { kind: "attach", device: { list: "disks", disk } })).toMatchObject({
    outcome: "done",
  });
  await agent.restart();
  expect((await agent.vm("web-1")).drift).toEqual(drift);
  await agent.operate("web-1", { kind: "detach", device: { list: "disks", name: "extra" } });
  const last = await agent.operate("web-1", { kind: "detach", device: { list: "nics", name: "eth9" } });
  expect(last).toMatchObject({ outcome: "done", after: { drift: [] } });
  await expect(agent.operate("web-1", { kind: "detach", device: { list: "nics", name: "eth9" } })).rejects.toEqual(
    gives("NOT_FOUND"),
  );
});

test("a disk of the agent's own is made for it", async () => {
  await using world = await aGuest();
  const disk = { name: "scratch", origin: { kind: "blank", sizeMiB: 8 }, readonly: false } as const;
  await world.agent.operate("web-1", { kind: "attach", device: { list: "disks", disk } });
  expect(await readdir(join(world.agent.dataFolder, "vms/web-1/disks"))).toContain("scratch.raw.placeholder");
});

test("disks are taken only from where the agent may take them", async () => {
  await using world = await aGuest();
  for (const url of ["file:///etc/shadow", `file://${world.root}/../x`, `file://${world.root}%2f..%2f..%2fx`]) {
    const disk = { name: "extra", origin: { kind: "external", url }, readonly: false } as const;
    await expect(world.agent.operate("web-1", { kind: "attach", device: { list: "disks", disk } })).rejects.toThrow();
  }
  const path = "/etc/shadow";
  const origin = { kind: "image", image: "x", path, format: "raw", sizeMiB: 1 } as const;
  const disk = { name: "extra", origin, readonly: false };
  await expect(world.agent.operate("web-1", { kind: "attach", device: { list: "disks", disk } })).rejects.toEqual(
    gives("PATH_NOT_ALLOWED"),
  );
  expect((await world.agent.vm("web-1")).drift).toEqual([]);
});

test("a snapshot is written to an empty folder, and a VM that is off starts from it", async () => {
  await using world = await aGuest();
  const { agent, root } = world;
  const folder = join(root, "snap");
  await resize(agent, { cpus: 2 });
  expect(await agent.operate("web-1", { kind: "snapshot", folder })).toMatchObject({ outcome: "done" });
  expect((await stat(folder)).mode & 0o077).toBe(0);
  expect((await agent.vm("web-1")).phase).toBe("running");
  await expect(agent.operate("web-1", { kind: "snapshot", folder })).rejects.toEqual(gives("BAD_REQUEST"));
  await expect(agent.operate("web-1", { kind: "snapshot", folder: "/tmp/elsewhere" })).rejects.toEqual(
    gives("PATH_NOT_ALLOWED"),
  );
  await expect(agent.operate("web-1", { kind: "restore", folder })).rejects.toEqual(gives("WRONG_PHASE"));
  await agent.shutdown("web-1", 0);
  await expect(agent.operate("web-1", { kind: "restore", folder: join(root, "none") })).rejects.toEqual(
    gives("BAD_REQUEST"),
  );
  const restored = await agent.operate("web-1", { kind: "restore", folder });
  expect(restored).toMatchObject({ outcome: "done", after: { phase: "running" } });
  // As it was then, not as the spec has it.
  expect(restored.after?.drift).toMatchObject([{ path: "cpus.count", applied: 1, live: 2 }]);
});

test("a snapshot that fails leaves no folder behind that was not there", async () => {
  await using world = await aGuest({}, { "noop.odorobo.dev/fail": "snapshot" });
  const { agent, root } = world;
  await mkdir(join(root, "kept"));
  for (const folder of ["new", "far/away/new", "kept"])
    expect(await agent.operate("web-1", { kind: "snapshot", folder: join(root, folder) })).toMatchObject({
      outcome: "failed",
    });
  expect(await readdir(root)).toEqual(["kept"]);
});

test("a guest that an agent left standing in the middle of a snapshot runs on with the next", async () => {
  await using world = await aGuest();
  const { agent, root } = world;
  const record = join(agent.dataFolder, "vms/web-1/record.json");
  await agent.lifecycle[Symbol.asyncDispose]();
  const unfinished = { id: "s", kind: "snapshot", graceSeconds: null, begunAt: "2026-01-01T12:00:00.000Z" };
  await editRecord(record, { unfinished });
  const file = join(agent.runFolder, "vms/web-1/guest.json");
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), phase: "paused" }));
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "running" });
  expect(await agent.operate("web-1", { kind: "snapshot", folder: join(root, "x"), id: "s" })).toMatchObject({
    outcome: "failed",
    error: { code: "OPERATION_INTERRUPTED" },
  });
});

test("a memory dump is written to a file that is not there yet", async () => {
  await using world = await aGuest();
  const { agent, root } = world;
  const file = join(root, "dump");
  expect(await agent.operate("web-1", { kind: "coredump", file })).toMatchObject({ outcome: "done" });
  expect((await stat(file)).size).toBeGreaterThan(0);
  await expect(agent.operate("web-1", { kind: "coredump", file })).rejects.toEqual(gives("BAD_REQUEST"));
  const elsewhere = { kind: "coredump", file: "/tmp/../etc/dump" } as const;
  await expect(agent.operate("web-1", elsewhere)).rejects.toEqual(gives("PATH_NOT_ALLOWED"));
});

test("an interrupt reaches the guest; one that fails is a failure; an agent without the ability says so", async () => {
  await using world = await aGuest();
  expect(await world.agent.operate("web-1", { kind: "nmi" })).toMatchObject({ outcome: "done" });
  const console = await readFile(join(world.agent.dataFolder, "vms/web-1/logs/console.log"), "utf8");
  expect(console).toContain("NOOP-NMI web-1");
  await using failing = await aGuest({}, { "noop.odorobo.dev/fail": "nmi" });
  expect(await failing.agent.operate("web-1", { kind: "nmi" })).toMatchObject({ outcome: "failed" });
  await using unable = await aGuest({ hypervisors: [withAbilities({})] });
  expect(await unable.agent.operate("web-1", { kind: "nmi" })).toMatchObject({ error: { code: "UNSUPPORTED" } });
  await expect(unable.agent.lifecycle.counters(vmName("web-1"), NEVER)).rejects.toEqual(gives("UNSUPPORTED"));
});

test("counters are the hypervisor's", async () => {
  await using world = await aGuest();
  await resize(world.agent, { balloonMiB: 32 });
  expect(await world.agent.lifecycle.counters(vmName("web-1"), NEVER)).toMatchObject({
    guest: { balloonMiB: 32 },
    root: { sizeMiB: 64 },
  });
  await world.agent.shutdown("web-1", 0);
  await expect(world.agent.lifecycle.counters(vmName("web-1"), NEVER)).rejects.toEqual(gives("WRONG_PHASE"));
  await expect(world.agent.lifecycle.counters(vmName("none"), NEVER)).rejects.toEqual(gives("NOT_FOUND"));
});

function withAbilities(abilities: GuestAbilities): Hypervisor {
  const noop = createNoopHypervisor({ clock: systemClock });
  return {
    ...withProcess(noop),
    async connect(vm, options) {
      return Object.assign(await noop.connect(vm, options), { abilities });
    },
  };
}

const raw = (path: string, over: Partial<RawRequest> = {}): RawRequest => ({
  method: "PUT",
  path,
  body: null,
  ...over,
});

/** A hypervisor whose own API answers `status`, and does `act` to the guest's file. */
async function aRawWorld(status: number, act: (agent: TestAgent) => Promise<void> = async () => {}) {
  const ready: { agent?: TestAgent } = {};
  const asked: RawRequest[] = [];
  const hypervisor = withAbilities({
    async raw(request) {
      asked.push(request);
      if (ready.agent && request.method !== "GET") await act(ready.agent);
      return { status, contentType: null, body: new Uint8Array() };
    },
  });
  const world = await aGuest({ hypervisors: [hypervisor] });
  ready.agent = world.agent;
  return { ...world, asked };
}

const edit = (change: (guest: Record<string, unknown>) => object) => async (agent: TestAgent) => {
  const file = join(agent.runFolder, "vms/web-1/guest.json");
  await writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, "utf8")))));
};

test("what the hypervisor's own API changes is seen when it answers", async () => {
  await using world = await aRawWorld(
    204,
    edit((guest) => ({ ...guest, live: { ...(guest.live as object), cpus: { count: 4, max: 4 } } })),
  );
  const answer = await world.agent.lifecycle.raw(vmName("web-1"), raw("vm.resize"), NEVER);
  expect(answer.status).toBe(204);
  expect((await world.agent.vm("web-1")).drift).toMatchObject([{ path: "cpus.count", live: 4 }]);
  await world.agent.lifecycle.raw(vmName("web-1"), raw("vm.info", { method: "GET" }), NEVER);
  expect(world.asked.map((each) => each.path)).toEqual(["vm.resize", "vm.info"]);
});

test("a guest that somebody ends past odorobo is not started again, also by the next agent", async () => {
  await using world = await aRawWorld(
    204,
    edit((guest) => ({ ...guest, phase: "off" })),
  );
  const { agent } = world;
  await agent.lifecycle.raw(vmName("web-1"), raw("vmm.shutdown"), NEVER);
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", endedBy: "operator" });
  expect((await agent.vm("web-1")).restart).toBeUndefined();
  await agent.boot("web-1");
  await agent.lifecycle.raw(vmName("web-1"), raw("vm.info", { method: "GET" }), NEVER);
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: 1, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
  // Only looked at, so it is the agent's again.
  expect((await agent.vm("web-1")).restart).toMatchObject({ attempts: 0 });
});

test("a guest that may have moved past odorobo is not started here by anybody", async () => {
  await using world = await aRawWorld(204);
  const { agent } = world;
  await agent.lifecycle.raw(vmName("web-1"), raw("vm.send-migration", { mayMove: true }), NEVER);
  await agent.restart();
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: 0, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "stopped");
  expect(await agent.vm("web-1")).toMatchObject({ endedBy: "operator", migration: { role: "source" } });
  await expect(agent.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
});

test("a call that blocks holds up nobody's look", async () => {
  let release = () => {};
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  await using world = await aRawWorld(204, () => blocked);
  const { agent } = world;
  const asked = agent.lifecycle.raw(vmName("web-1"), raw("vm.receive-migration"), NEVER);
  await until("it is under way", () => world.asked.length === 1);
  expect((await agent.lifecycle.report(NEVER)).vms).toMatchObject([{ phase: "running" }]);
  expect((await agent.vm("web-1")).phase).toBe("running");
  release();
  expect((await asked).status).toBe(204);
});

test("a call that the hypervisor refuses leaves the guest the agent's", async () => {
  await using world = await aRawWorld(500);
  const { agent } = world;
  await agent.lifecycle.raw(vmName("web-1"), raw("vm.send-migration", { mayMove: true }), NEVER);
  expect((await agent.vm("web-1")).migration).toBeUndefined();
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: 1, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
  expect((await agent.vm("web-1")).restart).toMatchObject({ attempts: 0 });
});

test("a call whose answer got lost is not made again by itself: it may have been done", async () => {
  const asked: string[] = [];
  await using world = await aGuest({
    hypervisors: [
      withAbilities({
        async raw({ path }) {
          asked.push(path);
          if (asked.length === 1) throw new OdoroboError("HYPERVISOR_UNAVAILABLE", "it broke off");
          return { status: 204, contentType: null, body: new Uint8Array() };
        },
      }),
    ],
  });
  const { raw: ask } = world.agent.lifecycle;
  await expect(ask(vmName("web-1"), raw("vm.reboot"), NEVER)).rejects.toEqual(gives("HYPERVISOR_UNAVAILABLE"));
  expect(asked).toEqual(["vm.reboot"]);
});
