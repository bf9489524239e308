/** Guests that end by themselves are started again, with patience that ends; what an operator ended is not. Time is the test's. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  delayMs,
  LASTED_MS,
  MAX_ATTEMPTS,
  restartAfterEnd,
} from "../../../src/agent/lifecycle/guest/restart-policy.ts";
import type { Parts } from "../../../src/agent/lifecycle/parts/parts.ts";
import { Slot } from "../../../src/agent/lifecycle/parts/slot.ts";
import { afterReboot } from "../../../src/agent/lifecycle/recovery/after-reboot.ts";
import { Restarts } from "../../../src/agent/lifecycle/recovery/restarts.ts";
import { parseRecord } from "../../../src/agent/store/record-text.ts";
import type { VmRecord } from "../../../src/agent/store/vm-record.ts";
import { openVmStore, type VmStore } from "../../../src/agent/store/vm-store.ts";
import { digestOf } from "../../../src/model/digest.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { instant, nodeName, vmName } from "../../../src/model/names.ts";
import { GUEST_EVENT_KINDS } from "../../../src/model/observed-state.ts";
import { RUN_STRATEGIES, type VmSpec } from "../../../src/model/vm-spec.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const NOON = instant("2026-01-01T12:00:00.000Z");

async function aRunningVm(over: Partial<VmSpec> = {}, fleet: string | null = "shop"): Promise<TestAgent> {
  const agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec(over), fleet });
  await agent.boot("web-1");
  return agent;
}

/** As `kill -9` of its process. */
async function crash(agent: TestAgent): Promise<void> {
  for (const { pid } of agent.processes.running()) agent.processes.end(pid, { code: null, signal: "SIGKILL" });
  await until("it is noticed", async () => !["running", "starting"].includes((await agent.vm("web-1")).phase));
}

const runs = (agent: TestAgent) => async () => (await agent.vm("web-1")).phase === "running";

/** Long enough for many looks at what is due. */
async function looks(agent: TestAgent): Promise<void> {
  const before = agent.clock.looks;
  const restart = (await agent.vm("web-1")).restart;
  if (restart?.nextAt) await until("it was looked at what is due", () => agent.clock.looks > before + 4);
  else for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test("a guest that crashed is started again when its delay has passed, and not before", async () => {
  await using agent = await aRunningVm();
  const before = agent.clock.now();
  await crash(agent);
  const down = await agent.vm("web-1");
  expect(down).toMatchObject({
    phase: "crashed",
    endedBy: "failure",
    lastEvent: { kind: "crash" },
    restart: { attempts: 0, givenUp: false },
  });
  const nextAt = Date.parse(down.restart?.nextAt ?? "");
  expect(nextAt - Date.parse(before)).toBeGreaterThanOrEqual(delayMs(0));
  await looks(agent);
  expect((await agent.vm("web-1")).phase).toBe("crashed");
  agent.clock.advance(delayMs(0));
  await until("it runs again", runs(agent));
  expect(await agent.vm("web-1")).toMatchObject({
    endedBy: null,
    reason: null,
    lastEvent: { kind: "crash" },
    restart: { attempts: 1, nextAt: null, givenUp: false },
  });
  expect(agent.processes.running().length).toBe(1);
  const told = agent.lifecycle.events.since(0).events.map((event) => event.message);
  expect(told.some((message) => message.includes("SIGKILL") && message.includes("start 1 of at most 10"))).toBe(true);
  expect(told).toContain("web-1 is started again");
});

test("each start that does not last doubles the delay, and after ten the agent gives up and says so", async () => {
  await using agent = await aRunningVm();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    await crash(agent);
    const { restart, since } = await agent.vm("web-1");
    expect(restart).toMatchObject({ attempts: attempt, givenUp: false });
    expect(Date.parse(restart?.nextAt ?? "") - Date.parse(since)).toBe(delayMs(attempt));
    agent.clock.advance(delayMs(attempt));
    await until("it runs again", runs(agent));
  }
  await crash(agent);
  const given = await agent.vm("web-1");
  expect(given).toMatchObject({ phase: "crashed", restart: { attempts: 10, nextAt: null, givenUp: true } });
  expect(given.reason).toMatch(/SIGKILL.*given up after 10 starts in a row that did not last/);
  agent.clock.advance(10 * LASTED_MS);
  await agent.restart();
  await looks(agent);
  expect(agent.processes.running()).toEqual([]);
  // Who asks gets a new beginning.
  await agent.boot("web-1");
  expect((await agent.vm("web-1")).restart).toBeUndefined();
  await crash(agent);
  expect((await agent.vm("web-1")).restart).toMatchObject({ attempts: 0, givenUp: false });
});

