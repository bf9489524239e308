/**
 * Two agents, each with Cloud Hypervisor (the double) and real processes: a guest goes from one to the other, or does not, and
 * whatever fails on the way there is one guest, which nobody starts a second time.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createCloudHypervisor } from "../../../src/agent/hypervisor/cloud-hypervisor/driver.ts";
import { createSpawnSupervisor } from "../../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import type { VmReport } from "../../../src/model/observed-state.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { anAgent, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { cloudHypervisorForTests } from "../../support/cloud-hypervisor.ts";
import type { KnobChanges } from "../../support/cloud-hypervisor-double/knobs.ts";
import { aCloudHypervisorSpec } from "../../support/cloud-hypervisor-world.ts";
import { TINY_GUEST } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;

/** As a fleet has it that wants it to run always: an agent that takes it for crashed starts it again at once. */
const SPEC = aCloudHypervisorSpec({
  runStrategy: "Always",
  disks: [],
  // Both nodes are one host here, and the serial socket has one path.
  passthrough: { serial: { mode: "Null", socket: null } },
});

interface Node {
  readonly agent: TestAgent;
  vm(): Promise<VmReport>;
  /** Looks that it is so, and stays so over a few turns of what starts guests again. */
  stays(phase: VmReport["phase"]): Promise<VmReport>;
}

/** A source whose guest runs, and a destination that knows the VM. */
async function twoNodes(knobs: { readonly source?: KnobChanges; readonly destination?: KnobChanges } = {}) {
  await using opened = new AsyncDisposableStack();
  const aNode = async (changes: KnobChanges = {}): Promise<Node> => {
    const binary = opened.use(await cloudHypervisorForTests({ double: true, version: "53.0", knobs: changes }));
    const hypervisor = createCloudHypervisor({
      executable: binary.executable,
      seccomp: "true",
      landlock: false,
      tinyGuest: TINY_GUEST,
      clock: systemClock,
    });
    const agent = opened.use(
      await anAgent({
        hypervisors: [hypervisor],
        supervisor: createSpawnSupervisor(),
        clock: systemClock,
        restartEveryMs: 20,
      }),
    );
    // Before the folders go: guests outlive their agent.
    opened.defer(() =>
      agent.shutdown("web-1", 0).then(
        () => {},
        () => {},
      ),
    );
    await agent.put("web-1", { spec: SPEC });
    const vm = () => agent.vm("web-1");
    return {
      agent,
      vm,
      async stays(phase) {
        await until(`it is ${phase}`, async () => (await vm()).phase === phase, PATIENCE_MS);
        const { since, pid } = await vm();
        for (let turns = 0; turns < 20; turns++) await agent.lifecycle.report(NEVER);
        await agent.restart();
        const now = await vm();
        expect(now).toMatchObject({ phase, since, pid });
        expect(now.restart).toBeUndefined();
        return now;
      },
    };
  };
  const source = await aNode(knobs.source);
  const destination = await aNode(knobs.destination);
  expect(await source.agent.boot("web-1")).toMatchObject({ error: null });
  const life = opened.move();
  return { source, destination, [Symbol.asyncDispose]: () => life.disposeAsync() };
}

async function receive({ agent }: Node): Promise<string> {
  const result = await agent.operate("web-1", { kind: "migrate-receive", url: "tcp:127.0.0.1:0" });
  expect(result).toMatchObject({ outcome: "done", after: { phase: "starting" } });
  return result.detail?.url as string;
}

const send = ({ agent }: Node, url: string) => agent.operate("web-1", { kind: "migrate-send", url, local: false });

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const untilEnded = (pid: number | null) => until(`process ${pid} has ended`, () => !isAlive(pid ?? -1), PATIENCE_MS);

/** The source has the guest still, in the process that it had, and nothing waits on the other side. */
async function expectThatItStayed(
  { source, destination }: { readonly source: Node; readonly destination: Node },
  before: { readonly guest: number | null; readonly receiver: number | null },
): Promise<void> {
  const here = await source.stays("running");
  expect(here).toMatchObject({ pid: before.guest, drift: [] });
  expect(here.migration).toBeUndefined();
  const there = await destination.stays("stopped");
  expect(there).toMatchObject({ pid: null, endedBy: "failure" });
  expect(there.reason).toContain("it waited for a guest that did not come");
  expect(there.migration).toBeUndefined();
  await untilEnded(before.receiver);
}

