/** An agent whose guests are on Cloud Hypervisor (the double): what its report says of what happens to them. */
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "undici";
import { expect, test } from "vitest";
import { createCloudHypervisor } from "../../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { vmName } from "../../../src/model/names.ts";
import type { VmReport } from "../../../src/model/observed-state.ts";
import type { Disk, VmSpec } from "../../../src/model/vm-spec.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { cloudHypervisorForTests, tellGuest } from "../../support/cloud-hypervisor.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const blank = (name: string, sizeMiB: number): Disk => ({ name, origin: { kind: "blank", sizeMiB }, readonly: false });

const aGuest = (over: Partial<VmSpec> = {}): VmSpec =>
  aSpec({
    hypervisor: "cloud-hypervisor",
    runStrategy: "Manual",
    boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" },
    disks: [blank("root", 2)],
    shutdownGraceSeconds: 10,
    ...over,
  });

type Settings = Parameters<typeof cloudHypervisorForTests>[0];

async function anAgentOnCloudHypervisor(settings: Settings = {}) {
  await using opened = new AsyncDisposableStack();
  const binary = opened.use(await cloudHypervisorForTests({ double: true, ...settings }));
  const allowed = opened.use(await aTempFolder());
  const supervisor = createSpawnSupervisor();
  const hypervisor = createCloudHypervisor({
    executable: binary.executable,
    seccomp: "true",
    landlock: false,
    tinyGuest: TINY_GUEST,
    clock: systemClock,
  });
  const agent = await anAgent({
    hypervisors: [hypervisor],
    supervisor,
    allowedRoots: [allowed.path],
    restartEveryMs: 60_000,
  });
  opened.use(agent);
  // Before the folders go: guests outlive their agent.
  opened.defer(async () => {
    for (const { name, pid } of (await agent.lifecycle.report(NEVER)).vms)
      if (pid !== null) await agent.shutdown(name, 0).catch(() => {});
  });
  const life = opened.move();
  return { agent, folder: allowed.path, [Symbol.asyncDispose]: () => life.disposeAsync() };
}

const vmOf = (agent: TestAgent): Promise<VmReport> => agent.vm("web-1");

async function running(agent: TestAgent, spec = aGuest()): Promise<number> {
  await agent.put("web-1", { spec });
  expect(await agent.boot("web-1")).toMatchObject({ error: null });
  const { phase, pid, drift } = await vmOf(agent);
  expect({ phase, drift }).toEqual({ phase: "running", drift: [] });
  return pid ?? -1;
}

const untilIs = (agent: TestAgent, wanted: Partial<VmReport>) =>
  until(
    `it is ${JSON.stringify(wanted)}`,
    async () => {
      const vm = (await vmOf(agent)) as unknown as Record<string, unknown>;
      return Object.entries(wanted).every(([key, value]) => vm[key] === value);
    },
    15_000,
  );

test("a guest is applied, booted, reported with what it takes, shut down by its button, and deleted", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent } = world;
  await running(agent);
  const { changeRules, live } = await vmOf(agent);
  expect(live).toMatchObject({ cpus: { count: 1, max: 4 }, disks: [blank("root", 2)] });
  expect(changeRules).toContainEqual(expect.objectContaining({ path: "cpus.count", change: "raise", class: "live" }));
  expect(await agent.shutdown("web-1", null)).toMatchObject({ error: null });
  expect(await vmOf(agent)).toMatchObject({
    phase: "stopped",
    endedBy: "operator",
    reason: expect.stringContaining("powered off when asked"),
    pid: null,
  });
  expect(await agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).toMatchObject({ error: null });
});

test("a guest that ignores its button is cut off", async () => {
  await using world = await anAgentOnCloudHypervisor({ knobs: { guest: { buttonMs: null } } });
  await running(world.agent);
  expect(await world.agent.shutdown("web-1", 0.3)).toMatchObject({ error: null });
  expect(await vmOf(world.agent)).toMatchObject({ phase: "stopped", reason: expect.stringContaining("cut off") });
});