test("a guest that has lasted is like any other, without anything having happened to it", async () => {
  await using agent = await aRunningVm();
  await crash(agent);
  agent.clock.advance(delayMs(0));
  await until("it runs again", runs(agent));
  const { serial } = await agent.vm("web-1");
  agent.clock.advance(LASTED_MS);
  await until("its mishap is forgotten", async () => (await agent.vm("web-1")).restart === undefined);
  expect((await agent.vm("web-1")).serial).toBe(serial);
});

test("a guest that powered itself off is started again with Always, and stays off with RerunOnFailure", async () => {
  for (const runStrategy of ["Always", "RerunOnFailure"] as const) {
    await using agent = await anAgent();
    const annotations = { "noop.odorobo.dev/poweroff-after": "20ms" };
    await agent.put("web-1", { spec: aSpec({ runStrategy, annotations }) });
    await agent.boot("web-1");
    await until("it is off", async () => (await agent.vm("web-1")).phase === "stopped");
    const off = await agent.vm("web-1");
    expect(off).toMatchObject({ endedBy: "guest", lastEvent: { kind: "power-off" } });
    expect(off.restart !== undefined).toBe(runStrategy === "Always");
  }
});

test("nobody's shutdown is undone: it calls off a start that is due", async () => {
  await using agent = await aRunningVm();
  await crash(agent);
  const shut = await agent.shutdown("web-1");
  expect(shut).toMatchObject({ noop: false, after: { phase: "stopped", endedBy: "operator" } });
  expect(shut.after?.restart).toBeUndefined();
  agent.clock.advance(LASTED_MS);
  await agent.restart();
  await looks(agent);
  expect(agent.processes.running()).toEqual([]);
  expect(await agent.shutdown("web-1")).toMatchObject({ noop: true });
});

test("a guest that powers off after an operator pressed its button is not started again", async () => {
  await using agent = await aRunningVm();
  expect(await agent.operate("web-1", { kind: "power-button" })).toMatchObject({ outcome: "done" });
  await until("it is off", async () => (await agent.vm("web-1")).phase === "stopped");
  const off = await agent.vm("web-1");
  expect(off).toMatchObject({ endedBy: "operator", reason: "it powered off after its power button was pressed" });
  expect(off.restart).toBeUndefined();
});

test("a paused guest that dies is not made to run", async () => {
  await using agent = await aRunningVm();
  await agent.operate("web-1", { kind: "pause" });
  await crash(agent);
  expect(await agent.vm("web-1")).toMatchObject({ phase: "crashed" });
  expect((await agent.vm("web-1")).restart).toBeUndefined();
});

test("a spec that no longer wants it to run calls the start off", async () => {
  await using agent = await aRunningVm();
  await crash(agent);
  await agent.put("web-1", { generation: 2, spec: aSpec({ runStrategy: "Manual" }) });
  agent.clock.advance(delayMs(0));
  await until("it is called off", async () => (await agent.vm("web-1")).restart === undefined);
  expect(agent.processes.running()).toEqual([]);
});

test("an agent that starts anew goes on where the last one ended", async () => {
  await using agent = await aRunningVm();
  for (let attempt = 0; attempt < 5; attempt++) {
    await crash(agent);
    agent.clock.advance(delayMs(attempt));
    await until("it runs again", runs(agent));
  }
  await crash(agent);
  const { restart } = await agent.vm("web-1");
  await agent.restart();
  expect((await agent.vm("web-1")).restart).toEqual(restart);
  await looks(agent);
  expect(agent.processes.running()).toEqual([]);
  agent.clock.advance(delayMs(5));
  await until("it runs again", runs(agent));
  expect((await agent.vm("web-1")).restart).toMatchObject({ attempts: 6 });
});

