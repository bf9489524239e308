/** Migration by hand between two agents: the guest is in one place, whatever fails, and nobody starts it in the other. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { anAgent, aSpec, type TestAgent, withProcess } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });

/** A source whose guest runs, and a destination that knows the VM. */
async function twoNodes(options: { readonly processes: boolean } = { processes: true }) {
  const source = await anAgent(options);
  const destination = await anAgent(options);
  await source.put("web-1", { spec: aSpec({ cpus: { count: 2, max: 4 } }) });
  await source.boot("web-1");
  await destination.put("web-1", { spec: aSpec({ cpus: { count: 2, max: 4 } }) });
  return {
    source,
    destination,
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      await destination[Symbol.asyncDispose]();
    },
  };
}

async function receive(agent: TestAgent): Promise<string> {
  const result = await agent.operate("web-1", { kind: "migrate-receive", url: null, id: "receive" });
  expect(result).toMatchObject({ outcome: "done", after: { phase: "starting", migration: { role: "destination" } } });
  return result.detail?.url as string;
}

const send = (agent: TestAgent, url: string) => agent.operate("web-1", { kind: "migrate-send", url, local: false });
const runs = (agent: TestAgent) => async () => (await agent.vm("web-1")).phase === "running";
const count = ({ source, destination }: { source: TestAgent; destination: TestAgent }) =>
  source.processes.running().length + destination.processes.running().length;

test.each([{ processes: true }, { processes: false }])(
  "a guest moves, and is started by nobody where it left ($processes)",
  async (options) => {
    await using world = await twoNodes(options);
    const { source, destination } = world;
    const url = await receive(destination);
    // Asked again, by a caller whose connection was cut: told again.
    const again = await destination.operate("web-1", { kind: "migrate-receive", url: null, id: "receive" });
    expect(again.detail).toEqual({ url });
    expect(await send(source, url)).toMatchObject({ outcome: "done" });
    await until("it has arrived", runs(destination));
    expect(await destination.vm("web-1")).toMatchObject({ drift: [], live: { cpus: { count: 2 } }, reason: null });
    expect((await destination.vm("web-1")).migration).toBeUndefined();
    const told = destination.lifecycle.events.since(0).events.map((event) => event.message);
    expect(told).toContain("web-1 has arrived from another node");
    for (const look of ["now", "after a restart of the agent"]) {
      expect(await source.vm("web-1"), look).toMatchObject({
        phase: "stopped",
        endedBy: "operator",
        reason: `migrated to ${url}`,
        migration: { role: "source", url },
      });
      await expect(source.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
      await source.restart();
    }
    await source.rebootHost({ startAfterReboot: "always" });
    expect((await source.vm("web-1")).phase).toBe("stopped");
    if (options.processes) expect(count(world)).toBe(1);
  },
);

test("a guest that left may come back", async () => {
  await using world = await twoNodes();
  await send(world.source, await receive(world.destination));
  await until("it has arrived", runs(world.destination));
  const back = await world.source.operate("web-1", { kind: "migrate-receive", url: null });
  await send(world.destination, back.detail?.url as string);
  await until("it is back", runs(world.source));
  expect(count(world)).toBe(1);
  expect((await world.source.vm("web-1")).migration).toBeUndefined();
});

test("a VM that left for good comes back as deleted ones do, with its disks", async () => {
  await using world = await twoNodes();
  await send(world.source, await receive(world.destination));
  await world.source.operate("web-1", { kind: "delete", graceSeconds: 0 });
  await world.source.put("web-1", { generation: 2 });
  expect((await world.source.boot("web-1")).after).toMatchObject({ phase: "running" });
});

test("a guest that cannot be sent runs on, and is the agent's as before", async () => {
  await using world = await twoNodes();
  expect(await send(world.source, "noop:/nowhere/incoming.json")).toMatchObject({
    outcome: "failed",
    error: { code: "HYPERVISOR_FAILED" },
    after: { phase: "running" },
  });
  expect((await world.source.vm("web-1")).migration).toBeUndefined();
});

test("a guest whose process ends while it is sent may have arrived: it is not started here", async () => {
  const noop = createNoopHypervisor({ clock: systemClock });
  const dying: { end: () => void } = { end: () => {} };
  await using agent = await anAgent({
    processes: true,
    hypervisors: [
      {
        ...withProcess(noop),
        async connect(vm, options) {
          const running = await noop.connect(vm, options);
          const migrate = async () => {
            dying.end();
            throw new Error("the connection was lost");
          };
          return Object.assign(running, { abilities: { ...running.abilities, migrate } });
        },
      },
    ],
  });
  await agent.put("web-1");
  const { after } = await agent.boot("web-1");
  dying.end = () => agent.processes.end(after?.pid as number, { code: 0, signal: null });
  const sent = await send(agent, "tcp:10.0.0.2:1");
  expect(sent).toMatchObject({ outcome: "failed", after: { phase: "stopped", migration: { role: "source" } } });
  expect(sent.after?.reason).toContain("it may run there");
  await expect(agent.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
});

test("who waits for a guest can be told not to, and nothing else is done to it", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await receive(agent);
  for (const kind of ["boot", "migrate-receive"] as const)
    await expect(agent.operate("web-1", { kind, url: null } as never)).rejects.toEqual(gives("WRONG_PHASE"));
  await expect(agent.operate("web-1", { kind: "pause" })).rejects.toEqual(gives("WRONG_PHASE"));
  expect(await agent.put("web-1", { generation: 2 })).toMatchObject({ outcome: "done" });
  const shut = await agent.shutdown("web-1");
  expect(shut).toMatchObject({ noop: false, after: { phase: "stopped", reason: "it no longer waits for a guest" } });
  expect(agent.processes.running()).toEqual([]);
  expect((await agent.boot("web-1")).after).toMatchObject({ phase: "running", drift: [] });
});

test("a process that ends while it waits is no crash of a guest", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await receive(agent);
  const [process] = agent.processes.running();
  agent.processes.end(process?.pid as number, { code: 1, signal: null });
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "stopped");
  const vm = await agent.vm("web-1");
  expect(vm.reason).toContain("it waited for a guest that did not come");
  expect([vm.restart, vm.migration, vm.lastEvent]).toEqual([undefined, undefined, undefined]);
});