test("a guest moves, both agents are started again, and it comes back", async () => {
  await using world = await twoNodes();
  const { source, destination } = world;
  const { pid } = await source.vm();
  const url = await receive(destination);
  expect(await send(source, url)).toMatchObject({ outcome: "done", error: null });
  await untilEnded(pid);
  const there = await destination.stays("running");
  expect(there).toMatchObject({ drift: [], live: { cpus: { count: 1 } } });
  const here = await source.stays("stopped");
  expect(here).toMatchObject({ endedBy: "operator", reason: `migrated to ${url}`, migration: { role: "source" } });
  await expect(source.agent.boot("web-1")).rejects.toMatchObject({ code: "WRONG_PHASE" });
  expect(await send(destination, await receive(source))).toMatchObject({ outcome: "done" });
  await source.stays("running");
  await destination.stays("stopped");
});

describe("what does not arrive runs on where it was", () => {
  test.each(["config", "state", "cut before state"] as const)("the receiver fails at its %s", async (failAt) => {
    await using world = await twoNodes({ destination: { migration: { failAt } } });
    const { source, destination } = world;
    const guest = (await source.vm()).pid;
    const url = await receive(destination);
    const receiver = (await destination.vm()).pid;
    expect(await send(source, url)).toMatchObject({ outcome: "failed", error: { code: "HYPERVISOR_FAILED" } });
    await expectThatItStayed(world, { guest, receiver });
  });

  test("the receiver is killed in the middle", async () => {
    await using world = await twoNodes({ source: { migration: { iterations: 500, iterationMs: 20 } } });
    const { source, destination } = world;
    const guest = (await source.vm()).pid;
    const url = await receive(destination);
    const receiver = (await destination.vm()).pid;
    const sending = send(source, url);
    await untilItSends(source);
    process.kill(receiver ?? -1, "SIGKILL");
    expect(await sending).toMatchObject({ outcome: "failed" });
    await expectThatItStayed(world, { guest, receiver });
  });

  test("the receiver fails, whose agent was started again since it began to wait", async () => {
    await using world = await twoNodes({ destination: { migration: { failAt: "state" } } });
    const { source, destination } = world;
    const guest = (await source.vm()).pid;
    const url = await receive(destination);
    const receiver = (await destination.vm()).pid;
    await destination.agent.restart();
    expect(await destination.vm()).toMatchObject({ phase: "starting", pid: receiver });
    expect(await send(source, url)).toMatchObject({ outcome: "failed" });
    // Nobody looks: the agent finds out by itself.
    await untilEnded(receiver);
    await expectThatItStayed(world, { guest, receiver });
  });

  test("the receiver fails while no agent is there", async () => {
    await using world = await twoNodes({ destination: { migration: { failAt: "state" } } });
    const { source, destination } = world;
    const guest = (await source.vm()).pid;
    const url = await receive(destination);
    const receiver = (await destination.vm()).pid;
    await destination.agent.lifecycle[Symbol.asyncDispose]();
    expect(await send(source, url)).toMatchObject({ outcome: "failed" });
    await destination.agent.restart();
    await untilEnded(receiver);
    await expectThatItStayed(world, { guest, receiver });
  });
});

const untilItSends = ({ agent }: Node) =>
  until("it sends", async () =>
    (await readFile(join(agent.runFolder, "vms/web-1/events.json"), "utf8")).includes("migration-memory-iteration"),
  );

test("the agent of a guest that is being sent ends: it arrives, and is not started where it left", async () => {
  await using world = await twoNodes({ source: { migration: { iterations: 20, iterationMs: 20 } } });
  const { source, destination } = world;
  const { pid } = await source.vm();
  const sending = send(source, await receive(destination)).catch(() => {});
  await untilItSends(source);
  await source.agent.restart();
  await sending;
  await destination.stays("running");
  await untilEnded(pid);
  const here = await source.stays("stopped");
  expect(here).toMatchObject({ migration: { role: "source" }, pid: null });
  await expect(source.agent.boot("web-1")).rejects.toMatchObject({ code: "WRONG_PHASE" });
});

test("a guest whose process is killed while it is sent is started by neither side", async () => {
  await using world = await twoNodes({ source: { migration: { iterations: 500, iterationMs: 20 } } });
  const { source, destination } = world;
  const { pid } = await source.vm();
  const url = await receive(destination);
  const sending = send(source, url);
  await untilItSends(source);
  process.kill(pid ?? -1, "SIGKILL");
  expect(await sending).toMatchObject({ outcome: "failed" });
  const here = await source.stays("stopped");
  // In either order: the connection broke, and how the process ended became known.
  expect(here.reason).toMatch(/may run there|may have left/);
  await expect(source.agent.boot("web-1")).rejects.toMatchObject({ code: "WRONG_PHASE" });
  expect(await destination.stays("stopped")).toMatchObject({ pid: null, endedBy: "failure" });
});
