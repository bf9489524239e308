/** What a move leaves at its source goes by itself, and never before the other node has said that it has all of it. */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { nodeName } from "../../../src/model/names.ts";
import type { VmSpec } from "../../../src/model/vm-spec.ts";
import { aSpec, NEVER, type TestAgent } from "../../support/an-agent.ts";
import { type TwoAgents, twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const HOUR = 3_600_000;
const blank = (name: string) => ({ name, origin: { kind: "blank", sizeMiB: 1 }, readonly: false }) as const;
const diskOf = (agent: TestAgent, disk = "data") => join(agent.dataFolder, `vms/web-1/disks/${disk}.raw.placeholder`);
const isGone = (agent: TestAgent) => () =>
  agent.vm("web-1").then(
    () => false,
    () => true,
  );

/** Moved to n2, off. */
async function moved(over: Partial<VmSpec> = {}): Promise<TwoAgents> {
  const world = await twoAgents({ sweepEveryMs: 5 });
  await world.n1.put("web-1", { spec: aSpec({ disks: [blank("data")], ...over }) });
  await mkdir(dirname(diskOf(world.n1)), { recursive: true });
  await writeFile(diskOf(world.n1), "what it wrote");
  expect(await world.move({ mode: "cold" })).toMatchObject({ outcome: "done" });
  return world;
}

/** What a sweep takes away within the hour: when it is gone, one has looked at everything. */
async function aWitness(agent: TestAgent): Promise<() => Promise<void>> {
  await agent.put("witness", { spec: aSpec({ disks: [], retainDisksSeconds: 3_600 }) });
  await agent.operate("witness", { kind: "delete", graceSeconds: 0 });
  const names = async () => (await agent.lifecycle.report(NEVER)).tombstones.map(({ name }) => String(name));
  return () => until("a sweep has looked", async () => !(await names()).includes("witness"));
}

test("it is kept for a day, told with how much it is, and gone then", async () => {
  await using world = await moved();
  const { n1, n2 } = world;
  expect(await n1.vm("web-1")).toMatchObject({
    migration: { stage: "left" },
    left: { bytes: expect.any(Number), until: expect.stringMatching(/^2026-01-02T12:00:00/) },
  });
  const hasSwept = await aWitness(n1);
  n1.clock.advance(23 * HOUR);
  await hasSwept();
  expect(existsSync(diskOf(n1))).toBe(true);
  n1.clock.advance(2 * HOUR);
  await until("it is gone", isGone(n1));
  await until("nothing is kept", async () => (await n1.lifecycle.report(NEVER)).tombstones.length === 0);
  expect(existsSync(diskOf(n1))).toBe(false);
  expect(existsSync(diskOf(n2))).toBe(true);
  expect((await n2.boot("web-1")).after).toMatchObject({ phase: "running" });
  const told = n1.lifecycle.events.since(0).events.map(({ message }) => message);
  expect(told).toContain("web-1 is whole on n2: what it left here is removed");
});

test("at once, if its manifest says so; a guest that moved as it ran leaves nothing for longer either", async () => {
  for (const mode of ["cold", "live"] as const) {
    await using world = await twoAgents({ sweepEveryMs: 5 });
    await world.n1.put("web-1", { spec: aSpec({ disks: [blank("data")], retainMovedSeconds: 0 }) });
    if (mode === "live") await world.n1.boot("web-1");
    expect(await world.move({ mode })).toMatchObject({ outcome: "done" });
    await until("it is gone", isGone(world.n1));
    expect((await world.n2.vm("web-1")).phase).toBe(mode === "live" ? "running" : "stopped");
  }
});

test("not while the other node cannot be asked, and not on the word of another data folder", async () => {
  await using world = await moved();
  const { n1, n2 } = world;
  world.reachable = false;
  world.cut();
  const hasSwept = await aWitness(n1);
  n1.clock.advance(100 * HOUR);
  await hasSwept();
  expect(existsSync(diskOf(n1))).toBe(true);
  await n2.restart({ node: { name: nodeName("n2"), id: "another-folder", agentVersion: "0.1.0", bootId: "boot-1" } });
  const before = world.dialled.length;
  world.reachable = true;
  await until("it was asked", () => world.dialled.length > before + 1);
  expect(existsSync(diskOf(n1))).toBe(true);
  await n2.restart();
  await until("it is gone", isGone(n1));
});

test("also when it was deleted where it went, or has gone on from there", async () => {
  await using world = await moved();
  const { n1, n2 } = world;
  await n2.operate("web-1", { kind: "delete", graceSeconds: 0 });
  n1.clock.advance(25 * HOUR);
  await until("it is gone", isGone(n1));
});

test("a clock that was set is not believed, by the agent that saw it leave or by its successor", async () => {
  await using world = await moved();
  const { n1 } = world;
  const hasSwept = await aWitness(n1);
  n1.clock.jump(48 * HOUR);
  n1.clock.advance(2 * HOUR);
  await hasSwept();
  expect(existsSync(diskOf(n1))).toBe(true);
  await n1.restart();
  const looksAgain = await aWitness(n1);
  n1.clock.advance(50 * 60_000);
  expect(existsSync(diskOf(n1))).toBe(true);
  n1.clock.advance(20 * 60_000);
  await looksAgain();
  await until("it is gone", isGone(n1));
});

test("disks that did not go along are kept as those of a deleted VM are", async () => {
  await using world = await twoAgents({ sweepEveryMs: 5 });
  const { n1, n2 } = world;
  await n1.put("web-1", { spec: aSpec({ disks: [blank("data"), blank("old")], retainDisksSeconds: 7 * 86_400 }) });
  await n1.boot("web-1");
  await n1.shutdown("web-1", 0);
  await n1.put("web-1", { spec: aSpec({ disks: [blank("data")] }), generation: 2 });
  expect(await world.move({ mode: "cold" })).toMatchObject({ outcome: "done" });
  expect(existsSync(diskOf(n2, "old"))).toBe(false);
  n1.clock.advance(25 * HOUR);
  await until("it is gone", isGone(n1));
  const { tombstones } = await n1.lifecycle.report(NEVER);
  expect(tombstones).toMatchObject([{ name: "web-1", disks: ["old"] }]);
  await until("what went along is removed", () => !existsSync(diskOf(n1)));
  expect(existsSync(diskOf(n1, "old"))).toBe(true);
});
