import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { vmName } from "../../../src/model/names.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, NEVER, withProcess } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

test.each([{ processes: true }, { processes: false }])(
  "guests live on while the agent is away ($processes)",
  async (options) => {
    await using agent = await anAgent(options);
    for (const name of ["web-1", "web-2", "web-3"]) {
      await agent.put(name);
      if (name !== "web-3") await agent.boot(name);
    }
    await agent.operate("web-2", { kind: "pause" });
    const before = await agent.lifecycle.report(NEVER);
    await agent.restart();
    const after = await agent.lifecycle.report(NEVER);
    expect(after.vms).toEqual(before.vms);
    expect(after.vms.map((vm) => vm.phase)).toEqual(["running", "paused", "stopped"]);
    expect((await agent.shutdown("web-1")).after?.reason).toBe("it powered off when asked");
    expect((await agent.shutdown("web-2")).after?.phase).toBe("stopped");
    expect(agent.processes.running()).toEqual([]);
  },
);

test("a guest that was changed live is recognised as what it is now", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  const data = { name: "data", origin: { kind: "blank", sizeMiB: 8 }, readonly: false } as const;
  const { disks } = aSpec();
  const { after } = await agent.put("web-1", {
    generation: 2,
    spec: aSpec({ cpus: { count: 2, max: 4 }, disks: [...disks, data] }),
  });
  expect(after?.drift).toEqual([]);
  await agent.restart();
  expect(await agent.vm("web-1")).toEqual(after);
});

test("a process that died while the agent was away is a crash", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  const booted = await agent.boot("web-1");
  const table = agent.processes;
  await agent.lifecycle[Symbol.asyncDispose]();
  table.end(booted.after?.pid as number, { code: null, signal: "SIGKILL" });
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "crashed",
    endedBy: "failure",
    reason: "its process ended while the agent was away",
    serial: (booted.after?.serial as number) + 1,
  });
});

test("a guest that was changed while the agent was away has drifted", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const { after } = await agent.boot("web-1");
  await agent.lifecycle[Symbol.asyncDispose]();
  const guest = { phase: "paused", bootedAt: 0, live: { ...after?.live, cpus: { count: 4, max: 4 } } };
  await writeFile(join(agent.runFolder, "vms/web-1/guest.json"), JSON.stringify(guest));
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "paused",
    reason: "paused by someone else",
    drift: [{ path: "cpus.count" }],
  });
});

test.each([{ processes: true }, { processes: false }])(
  "after a restart of the host its guests are off, and none is started ($processes)",
  async (options) => {
    await using agent = await anAgent(options);
    await agent.put("web-1");
    await agent.boot("web-1");
    await agent.rebootHost();
    expect(await agent.vm("web-1")).toMatchObject({
      phase: "stopped",
      endedBy: "failure",
      reason:
        "the host was restarted; whether another node of fleet shop runs it by now is not known here: it waits for the next apply",
      lastEvent: { kind: "host-reboot" },
      serial: 3,
      pid: null,
    });
    expect(agent.processes.running()).toEqual([]);
    expect((await agent.boot("web-1")).after).toMatchObject({ phase: "running", endedBy: null, reason: null });
  },
);

test("a guest that does not answer its new agent is not touched, and is asked again", async () => {
  const clock = aClock();
  let mute = false;
  const noop = createNoopHypervisor({ clock });
  const moody: Hypervisor = {
    ...withProcess(noop),
    async connect(vm, options) {
      if (mute) throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `${vm.name} does not answer`);
      return noop.connect(vm, options);
    },
  };
  await using agent = await anAgent({ processes: true, hypervisors: [moody] });
  await agent.put("web-1");
  const { after } = await agent.boot("web-1");
  mute = true;
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "running",
    live: null,
    reason: "web-1 does not answer",
    pid: after?.pid,
    serial: after?.serial,
  });
  expect(agent.processes.running().length).toBe(1);
  // Not "off": it runs, and nobody can be let in.
  expect((await agent.lifecycle.serial(vmName("web-1"))).absence).toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: "web-1 runs, but has no console: web-1 does not answer",
  });
  expect(await agent.boot("web-1")).toMatchObject({ noop: true });
  mute = false;
  expect(await agent.vm("web-1")).toEqual(after);
  mute = true;
  await agent.restart();
  expect((await agent.shutdown("web-1", 0.1)).after).toMatchObject({
    phase: "stopped",
    reason: "cut off: its power button could not be pressed",
  });
  expect(agent.processes.running()).toEqual([]);
});

test("a guest that dies right after the agent found it is noticed", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  const booted = await agent.boot("web-1");
  await agent.restart();
  agent.processes.end(booted.after?.pid as number, { code: 1, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
});

test("the run folder wiped under a noop guest: killed", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  await agent.lifecycle[Symbol.asyncDispose]();
  await rm(agent.runFolder, { recursive: true });
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "crashed", endedBy: "failure" });
});

test("a probe that was not answered yet goes on with the next agent", async () => {
  await using agent = await anAgent();
  const ready = { kind: "serial", pattern: "login:", timeoutSeconds: 0.05 } as const;
  await agent.put("web-1", { spec: aSpec({ ready, annotations: { "noop.odorobo.dev/ready-delay": "1h" } }) });
  expect(await agent.boot("web-1")).toMatchObject({ outcome: "failed" });
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "running", ready: false });
  const { log } = await agent.lifecycle.serial("web-1" as never);
  await writeFile(log as string, "login:", { flag: "a" });
  expect((await agent.vm("web-1")).readySince).toBeUndefined();
  await until("it is ready", async () => (await agent.vm("web-1")).ready === true);
  // Long after its boot.
  const { since, readySince } = await agent.vm("web-1");
  expect(Date.parse(readySince ?? "")).toBeGreaterThan(Date.parse(since));
});