test("a clock that is set forwards fires nothing, one that is set back starves nothing", async () => {
  await using agent = await aRunningVm();
  for (let attempt = 0; attempt < 5; attempt++) {
    await crash(agent);
    agent.clock.advance(delayMs(attempt));
    await until("it runs again", runs(agent));
  }
  await crash(agent);
  await looks(agent);
  agent.clock.jump(365 * 24 * 3_600_000);
  await looks(agent);
  expect((await agent.vm("web-1")).phase).toBe("crashed");
  agent.clock.jump(-2 * 365 * 24 * 3_600_000);
  // Even for an agent that knows nothing but the date that was written down.
  await agent.restart();
  await looks(agent);
  expect((await agent.vm("web-1")).phase).toBe("crashed");
  agent.clock.advance(delayMs(5));
  await until("it runs again", runs(agent));
});

test("a start that fails counts as one, and its reason is told", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  const failing = aSpec({ annotations: { "noop.odorobo.dev/fail": "boot" } });
  await agent.put("web-1", { generation: 2, spec: failing });
  await rm(join(agent.runFolder, "vms/web-1/guest.json"));
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    await until("the next is put off", async () => {
      const { restart } = await agent.vm("web-1");
      return restart?.attempts === attempt && restart.nextAt !== null;
    });
    agent.clock.advance(delayMs(attempt));
  }
  await until("given up", async () => (await agent.vm("web-1")).restart?.givenUp === true);
  expect((await agent.vm("web-1")).reason).toMatch(/boot of web-1 fails.*; given up after 10 starts/);
  await until("it is told", () =>
    agent.lifecycle.events
      .since(0)
      .events.some(({ message }) => message === "web-1 stays off; given up after 10 starts in a row that did not last"),
  );
});

test("a disk that is full when a start is due leaves the agent up and the guest off, and is no reason to forget it", async () => {
  await using folder = await aTempFolder();
  const folders = { dataFolder: join(folder.path, "data"), runFolder: join(folder.path, "run") };
  const real = await openVmStore(folders);
  let isFull = false;
  const store: VmStore = {
    ...real,
    async save(record) {
      if (isFull) throw new OdoroboError("STORAGE_FAILED", "could not write the record of web-1 (ENOSPC)");
      return real.save(record);
    },
  };
  await using agent = await anAgent({ processes: true, store, ...folders });
  await agent.put("web-1");
  await agent.boot("web-1");
  isFull = true;
  await crash(agent);
  expect(await agent.vm("web-1")).toMatchObject({ phase: "crashed", restart: { attempts: 0 } });
  agent.clock.advance(delayMs(0));
  await until("it was tried", async () => (await agent.vm("web-1")).restart?.attempts === 1);
  expect((await agent.vm("web-1")).reason).toContain("ENOSPC");
  // Nothing is started that the journal does not know of.
  expect(agent.processes.running()).toEqual([]);
  for (const kind of ["power-button", "migrate-receive"] as const)
    await expect(agent.operate("web-1", { kind, url: null } as never)).rejects.toBeInstanceOf(OdoroboError);
  expect(agent.processes.running()).toEqual([]);
  isFull = false;
  agent.clock.advance(delayMs(1));
  await until("it runs again", runs(agent));
});

test("a boot that was asked for and failed is not tried again by the agent", async () => {
  await using agent = await anAgent();
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/fail": "boot" } }) });
  expect((await agent.boot("web-1")).after).toMatchObject({ phase: "crashed" });
  expect((await agent.vm("web-1")).restart).toBeUndefined();
});

test("what is asked for while a start is due comes first, and nothing is started twice", async () => {
  await using agent = await aRunningVm();
  await crash(agent);
  agent.clock.advance(delayMs(0));
  const [booted] = await Promise.all([
    agent.boot("web-1"),
    agent.boot("web-1"),
    agent.operate("web-1", { kind: "boot" }),
  ]);
  expect(booted.after).toMatchObject({ phase: "running" });
  await looks(agent);
  expect(agent.processes.running().length).toBe(1);
});

