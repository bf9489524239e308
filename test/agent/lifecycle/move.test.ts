/** Two agents move a guest: it is in one place, whatever fails, and goes on by itself where it is. */
import { expect, test } from "vitest";
import { nodeName, vmName } from "../../../src/model/names.ts";
import type { AgentApi } from "../../../src/wire/agent-api.ts";
import { makeTicket, moveGuest } from "../../../src/wire/move-guest.ts";
import { aSpec, NEVER } from "../../support/an-agent.ts";
import { twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });
const withFault = (fault: string) => aSpec({ annotations: { "noop.odorobo.dev/fail": fault } });

test.each([{ processes: true }, { processes: false }])(
  "a guest moves to another node ($processes)",
  async (options) => {
    await using world = await twoAgents(options);
    const { n1, n2 } = world;
    await n1.put("web-1", { spec: aSpec({ cpus: { count: 2, max: 4 } }), commit: "abc", generation: 7 });
    await n1.boot("web-1");

    const expected = await world.expect();
    expect(expected).toMatchObject({
      outcome: "done",
      detail: { expiresAt: expect.any(String) },
      after: { phase: "starting", migration: { role: "destination", peer: "n1", stage: "expected" } },
    });
    const result = await world.migrate();
    expect(result).toMatchObject({
      outcome: "done",
      detail: { migration: { sentBytes: 128 * 1024 * 1024, downtimeMs: expect.any(Number) } },
      after: { phase: "stopped", reason: "it moved to n2", live: null, pid: null },
    });
    expect(result.after?.migration).toMatchObject({ role: "source", peer: "n2", stage: "left", url: "node n2" });
    const arrived = await n2.vm("web-1");
    expect(arrived).toMatchObject({
      ...{ phase: "running", generation: 7, commit: "abc", drift: [], reason: null, live: { cpus: { count: 2 } } },
    });
    expect(arrived.migration).toBeUndefined();
    expect(arrived.movable).toBeUndefined();
    expect(n1.processes.running()).toHaveLength(0);
    expect(n2.processes.running()).toHaveLength(options.processes ? 1 : 0);
    await expect(n1.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
    // Asked again, by a caller whose connection was cut: told again.
    expect(await world.migrate({ id: result.id })).toMatchObject({ outcome: "done" });
    for (const agent of [n1, n2]) await agent.restart();
    expect((await n2.vm("web-1")).phase).toBe("running");
    expect((await n1.vm("web-1")).phase).toBe("stopped");
  },
);

test("a move that its source refuses gives back the room that was kept for it, and one that nobody sends is no obstacle", async () => {
  await using world = await twoAgents({ processes: false });
  const { n1, n2 } = world;
  await n1.put("web-1", { spec: aSpec() });
  await n1.boot("web-1");
  const report = await n1.vm("web-1");
  const ends = {
    from: { node: nodeName("n1"), agent: n1.lifecycle as unknown as AgentApi },
    to: { node: nodeName("n2"), agent: n2.lifecycle as unknown as AgentApi, address: "http://n2:8890" },
  };
  const stale = { generation: report.generation, serial: report.serial + 7 };
  const asked = moveGuest(
    {
      ...{ vm: vmName("web-1"), report, fleet: report.fleet, ...ends, expect: stale, ticket: makeTicket() },
      ids: { expect: "e", migrate: "m" },
    },
    NEVER,
  );
  await expect(asked).rejects.toEqual(gives("STALE_SERIAL"));
  await expect(n2.vm("web-1")).rejects.toEqual(gives("NOT_FOUND"));

  await world.expect("t".repeat(43));
  const elsewhere = { kind: "expect-guest", from: nodeName("n3"), ticket: "u".repeat(43) } as const;
  const { spec, generation, fleet } = report;
  expect(await n2.operate("web-1", { ...elsewhere, generation, spec, fleet })).toMatchObject({
    outcome: "done",
    after: { migration: { peer: "n3", stage: "expected" } },
  });
});

test("a VM that moved away and left no disks may be made anew where it was, by who knows that it lives nowhere", async () => {
  await using world = await twoAgents({ processes: false });
  const { n1, n2 } = world;
  await n1.put("web-1", { spec: aSpec({ disks: [] }), generation: 7 });
  await n1.boot("web-1");
  await world.move();
  await n2[Symbol.asyncDispose]();
  const anew = { spec: aSpec({ disks: [] }), expect: null } as const;
  expect(await n1.put("web-1", { ...anew, generation: 8 })).toMatchObject({
    outcome: "done",
    after: { phase: "stopped", generation: 8 },
  });
  expect((await n1.vm("web-1")).migration).toBeUndefined();
  expect((await n1.boot("web-1")).after).toMatchObject({ phase: "running" });
});

test("what it left is as old as its move, however late it is deleted: newer disks elsewhere outrank it", async () => {
  await using world = await twoAgents({ processes: false });
  await world.n1.put("web-1", { spec: aSpec() });
  await world.n1.boot("web-1");
  const moved = await world.move();
  const since = moved.after?.migration?.since;
  expect(since).toBeDefined();
  const { tombstone } = await world.n1.operate("web-1", { kind: "delete", graceSeconds: null });
  expect(tombstone).toMatchObject({ name: "web-1", deletedAt: since });
  expect(Date.parse(tombstone?.retainUntil ?? "")).toBeGreaterThan(Date.parse(since ?? ""));
});

test("how long its boot, its move and its stop took is told by the nodes where that was, after a restart, too", async () => {
  await using world = await twoAgents({ processes: false });
  const historyOf = async (agent: typeof world.n1) => (await agent.lifecycle.report(NEVER)).history;
  await world.n1.put("web-1", { spec: aSpec() });
  expect(await historyOf(world.n1)).toBeUndefined();
  await world.n1.boot("web-1");
  await world.move();
  await world.n2.shutdown("web-1");
  for (const agent of [world.n1, world.n2]) await agent.restart();
  const sample = { at: expect.any(String), seconds: expect.any(Number) };
  const move = { ...sample, mode: "live", sentMiB: expect.any(Number), memoryMiB: 128 };
  expect(await historyOf(world.n1)).toEqual([
    { name: "web-1", boots: [sample], moves: [{ ...move, downtimeMs: expect.toBeOneOf([null, expect.any(Number)]) }] },
  ]);
  expect(await historyOf(world.n2)).toEqual([{ name: "web-1", stops: [sample] }]);
});

test("what cannot be prepared is refused before anything is sent, and the guest runs on", async () => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1", { spec: withFault("receive") });
  await world.n1.boot("web-1");
  const failed = await world.move();
  expect(failed).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" }, after: { phase: "running" } });
  expect(failed.after?.migration).toBeUndefined();
  await expect(world.n2.vm("web-1")).rejects.toEqual(gives("NOT_FOUND"));
  expect(world.n2.processes.running()).toEqual([]);
});

