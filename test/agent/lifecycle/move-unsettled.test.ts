/** Moves whose end one side does not hear of: nobody lets the guest run on a guess, and whoever is back is told. */
import { expect, test } from "vitest";
import type { Admission, Hypervisor } from "../../../src/agent/hypervisor/hypervisor.ts";
import { createNoopHypervisor } from "../../../src/agent/hypervisor/noop/driver.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { aSpec, type TestAgent, withProcess } from "../../support/an-agent.ts";
import { type TwoAgents, twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });
const stage = async (agent: TestAgent) => (await agent.vm("web-1").catch(() => null))?.migration?.stage ?? null;
const isAbsent = (agent: TestAgent) => () =>
  agent.vm("web-1").then(
    () => false,
    () => true,
  );

/** A destination that does something at the moment at which its guest is taken, or is whole. */
async function withMoment(
  moment: "whole" | "take",
  act: (world: TwoAgents) => void | Promise<void>,
): Promise<TwoAgents> {
  const noop = withProcess(createNoopHypervisor({ clock: systemClock }));
  const hypervisor: Hypervisor = {
    ...noop,
    async admit(vm, options) {
      const admission = await (noop.admit as NonNullable<Hypervisor["admit"]>)(vm, options);
      const whole: Admission["whole"] = async (signal) => {
        await admission.whole(signal);
        if (moment === "whole" && !options.again) await act(world);
      };
      const take: Admission["take"] = async (how, signal) => {
        const running = await admission.take(how, signal);
        if (moment === "take") await act(world);
        return running;
      };
      return { ...admission, whole, take };
    },
  };
  const world: TwoAgents = await twoAgents({ processes: true }, { n2: { hypervisors: [hypervisor] } });
  await world.n1.put("web-1", { spec: aSpec() });
  await world.n1.boot("web-1");
  return world;
}

test("a node that took a guest and cannot say so: it is started nowhere, and released when it can", async () => {
  await using world = await withMoment("take", (world) => {
    world.reachable = false;
    world.cut();
  });
  const { n1, n2 } = world;
  expect(await world.move()).toMatchObject({
    outcome: "failed",
    error: { code: "MIGRATION_UNSETTLED" },
    after: { phase: "paused", migration: { role: "source", stage: "given", peer: "n2" } },
  });
  for (const kind of ["boot", "resume", "reboot", "shutdown", "migrate-receive"] as const)
    await expect(n1.operate("web-1", { kind, graceSeconds: 0, url: null } as never)).rejects.toEqual(
      gives("WRONG_PHASE"),
    );
  await expect(n1.put("web-1", { generation: 2 })).rejects.toEqual(gives("WRONG_PHASE"));
  expect((await n2.vm("web-1")).phase).toBe("running");
  await n1.restart();
  expect(await stage(n1)).toBe("given");
  world.reachable = true;
  await until("it is released", async () => (await stage(n1)) === "left");
  expect(n1.processes.running()).toEqual([]);
  expect((await n2.vm("web-1")).phase).toBe("running");
});

test("a process that answers nobody when its agent is back, and has not all of the guest, is ended: the guest runs on where it was", async () => {
  const noop = withProcess(createNoopHypervisor({ clock: systemClock }));
  const silent: Hypervisor = {
    ...noop,
    async admit(vm, options) {
      if (options.again) throw new OdoroboError("HYPERVISOR_UNAVAILABLE", "it does not answer");
      return (noop.admit as NonNullable<Hypervisor["admit"]>)(vm, options);
    },
  };
  const slow = aSpec({ annotations: { "noop.odorobo.dev/migrate-delay": "10m" } });
  await using world = await twoAgents({ processes: true }, { n2: { hypervisors: [silent] } });
  const { n1, n2 } = world;
  await n1.put("web-1", { spec: slow });
  await n1.boot("web-1");
  const moving = world.move();
  await until("it is on its way", async () => (await stage(n2)) === "arriving");
  await n2.restart();
  expect(await moving).toMatchObject({ outcome: "failed", after: { phase: "running" } });
  await until("nothing of it is there", isAbsent(n2));
  expect(n2.processes.running()).toEqual([]);
});