test("after a restart of the host VMs of no fleet come back by themselves, those that ran", async () => {
  await using agent = await anAgent({ processes: true });
  for (const name of ["c", "a", "d", "b", "off", "still", "manual"]) {
    await agent.put(name, { fleet: null, spec: aSpec({ runStrategy: name === "manual" ? "Manual" : "Always" }) });
    if (name !== "off") await agent.boot(name);
  }
  await agent.operate("still", { kind: "pause" });
  await agent.rebootHost();
  const up = async () =>
    (await agent.lifecycle.report(NEVER)).vms.filter((vm) => vm.phase === "running").map((vm) => vm.name as string);
  await until("they run", async () => (await up()).length === 4);
  expect(await up()).toEqual(["a", "b", "c", "d"]);
  const begun = agent.lifecycle.events.since(0).events.map((event) => event.message);
  expect(begun.filter((message) => message.endsWith("is started again")).sort()).toEqual(
    ["a", "b", "c", "d"].map((name) => `${name} is started again`),
  );
  expect((await agent.vm("manual")).reason).toBe("the host was restarted");
  expect((await agent.vm("still")).reason).toContain("while it was paused");
  expect((await agent.vm("a")).lastEvent).toMatchObject({ kind: "host-reboot" });
});

test("what is due is started in the order of names, a few at a time", async () => {
  await using agent = await anAgent();
  const due = { attempts: 0, nextAt: NOON, givenUp: false, hostBootId: "boot-1" };
  const names = ["f", "c", "a", "e", "d", "b"];
  for (const name of names) await agent.put(name, { spec: aSpec() });
  const slots = await Promise.all(
    names.map(async (name) => {
      const stored = parseRecord(await readFile(join(agent.dataFolder, "vms", name, "record.json"), "utf8"), name);
      return new Slot(stored.name, { ...(stored as VmRecord), restart: due });
    }),
  );
  const begun: string[] = [];
  const first = Promise.withResolvers<void>();
  const restarts = new Restarts({ clock: agent.clock, stopping: NEVER } as Partial<Parts> as Parts, (slot) => {
    begun.push(slot.name);
    slot.stored = { ...(slot.stored as VmRecord), restart: null };
    return first.promise;
  });
  restarts.look(slots);
  restarts.look(slots);
  expect(begun).toEqual(["a", "b", "c", "d"]);
  first.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  restarts.look(slots);
  expect(begun).toEqual(["a", "b", "c", "d", "e", "f"]);
});

test("no more than a few guests are started at a time", async () => {
  await using agent = await anAgent({ processes: true });
  const spec = aSpec({ annotations: { "noop.odorobo.dev/boot-delay": "30ms" } });
  const names = Array.from({ length: 9 }, (_, index) => `vm-${index}`);
  for (const name of names) await agent.put(name, { fleet: null, spec });
  await Promise.all(names.map((name) => agent.boot(name)));
  await agent.rebootHost();
  let most = 0;
  await until("all run", async () => {
    const { vms } = await agent.lifecycle.report(NEVER);
    most = Math.max(most, vms.filter((vm) => vm.phase === "starting").length);
    return vms.every((vm) => vm.phase === "running");
  });
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(4);
});

const told = (nodes: readonly string[]) => ({
  fleet: "shop",
  at: NOON,
  homes: { [vmName("web-1")]: nodeName("n1") },
  nodes: nodes.map(nodeName),
});

test("after a restart of the host a fleet's only node starts its VMs, one of several waits for the next apply", async () => {
  for (const [nodes, starts] of [
    [["n1"], true],
    [["n1", "n2"], false],
    [["n2"], false],
  ] as const) {
    await using agent = await aRunningVm();
    await agent.lifecycle.tellWhereabouts(told(nodes));
    await agent.rebootHost();
    if (starts) await until("it runs again", runs(agent));
    else {
      expect((await agent.vm("web-1")).reason).toBe(
        "the host was restarted; another node of fleet shop may run it by now: it waits for the next apply",
      );
      expect((await agent.vm("web-1")).restart).toBeUndefined();
    }
  }
});

