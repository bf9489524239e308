/** What befalls a guest without anybody asking: in the report with its last words, and in the event log. */
import { appendFile, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { toHypervisorEvent } from "../../../src/agent/hypervisor/qemu/guest.ts";
import {
  createInMemorySupervisor,
  ProcessTable,
} from "../../../src/agent/supervisor/in-memory/in-memory-supervisor.ts";
import type { ExitStatus, Supervisor } from "../../../src/agent/supervisor/supervisor.ts";
import type { ChangeRule } from "../../../src/model/observed-state.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { findRequestError } from "../../../src/wire/check-shape.ts";
import { aClock } from "../../support/a-clock.ts";
import { anAgent, aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

const log = (agent: TestAgent, file: string) => join(agent.dataFolder, "vms/web-1/logs", file);
const messages = (agent: TestAgent) => agent.lifecycle.events.since(0).events.map((event) => event.message);

async function aGuest(annotations: Record<string, string> = {}): Promise<TestAgent> {
  const agent = await anAgent({ processes: true });
  const noted = Object.fromEntries(Object.entries(annotations).map(([key, each]) => [`noop.odorobo.dev/${key}`, each]));
  await agent.put("web-1", { spec: aSpec({ annotations: noted, runStrategy: "Manual" }) });
  await agent.boot("web-1");
  return agent;
}

async function ended(agent: TestAgent) {
  await until("it is noticed", async () => ["stopped", "crashed"].includes((await agent.vm("web-1")).phase));
  return agent.vm("web-1");
}

test("a crash is told with its signal and the last lines of console and log, harmless on a terminal", async () => {
  await using agent = await aGuest();
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`).join("\n");
  await appendFile(log(agent, "console.log"), `${lines}\n\u001b[31mKernel panic\u0007 - not syncing\r\n`);
  await appendFile(log(agent, "vmm.log"), `${"x".repeat(5000)}end\nthread panicked\n`);
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: null, signal: "SIGSEGV" });
  const { lastEvent, reason } = await ended(agent);
  expect(lastEvent).toMatchObject({ kind: "crash", message: reason });
  expect(reason).toContain("SIGSEGV");
  expect(lastEvent?.console.length).toBe(20);
  expect(lastEvent?.console.at(0)).toBe("line 31");
  expect(lastEvent?.console.at(-1)).toBe("[31mKernel panic  - not syncing");
  expect(lastEvent?.log.at(-1)).toBe("thread panicked");
  expect(lastEvent?.log.at(0)).toMatch(/^x{397}end$/);
  expect(messages(agent)).toContain(`web-1 crashed: ${reason}`);
  await agent.restart();
  expect((await agent.vm("web-1")).lastEvent).toEqual(lastEvent);
});

test("what an earlier life said is not this one's last word", async () => {
  await using agent = await aGuest();
  await appendFile(log(agent, "console.log"), "of the first life\n");
  await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: 1, signal: null });
  const { lastEvent } = await ended(agent);
  expect(lastEvent?.console.join()).toContain("NOOP-START");
  expect(lastEvent?.console.join()).not.toContain("of the first life");
});

test("the kernel's choice for want of memory is named", async () => {
  await using agent = await aGuest();
  const { pid } = await agent.vm("web-1");
  agent.processes.end(pid as number, { code: null, signal: "SIGKILL", outOfMemory: true });
  expect(await ended(agent)).toMatchObject({
    phase: "crashed",
    lastEvent: { kind: "oom-kill" },
    reason: expect.stringContaining("killed by SIGKILL: the host had no memory left for it"),
  });
});

test("a guest that powers itself off, and one that an operator shut down: only the first is an event", async () => {
  await using agent = await aGuest({ "poweroff-after": "20ms" });
  expect(await ended(agent)).toMatchObject({ phase: "stopped", lastEvent: { kind: "power-off" }, endedBy: "guest" });
  await using other = await aGuest();
  await other.shutdown("web-1");
  expect((await other.vm("web-1")).lastEvent).toBeUndefined();
});

test.each(["reboot", "panic"] as const)("a guest's own %s is told once, and no reason to plan anew", async (kind) => {
  await using agent = await aGuest({ [`${kind}-after`]: "20ms" });
  const { serial } = await agent.vm("web-1");
  await until("it is told", async () => (await agent.vm("web-1")).lastEvent?.kind === kind);
  const vm = await agent.vm("web-1");
  expect(vm).toMatchObject({ phase: "running", serial });
  expect(vm.lastEvent?.console.at(-1)).toBe(`NOOP-${kind.toUpperCase()} web-1`);
  await agent.restart();
  expect(await agent.vm("web-1")).toEqual(vm);
  expect(messages(agent).filter((message) => message.includes("the guest"))).toEqual([]);
});

test("a hypervisor that ends a guest whose kernel panicked: a panic, and a failure to start again from", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/panic-after": "10ms" } }) });
  await agent.boot("web-1");
  await until("it is told", async () => (await agent.vm("web-1")).lastEvent?.kind === "panic");
  agent.processes.end((await agent.vm("web-1")).pid as number, { code: 1, signal: null });
  expect(await ended(agent)).toMatchObject({
    phase: "crashed",
    lastEvent: { kind: "panic" },
    restart: { attempts: 0 },
  });
});

test("a guest that reboots for ever keeps neither its VM's queue nor the disk busy with that", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  let reboot = () => {};
  const restless: Hypervisor = {
    ...noop,
    async connect(vm, options) {
      const running = await noop.connect(vm, options);
      const onEvent = (listener: Parameters<NonNullable<typeof running.onEvent>>[0]) => {
        reboot = () => listener({ kind: "reboot", message: "the guest rebooted" });
      };
      return Object.assign(running, { onEvent });
    },
  };
  await using agent = await anAgent({ hypervisors: [restless] });
  await agent.put("web-1");
  await agent.boot("web-1");
  const before = messages(agent).length;
  for (let times = 0; times < 1000; times++) reboot();
  await until("the first is told", async () => (await agent.vm("web-1")).lastEvent?.message === "the guest rebooted");
  // All that came meanwhile, as one.
  await until("the rest is told", async () => (await agent.vm("web-1")).lastEvent?.message.includes("999") === true);
  expect(messages(agent).slice(before)).toEqual(["web-1: the guest rebooted", "web-1: the guest rebooted (999 times)"]);
  expect(await agent.shutdown("web-1", 0)).toMatchObject({ error: null });
});

test("a guest that talks for months does not fill the node: what its process logs is cut, and its end kept", async () => {
  await using agent = await anAgent({ processes: true, sweepEveryMs: 5 });
  await agent.put("web-1", { spec: aSpec({ runStrategy: "Manual" }) });
  await agent.boot("web-1");
  const file = log(agent, "vmm.log");
  // At once: it is looked at all the time.
  await writeFile(`${file}.new`, `${"a line of the past\n".repeat(1_000_000)}its last line\n`);
  await rename(`${file}.new`, file);
  await until("it is cut", async () => (await stat(file)).size < 1000);
  const kept = await readFile(`${file}.1`, "utf8");
  expect(kept.endsWith("a line of the past\nits last line\n")).toBe(true);
  expect(kept.length).toBe(16 * 1024 * 1024);
  await appendFile(file, "and on it talks\n");
  agent.processes.end((await agent.vm("web-1")).pid as number, { code: 1, signal: null });
  expect((await ended(agent)).lastEvent?.log).toEqual(["and on it talks"]);
});

test("QEMU's events, as people want to hear of them", () => {
  const told = (event: string, data: Record<string, unknown> = {}) => toHypervisorEvent({ event, data })?.kind ?? null;
  expect(told("RESET", { guest: true })).toBe("reboot");
  // Asked for from outside.
  expect(told("RESET", { guest: false })).toBeNull();
  expect(told("GUEST_PANICKED", { action: "pause" })).toBe("panic");
  expect(told("STOP")).toBeNull();
});

test("what happened while no agent was there is told by the next one", async () => {
  await using agent = await aGuest({ "panic-after": "1h" });
  await agent.lifecycle[Symbol.asyncDispose]();
  agent.clock.advance(3_600_000);
  await agent.restart();
  await until("it is told", async () => (await agent.vm("web-1")).lastEvent?.kind === "panic");
});

/** As a service manager does, it keeps how processes ended. */
function rememberingSupervisor(table: ProcessTable): Supervisor {
  const spawn = createInMemorySupervisor(table);
  return {
    ...spawn,
    async waitForExit(handle, signal): Promise<ExitStatus> {
      await spawn.waitForExit(handle, signal);
      return table.get(handle)?.ended ?? { code: null, signal: null };
    },
  };
}

test("who kept how a process ended while the agent was away is asked", async () => {
  const table = new ProcessTable("boot-1");
  const supervisor = rememberingSupervisor(table);
  await using agent = await anAgent({ processes: true, supervisor });
  await agent.put("web-1");
  const { after } = await agent.boot("web-1");
  await agent.lifecycle[Symbol.asyncDispose]();
  table.end(after?.pid as number, { code: null, signal: "SIGKILL", outOfMemory: true });
  await agent.restart({ supervisor: rememberingSupervisor(table) });
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "crashed",
    reason: expect.stringMatching(/no memory left for it\) while the agent was away$/),
    lastEvent: { kind: "oom-kill" },
    restart: { attempts: 0 },
  });
});

test("what this very guest takes without an outage is in its report, and goes when it does", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  const rule: ChangeRule = { path: "cpus.count", change: "raise", class: "live", note: null, max: 4 };
  let rules = [rule];
  const ruled: Hypervisor = {
    ...noop,
    async connect(vm, options) {
      const running = await noop.connect(vm, options);
      return Object.assign(running, { changeRules: async () => rules });
    },
  };
  await using agent = await anAgent({ hypervisors: [ruled], clock: aClock() });
  await agent.put("web-1");
  expect((await agent.vm("web-1")).changeRules).toBeUndefined();
  await agent.boot("web-1");
  expect((await agent.vm("web-1")).changeRules).toEqual([rule]);
  rules = [{ ...rule, max: 2 }];
  expect((await agent.vm("web-1")).changeRules).toEqual(rules);
  await agent.shutdown("web-1", 0);
  expect((await agent.vm("web-1")).changeRules).toBeUndefined();
});

test("what is told of ends, starts again, rules and migrations is as the schemas say, to the letter", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  agent.processes.end((await agent.vm("web-1")).pid as number, { code: 1, signal: null });
  await ended(agent);
  await agent.put("web-2");
  const waiting = await agent.operate("web-2", { kind: "migrate-receive", url: null });
  expect(waiting.detail?.url).toContain("noop:");
  expect(findRequestError("operation-result", waiting)).toBeNull();
  const report = await agent.lifecycle.report(NEVER);
  expect(report.vms).toMatchObject([{ lastEvent: {}, restart: {} }, { migration: {} }]);
  expect(findRequestError("node-report", report)).toBeNull();
});