test("a source that is gone for good: the guest stands whole at its destination, and a person may let it run", async () => {
  await using world = await withMoment("whole", (world) => {
    world.reachable = false;
    world.cut();
  });
  const { n1, n2 } = world;
  await world.move();
  // It runs on where it was: the other node does not know, and keeps what it has.
  expect((await n1.vm("web-1")).phase).toBe("running");
  await n2.restart();
  await until("all of it is there", async () => (await stage(n2)) === "whole");
  expect(await n2.vm("web-1")).toMatchObject({
    phase: "starting",
    reason: "it arrived from n1, which has not released it",
  });
  await expect(n2.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
  // The source was only cut off: it tells the other node as soon as it can.
  world.reachable = true;
  await until("nothing of it is kept", isAbsent(n2));
  expect(n2.processes.running()).toEqual([]);
  expect((await n1.vm("web-1")).phase).toBe("running");
});

test("a person lets a guest run that arrived whole", async () => {
  await using world = await withMoment("whole", async (world) => {
    world.reachable = false;
    world.cut();
  });
  const { n1, n2 } = world;
  await world.move();
  await n1.operate("web-1", { kind: "delete", graceSeconds: 0 });
  await n2.restart();
  await until("all of it is there", async () => (await stage(n2)) === "whole");
  expect(await n2.operate("web-1", { kind: "resume" })).toMatchObject({ outcome: "done", after: { phase: "running" } });
  expect(n2.processes.running()).toHaveLength(1);
});

test("a move is called off while the guest is on its way", async () => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1", { spec: aSpec({ annotations: { "noop.odorobo.dev/migrate-delay": "5s" } }) });
  await world.n1.boot("web-1");
  await world.expect();
  const moving = world.migrate({ id: "m" });
  await until("memory is on its way", () => world.dialled.includes("memory"));
  await until("it says how far it is", () => world.n1.lifecycle.operation("m")?.progress?.stage === "memory");
  expect(await world.n1.operate("web-1", { kind: "cancel-migration" })).toMatchObject({
    ...{ outcome: "done", noop: true, after: { phase: "running" } },
  });
  expect(await moving).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
  await until("nothing of it is kept", isAbsent(world.n2));
  expect(world.n2.processes.running()).toEqual([]);
});

test("a wait for a guest can be called off, and its ticket is worth nothing then", async () => {
  await using world = await twoAgents();
  await world.n1.put("web-1");
  await world.n1.boot("web-1");
  await world.expect();
  expect(await world.n2.shutdown("web-1")).toMatchObject({ outcome: "done" });
  expect(await isAbsent(world.n2)()).toBe(true);
  expect(await world.migrate()).toMatchObject({ outcome: "failed", after: { phase: "running" } });
});

test("a guest that stands still, because a person paused it, stands still over there", async () => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1");
  await world.n1.boot("web-1");
  await world.n1.operate("web-1", { kind: "pause" });
  expect(await world.move()).toMatchObject({ outcome: "done" });
  expect((await world.n2.vm("web-1")).phase).toBe("paused");
});

test("back and forth, with what it has in memory", async () => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1", { spec: aSpec({ cpus: { count: 1, max: 4 } }), commit: "a" });
  await world.n1.boot("web-1");
  await world.n1.operate("web-1", { kind: "resize", cpus: 3, memoryMiB: null, balloonMiB: null, disk: null });
  expect(await world.move()).toMatchObject({ outcome: "done" });
  const there = await world.n2.vm("web-1");
  expect(there).toMatchObject({ live: { cpus: { count: 3 } }, drift: [{ path: "cpus.count" }] });
  const left = await world.n1.vm("web-1");
  await world.n1.operate("web-1", {
    kind: "expect-guest",
    from: "n2" as never,
    ticket: "v".repeat(43),
    generation: there.generation,
    spec: there.spec,
    expect: { generation: left.generation, serial: left.serial },
  });
  expect((await stage(world.n1)) === "expected").toBe(true);
});