test("a wait whose hypervisor ends it leaves no process", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await receive(agent);
  await rm(join(agent.runFolder, "vms/web-1/guest.json"));
  await until("it is noticed", async () => (await agent.vm("web-1")).phase === "stopped");
  expect(agent.processes.running()).toEqual([]);
});

test("a receive that fails at once is a failure, and leaves nothing", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/fail": "receive" } }) });
  const failed = await agent.operate("web-1", { kind: "migrate-receive", url: null });
  expect(failed).toMatchObject({
    outcome: "failed",
    error: { code: "HYPERVISOR_FAILED" },
    after: { phase: "stopped" },
  });
  expect(agent.processes.running()).toEqual([]);
});

test("the next agent goes on waiting, and sees the guest arrive, whenever it does", async () => {
  for (const when of ["while the agent is away", "afterwards"]) {
    await using world = await twoNodes();
    const { source, destination } = world;
    const url = await receive(destination);
    if (when === "afterwards") {
      await destination.restart();
      expect(await destination.vm("web-1")).toMatchObject({ phase: "starting" });
      await send(source, url);
    } else {
      await destination.lifecycle[Symbol.asyncDispose]();
      await send(source, url);
      await destination.restart();
    }
    await until("it has arrived", runs(destination));
    expect(await destination.vm("web-1"), when).toMatchObject({ drift: [], reason: null, ready: null });
    expect(count(world)).toBe(1);
  }
});

const UNFINISHED = { id: "cut", graceSeconds: null, begunAt: "2026-01-01T12:00:00.000Z" };

/** As an agent leaves the record that is killed in the middle. */
async function cutShort(agent: TestAgent, change: object): Promise<void> {
  await agent.lifecycle[Symbol.asyncDispose]();
  const record = join(agent.dataFolder, "vms/web-1/record.json");
  await editRecord(record, change);
}

test("a receive that was cut short before anybody was told of it leaves nothing", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await receive(agent);
  await cutShort(agent, { unfinished: { ...UNFINISHED, kind: "migrate-receive" } });
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped" });
  expect(agent.processes.running()).toEqual([]);
  expect(agent.lifecycle.operation("cut")).toMatchObject({ error: { code: "OPERATION_INTERRUPTED" } });
});

test("a send that was cut short: gone, it may have arrived; here, it runs on, and its end is still not believed", async () => {
  const migration = { role: "source", since: "2026-01-01T12:00:00.000Z", url: "tcp:10.0.0.2:1" };
  for (const isGone of [true, false]) {
    await using agent = await anAgent({ processes: true });
    await agent.put("web-1");
    await agent.boot("web-1");
    await cutShort(agent, { unfinished: { ...UNFINISHED, kind: "migrate-send" }, migration });
    const end = () => {
      for (const { pid } of agent.processes.running()) agent.processes.end(pid, { code: 0, signal: null });
    };
    if (isGone) end();
    await agent.restart();
    expect(agent.lifecycle.operation("cut")).toMatchObject({ error: { code: "OPERATION_INTERRUPTED" } });
    if (!isGone) {
      expect(await agent.vm("web-1")).toMatchObject({ phase: "running" });
      end();
    }
    await until("it is noticed", async () => (await agent.vm("web-1")).phase === "stopped");
    expect(await agent.vm("web-1")).toMatchObject({ endedBy: "operator", migration });
    await expect(agent.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
  }
});