test("a start that was due when the host went down is another question when it is back", async () => {
  await using agent = await aRunningVm();
  await agent.lifecycle.tellWhereabouts(told(["n1", "n2"]));
  await crash(agent);
  await agent.rebootHost();
  agent.clock.advance(LASTED_MS);
  const vm = await agent.vm("web-1");
  expect(vm.restart).toBeUndefined();
  expect(vm.reason).toContain("another node of fleet shop may run it by now");
  await looks(agent);
  expect(agent.processes.running()).toEqual([]);
});

test("who knows better says so: always, or never", async () => {
  await using agent = await aRunningVm();
  await agent.rebootHost({ startAfterReboot: "always" });
  await until("it runs again", runs(agent));
  await agent.rebootHost({ startAfterReboot: "never" });
  expect((await agent.vm("web-1")).reason).toContain("told to start nothing");
});

const anyRecord: fc.Arbitrary<VmRecord> = fc
  .record({
    runStrategy: fc.constantFrom(...RUN_STRATEGIES),
    phase: fc.constantFrom("running" as const, "paused" as const),
    handled: fc.option(fc.constantFrom("power-button" as const, "api" as const)),
    left: fc.boolean(),
    attempts: fc.option(fc.integer({ min: 0, max: MAX_ATTEMPTS })),
    fleet: fc.constantFrom("shop", null),
  })
  .map(({ runStrategy, phase, handled, left, attempts, fleet }) => {
    const spec = aSpec({ runStrategy });
    const guest = { process: null, hostBootId: "boot-1", bootedSpec: spec, logSizes: {} };
    return {
      ...{ format: 1, state: "present", name: vmName("web-1"), fleet, commit: null, generation: 1, serial: 1 },
      ...{ spec, specDigest: digestOf(spec), appliedAt: NOON, phase, endedBy: null, reason: null, ready: null },
      ...{ since: NOON, drift: [], ownDisks: {}, unfinished: null, completed: [] },
      guest: handled === null ? guest : { ...guest, handled },
      migration: left ? { role: "source", since: NOON, url: "tcp:10.0.0.2:1" } : null,
      restart: attempts === null ? null : { attempts, nextAt: null, givenUp: false, hostBootId: "boot-1" },
    };
  });

test("property: what nobody wants, what an operator touched and what may have left is never started, and all trying ends", () => {
  const moment = { now: NOON, hostBootId: "boot-1" };
  fc.assert(
    fc.property(
      anyRecord,
      fc.constantFrom(...GUEST_EVENT_KINDS),
      fc.integer({ min: 0, max: 2 * LASTED_MS }),
      (vm, kind, lastedMs) => {
        const restart = restartAfterEnd(vm, kind, lastedMs, moment);
        if (restart === null) return;
        expect(vm.phase).toBe("running");
        expect(vm.guest?.handled).toBeUndefined();
        expect(vm.migration).toBeNull();
        expect(["Always", "RerunOnFailure"]).toContain(vm.spec.runStrategy);
        if (vm.spec.runStrategy === "RerunOnFailure") expect(kind).not.toBe("power-off");
        expect(restart.givenUp).toBe(restart.nextAt === null);
        if (restart.givenUp) expect(restart.attempts).toBeGreaterThanOrEqual(MAX_ATTEMPTS);
        else expect(Date.parse(restart.nextAt as string) - Date.parse(NOON)).toBeLessThanOrEqual(300_000);
      },
    ),
    { numRuns: 1000 },
  );
});

test("property: after a restart of the host nothing is started that another node may run", () => {
  const moment = { now: NOON, hostBootId: "boot-2" };
  const anyTold = fc.option(fc.subarray(["n1", "n2", "n3"]));
  fc.assert(
    fc.property(anyRecord, anyTold, (vm, nodes) => {
      const whereabouts = nodes === null ? [] : [told(nodes)];
      const { restart } = afterReboot(vm, { node: nodeName("n1"), choice: "auto", whereabouts }, moment);
      if (restart === null) return;
      expect(vm.migration).toBeNull();
      expect(vm.phase).toBe("running");
      if (vm.fleet !== null) expect(nodes).toEqual(["n1"]);
    }),
    { numRuns: 1000 },
  );
});
