/** When in a VM's life hooks are run, and what becomes of an operation whose hook fails. */
import { expect, test } from "vitest";
import type { HookPoint, HookSubject, Hooks } from "../../../src/agent/hooks/hooks.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { anAgent, aSpec, NEVER } from "../../support/an-agent.ts";
import { until } from "../../support/until.ts";

/** Notes each point; fails at those that it is told to. */
function someHooks() {
  const ran: string[] = [];
  const subjects: HookSubject[] = [];
  const failing = new Set<HookPoint>();
  const hooks: Hooks = {
    async run(point, subject) {
      ran.push(`${point} (${subject.operation?.kind ?? "the guest"})`);
      subjects.push(subject);
      if (failing.has(point)) throw new OdoroboError("HOOK_FAILED", `hook ${point}.d/10 ended with status 1`);
    },
  };
  return { hooks, ran, subjects, failing };
}

/** The points before and after an act, as this operation comes by them. */
const around = (act: string, operation: string): string[] => [
  `before-${act} (${operation})`,
  `after-${act} (${operation})`,
];

test("each act has its points, a reboot those of a stop and a boot", async () => {
  const { hooks, ran, subjects } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  const during = async (act: () => Promise<unknown>) => {
    ran.length = 0;
    await act();
    return [...ran];
  };
  expect(await during(() => agent.put("web-1"))).toEqual(["before-create (create)", "after-create (create)"]);
  expect(await during(() => agent.put("web-1", { generation: 2 }))).toEqual([]);
  expect(await during(() => agent.boot("web-1"))).toEqual(["before-boot (boot)", "after-boot (boot)"]);
  expect(subjects.at(-1)?.vm.phase).toBe("running");
  expect(await during(() => agent.boot("web-1"))).toEqual([]);
  expect(await during(() => agent.operate("web-1", { kind: "reboot", graceSeconds: 0 }))).toEqual([
    ...around("stop", "reboot"),
    "before-boot (reboot)",
    "after-boot (reboot)",
  ]);
  expect(await during(() => agent.shutdown("web-1", 0))).toEqual(around("stop", "shutdown"));
  await agent.boot("web-1");
  expect(await during(() => agent.operate("web-1", { kind: "delete", graceSeconds: 0 }))).toEqual([
    "before-delete (delete)",
    ...around("stop", "delete"),
    "after-delete (delete)",
  ]);
});

test("a guest that ends by itself has an after-stop too, whether the agent was there or not", async () => {
  const { hooks, ran } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  const end = () => agent.processes.end(agent.processes.running()[0]?.pid as number, { code: 1, signal: null });
  await agent.put("web-1", { spec: aSpec({ runStrategy: "Manual" }) });
  await agent.boot("web-1");
  ran.length = 0;
  end();
  await until("it has run", () => ran.length > 0);
  await agent.boot("web-1");
  await agent.lifecycle[Symbol.asyncDispose]();
  end();
  await agent.restart();
  await until("it has run again", () => ran.length > 3);
  expect(ran).toEqual(["after-stop (the guest)", "before-boot (boot)", "after-boot (boot)", "after-stop (the guest)"]);
});

test("both ends of a migration have theirs", async () => {
  const [there, here] = [someHooks(), someHooks()];
  await using destination = await anAgent({ hooks: there.hooks });
  await using source = await anAgent({ hooks: here.hooks });
  await source.put("web-1");
  await source.boot("web-1");
  await destination.put("web-1");
  here.ran.length = 0;
  there.ran.length = 0;
  const { detail } = await destination.operate("web-1", { kind: "migrate-receive", url: null });
  expect(there.ran).toEqual(["before-migrate-receive (migrate-receive)"]);
  await source.operate("web-1", { kind: "migrate-send", url: detail?.url as string, local: false });
  await until("it is told", () => there.ran.length === 2);
  expect(there.ran.at(-1)).toBe("after-migrate-receive (migrate-receive)");
  expect(here.ran).toEqual(["before-migrate-send (migrate-send)", "after-migrate-send (migrate-send)"]);
});

test("a before-hook that fails stops the operation before anything is done, and it may be asked for again", async () => {
  const { hooks, failing } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  failing.add("before-create");
  await expect(agent.put("web-1")).rejects.toMatchObject({ code: "HOOK_FAILED" });
  expect((await agent.lifecycle.report(NEVER)).vms).toEqual([]);
  failing.clear();
  await agent.put("web-1");
  for (const act of ["boot", "stop", "delete"] as const) failing.add(`before-${act}`);
  await expect(agent.operate("web-1", { kind: "boot", id: "b" })).rejects.toMatchObject({ code: "HOOK_FAILED" });
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", serial: 1 });
  failing.delete("before-boot");
  expect(await agent.operate("web-1", { kind: "boot", id: "b" })).toMatchObject({ outcome: "done" });
  await expect(agent.shutdown("web-1", 0)).rejects.toMatchObject({ code: "HOOK_FAILED" });
  await expect(agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).rejects.toMatchObject({
    code: "HOOK_FAILED",
  });
  expect(agent.processes.running().length).toBe(1);
});

test("a reboot whose boot is refused by a hook leaves the guest off, and says why", async () => {
  const { hooks, failing } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  failing.add("before-boot");
  const rebooted = await agent.operate("web-1", { kind: "reboot", graceSeconds: 0 });
  expect(rebooted).toMatchObject({ outcome: "failed", error: { code: "HOOK_FAILED" }, after: { phase: "crashed" } });
  expect(agent.processes.running()).toEqual([]);
});

test("an after-hook that fails undoes nothing: it is told in the result, also when asked again, and as an event", async () => {
  const { hooks, failing } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  await agent.put("web-1");
  failing.add("after-boot");
  const booted = await agent.operate("web-1", { kind: "boot", id: "b" });
  const warning = "web-1: hook after-boot.d/10 ended with status 1; the boot was done and stays";
  expect(booted).toMatchObject({ outcome: "done", after: { phase: "running" }, detail: { warnings: [warning] } });
  await agent.restart();
  expect(agent.lifecycle.operation("b")?.detail).toEqual({ warnings: [warning] });
});

test("a start that is the agent's own idea and is refused by a hook counts, and is tried again", async () => {
  const { hooks, failing } = someHooks();
  await using agent = await anAgent({ hooks, processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  failing.add("before-boot");
  agent.processes.end(agent.processes.running()[0]?.pid as number, { code: 1, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "crashed");
  agent.clock.advance(2000);
  await until("it was tried", async () => (await agent.vm("web-1")).restart?.attempts === 1);
  const refused = await agent.vm("web-1");
  expect(refused.reason).toContain("hook before-boot.d/10 ended with status 1");
  failing.clear();
  agent.clock.advance(5000);
  await until("it runs", async () => (await agent.vm("web-1")).phase === "running");
});