test("what a guest does by itself is known, with what it said last", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent } = world;
  const pid = await running(agent);
  await tellGuest(pid, "panic");
  await until("the panic is known", async () => (await vmOf(agent)).lastEvent?.kind === "panic");
  await tellGuest(pid, "reboot");
  await until("the reboot is known", async () => (await vmOf(agent)).lastEvent?.kind === "reboot");
  expect(await vmOf(agent)).toMatchObject({ phase: "running", drift: [], pid });
  const told = agent.lifecycle.events.since(0).events.map(({ message }) => message);
  expect(told.filter((message) => message.includes("reboot"))).toEqual(["web-1: the guest rebooted"]);
  await tellGuest(pid, "power-off");
  await untilIs(agent, { phase: "stopped" });
  expect(await vmOf(agent)).toMatchObject({ endedBy: "guest", lastEvent: { kind: "power-off" }, pid: null });
});

test("a guest whose process is killed has crashed", async () => {
  await using world = await anAgentOnCloudHypervisor();
  process.kill(await running(world.agent), "SIGKILL");
  await untilIs(world.agent, { phase: "crashed" });
  expect(await vmOf(world.agent)).toMatchObject({ endedBy: "failure", reason: expect.stringContaining("SIGKILL") });
});

test("an agent that is started again finds its guest as it was, and what befell it meanwhile", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent } = world;
  const pid = await running(agent);
  await agent.restart();
  expect(await vmOf(agent)).toMatchObject({ phase: "running", drift: [], pid });
  const rebooted = tellGuest(pid, "reboot");
  await agent.restart();
  await rebooted;
  await until("the reboot is known", async () => (await vmOf(agent)).lastEvent?.kind === "reboot");
  expect(await vmOf(agent)).toMatchObject({ phase: "running", drift: [], pid });
});

test.each(["51.0", "53.0"])(
  "on v%s a guest that powers off while no agent is there has ended by itself",
  async (version) => {
    await using world = await anAgentOnCloudHypervisor({ version, knobs: { guest: { buttonMs: 0 } } });
    const { agent } = world;
    await running(agent, aGuest({ boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "" } }));
    const { pid } = await vmOf(agent);
    // It ends between two agents: asked while one is there, done when the next one looks.
    const off = tellGuest(pid ?? -1, "power-off");
    await agent.restart();
    await off;
    await untilIs(agent, { phase: "stopped" });
    expect(await vmOf(agent)).toMatchObject({ endedBy: "guest", lastEvent: { kind: "power-off" } });
  },
);

test("a boot that fails says why, leaves no process, and the next one succeeds", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent, folder } = world;
  const passthrough = { disks: [{ id: "data", path: join(folder, "no.raw"), image_type: "Raw" }] };
  await agent.put("web-1", { spec: aGuest({ passthrough }) });
  const { error } = await agent.boot("web-1");
  expect(error?.message).toMatch(/No such file/);
  expect(await vmOf(agent)).toMatchObject({
    phase: "crashed",
    pid: null,
    reason: expect.stringMatching(/No such file/),
  });
  await agent.put("web-1", { generation: 2, spec: aGuest() });
  expect(await agent.boot("web-1")).toMatchObject({ error: null });
});

test("what is changed by hand is drift, and a change of the spec is made live", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent } = world;
  await running(agent);
  await agent.operate("web-1", { kind: "resize", cpus: 2, memoryMiB: null, balloonMiB: null, disk: null });
  expect((await vmOf(agent)).drift).toEqual([{ path: "cpus.count", applied: 1, live: 2 }]);
  const body = new TextEncoder().encode(JSON.stringify({ desired_vcpus: 3 }));
  await agent.lifecycle.raw("web-1" as never, { method: "PUT", path: "vm.resize", body }, AbortSignal.timeout(60_000));
  expect((await vmOf(agent)).drift).toEqual([{ path: "cpus.count", applied: 1, live: 3 }]);
  await agent.put("web-1", {
    generation: 2,
    spec: aGuest({ cpus: { count: 4, max: 4 }, disks: [blank("root", 4), blank("data", 1)] }),
  });
  expect(await vmOf(agent)).toMatchObject({ phase: "running", drift: [], live: { cpus: { count: 4 } } });
});