test.each(["migrate", "arrive", "take"])("it stays when it fails to %s, and can be moved again", async (fault) => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1", { spec: withFault(fault) });
  await world.n1.boot("web-1");
  expect(await world.move()).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
  await until("it is gone over there", () =>
    world.n2.vm("web-1").then(
      () => false,
      () => true,
    ),
  );
  expect(await world.n1.vm("web-1")).toMatchObject({ phase: "running", reason: null });
  expect(world.n1.processes.running()).toHaveLength(1);
  expect(world.n2.processes.running()).toEqual([]);
  // Its ticket is spent.
  expect(await world.migrate()).toMatchObject({ outcome: "failed" });
  await world.n1.put("web-1", { spec: aSpec(), generation: 2 });
  await world.n1.restart();
  expect(await world.move({ ticket: "u".repeat(43) })).toMatchObject({ outcome: "done" });
});

test("a move that failed tells nothing of how long moves take", async () => {
  await using world = await twoAgents({ processes: true });
  await world.n1.put("web-1", { spec: withFault("migrate") });
  await world.n1.boot("web-1");
  expect(await world.move()).toMatchObject({ outcome: "failed" });
  expect((await world.n1.lifecycle.report(NEVER)).history?.[0]).not.toHaveProperty("moves");
});

test("a ticket that nobody knows moves nothing", async () => {
  await using world = await twoAgents();
  await world.n1.put("web-1");
  await world.n1.boot("web-1");
  await world.expect();
  expect(await world.migrate({ ticket: "x".repeat(43) })).toMatchObject({
    outcome: "failed",
    error: { code: "UNAUTHORIZED" },
    after: { phase: "running" },
  });
});

test("room is kept for a while", async () => {
  await using world = await twoAgents();
  await world.n1.put("web-1");
  await world.n1.boot("web-1");
  await world.expect();
  world.n2.clock.advance(11 * 60_000);
  await until("it is not expected any more", () =>
    world.n2.vm("web-1").then(
      () => false,
      () => true,
    ),
  );
  expect(await world.migrate()).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
  expect(await world.n1.vm("web-1")).toMatchObject({ phase: "running" });
});