test("a snapshot by hand, and the VM from it again", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent, folder } = world;
  await running(agent);
  const snapshot = join(folder, "snapshot");
  expect(await agent.operate("web-1", { kind: "snapshot", folder: snapshot })).toMatchObject({ error: null });
  expect(await readdir(snapshot)).toContain("state.json");
  expect(await vmOf(agent)).toMatchObject({ phase: "running" });
  await agent.shutdown("web-1", 0);
  expect(await agent.operate("web-1", { kind: "restore", folder: snapshot })).toMatchObject({ error: null });
  expect(await vmOf(agent)).toMatchObject({ phase: "running", drift: [] });
});

test.each([
  [
    "a disk of somebody else's",
    (config: Config) => ({ ...config, disks: [{ ...config.disks[0], path: "/etc/shadow" }] }),
  ],
  [
    "one that leaves its folder",
    (config: Config, own: string) => ({ ...config, tpm: { socket: `${own}/../../other/x` } }),
  ],
  ["a field that nobody here knows", (config: Config) => ({ ...config, later: { deep: ["file:///etc/shadow"] } })],
])("a snapshot that names %s is not restored", async (_, change) => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent, folder } = world;
  await running(agent);
  const snapshot = join(folder, "snapshot");
  await agent.operate("web-1", { kind: "snapshot", folder: snapshot });
  await agent.shutdown("web-1", 0);
  const file = join(snapshot, "config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify(change(config, join(agent.dataFolder, "vms/web-1/disks"))));
  const restored = await agent.operate("web-1", { kind: "restore", folder: snapshot });
  expect(restored).toMatchObject({ outcome: "failed", error: { code: "PATH_NOT_ALLOWED" }, after: { pid: null } });
  await writeFile(file, JSON.stringify(config));
  expect(await agent.operate("web-1", { kind: "restore", folder: snapshot })).toMatchObject({ error: null });
});

interface Config {
  readonly disks: readonly object[];
}

test.each(["while the agent looks", "while no agent is there"])(
  "a guest that somebody sends away past odorobo, %s, is not started here as well",
  async (when) => {
    await using world = await anAgentOnCloudHypervisor();
    const { agent } = world;
    const spec = aGuest({
      runStrategy: "Always",
      disks: [],
      passthrough: { serial: { mode: "Null", socket: null } },
    });
    await running(agent, spec);
    await agent.put("web-2", { spec });
    const { detail } = await agent.operate("web-2", { kind: "migrate-receive", url: null });
    if (when === "while no agent is there") await agent.lifecycle[Symbol.asyncDispose]();
    const past = new Client("http://localhost", {
      connect: { socketPath: join(agent.runFolder, "vms/web-1/ch.sock") },
    });
    const answer = await past.request({
      method: "PUT",
      path: "/api/v1/vm.send-migration",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ destination_url: detail?.url }),
    });
    expect(answer.statusCode).toBeLessThan(300);
    await past.destroy();
    if (when === "while no agent is there") {
      await until("it is gone", () => !existsSync(join(agent.runFolder, "vms/web-1/ch.sock")));
      await agent.restart();
    }
    await untilIs(agent, { phase: "stopped" });
    const { restart, migration, reason } = await vmOf(agent);
    expect(reason).toContain("another host");
    expect(restart).toBeUndefined();
    expect(migration).toMatchObject({ role: "source" });
    await expect(agent.boot("web-1")).rejects.toMatchObject({ code: "WRONG_PHASE" });
    await until("it runs there", async () => (await agent.vm("web-2")).phase === "running");
  },
);

test("no disk is cut, also not by Cloud Hypervisor's own API", async () => {
  await using world = await anAgentOnCloudHypervisor();
  const { agent } = world;
  await running(agent);
  const disk = join(agent.dataFolder, "vms/web-1/disks/root.raw");
  const resize = (bytes: number) =>
    agent.lifecycle.raw(
      vmName("web-1"),
      {
        method: "PUT",
        path: "vm.resize-disk",
        body: Buffer.from(JSON.stringify({ id: "root", desired_size: bytes })),
      },
      NEVER,
    );
  for (const bytes of [0, 512, 2 * 1024 * 1024 - 512])
    await expect(resize(bytes)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  expect((await stat(disk)).size).toBe(2 * 1024 * 1024);
  expect((await resize(4 * 1024 * 1024)).status).toBe(204);
  expect((await stat(disk)).size).toBe(4 * 1024 * 1024);
});
