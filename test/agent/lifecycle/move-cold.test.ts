/** Two agents move a VM that is off: its disks are the same there, whatever broke on the way, and it has one home. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { SEGMENT_BYTES } from "../../../src/agent/storage/disk-segments.ts";
import { aSmallDisk } from "../../support/a-small-disk.ts";
import { aSpec, type TestAgent, type TestAgentOptions } from "../../support/an-agent.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { type TwoAgents, twoAgents } from "../../support/two-agents.ts";
import { until } from "../../support/until.ts";

const gives = (code: string) => expect.objectContaining({ code });
const DISK = { name: "data", origin: { kind: "blank", sizeMiB: 64 }, readonly: false } as const;
const COLD = { mode: "cold" } as const;
const diskOf = (agent: TestAgent) => join(agent.dataFolder, "vms/web-1/disks/data.raw.placeholder");
const sum = async (agent: TestAgent) =>
  createHash("sha256")
    .update(await readFile(diskOf(agent)))
    .digest("hex");
const stage = async (agent: TestAgent) => (await agent.vm("web-1").catch(() => null))?.migration?.stage ?? null;
const isAbsent = (agent: TestAgent) => () =>
  agent.vm("web-1").then(
    () => false,
    () => true,
  );

/** On n1, off, with a disk of five segments: bytes, a hole, bytes, zeros that were written, and an end in the middle of a block. */
async function withDisk(
  options: TestAgentOptions = {},
  each: Parameters<typeof twoAgents>[1] = {},
): Promise<TwoAgents> {
  const world = await twoAgents(options, each);
  await world.n1.put("web-1", {
    spec: aSpec({ disks: [DISK], cpus: { count: 2, max: 4 } }),
    commit: "abc",
    generation: 7,
  });
  await mkdir(dirname(diskOf(world.n1)), { recursive: true });
  const file = await open(diskOf(world.n1), "w");
  const write = (segment: number, bytes: Buffer) => file.write(bytes, 0, bytes.length, segment * SEGMENT_BYTES + 4096);
  await write(0, Buffer.alloc(300_000, "first"));
  await write(2, Buffer.alloc(700_000, "third"));
  await write(3, Buffer.alloc(100_000, 0));
  await write(4, Buffer.alloc(70_001, "last"));
  await file.close();
  return world;
}

async function isThere(world: TwoAgents, bytes: string): Promise<void> {
  expect(await world.n2.vm("web-1")).toMatchObject({ phase: "stopped", generation: 7, commit: "abc", disks: ["data"] });
  expect((await world.n2.vm("web-1")).migration).toBeUndefined();
  expect(await world.n1.vm("web-1")).toMatchObject({ phase: "stopped", migration: { stage: "left", peer: "n2" } });
  expect(await sum(world.n2)).toBe(bytes);
  // It stays as it was where it came from.
  expect(await sum(world.n1)).toBe(bytes);
}

async function isHome(world: TwoAgents, bytes: string): Promise<void> {
  await until("nothing of it is kept", isAbsent(world.n2));
  expect((await world.n1.vm("web-1")).migration).toBeUndefined();
  expect(await sum(world.n1)).toBe(bytes);
  expect((await world.n1.boot("web-1")).after).toMatchObject({ phase: "running" });
}

test.each([{ processes: true }, { processes: false }])(
  "a VM that is off moves with its disks ($processes)",
  async (options) => {
    await using world = await withDisk(options);
    const bytes = await sum(world.n1);
    expect(await world.expect(undefined, "cold")).toMatchObject({ outcome: "done" });
    const result = await world.migrate(COLD);
    expect(result).toMatchObject({
      outcome: "done",
      detail: { migration: { downtimeMs: null, checksums: { data: expect.stringMatching(/^[0-9a-f]{64}$/) } } },
      after: { phase: "stopped", reason: "it moved to n2" },
    });
    await isThere(world, bytes);
    // Holes stay holes, and zeros that were written are none worth sending.
    expect((await stat(diskOf(world.n2))).blocks).toBeLessThanOrEqual((await stat(diskOf(world.n1))).blocks);
    const { sentBytes = 0 } = result.detail?.migration ?? {};
    expect(sentBytes).toBeGreaterThan(1_070_000);
    expect(sentBytes).toBeLessThan(1_400_000);
    await expect(world.n1.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
    for (const agent of [world.n1, world.n2]) await agent.restart();
    await isThere(world, bytes);
    expect((await world.n2.boot("web-1")).after).toMatchObject({ phase: "running", drift: [] });
  },
);

test("a guest that runs is not moved cold, and one that is off not live", async () => {
  await using world = await withDisk();
  await expect(world.migrate()).rejects.toEqual(gives("WRONG_PHASE"));
  await world.n1.boot("web-1");
  await expect(world.migrate(COLD)).rejects.toEqual(gives("WRONG_PHASE"));
});

test.each([0, 44, 5_000, 400_000, 1_072_000])(
  "a link that breaks after %d bytes: it goes on where it was",
  async (offset) => {
    await using world = await withDisk();
    const bytes = await sum(world.n1);
    await world.expect(undefined, "cold");
    world.cutAfter = offset;
    const result = await world.migrate(COLD);
    expect(world.cutAfter).toBeNull();
    expect(result).toMatchObject({ outcome: "done" });
    await isThere(world, bytes);
    // Twice at most what was on its way when it broke: one segment.
    expect(result.detail?.migration?.sentBytes).toBeLessThan(1_400_000 + 800_000);
    expect(world.dialled.filter((channel) => channel === "control").length).toBeGreaterThan(1);
  },
);

test("what was there before the break is not sent again", async () => {
  await using world = await withDisk();
  await world.expect(undefined, "cold");
  // In the last segment.
  world.cutAfter = 1_120_000;
  const result = await world.migrate(COLD);
  expect(result.detail?.migration?.sentBytes).toBeLessThan(1_400_000);
});

test("somebody writes to the disk in between: what was sent of it is sent again, and the checksum is that of the end", async () => {
  await using world = await withDisk();
  await world.expect(undefined, "cold");
  world.cutAfter = 1_000_000;
  const moving = world.migrate(COLD);
  await until("the link broke", () => world.cutAfter === null);
  const file = await open(diskOf(world.n1), "r+");
  await file.write(Buffer.from("other"), 0, 5, 5_000);
  await file.close();
  expect(await moving).toMatchObject({ outcome: "done" });
  await isThere(world, await sum(world.n1));
});

test("a node that is away for longer than anybody waits: it stays, and what was begun there is thrown away", async () => {
  await using world = await withDisk({ coldPatienceMs: 0 });
  const bytes = await sum(world.n1);
  await world.expect(undefined, "cold");
  world.cutAfter = 1_000;
  const moving = world.migrate(COLD);
  await until("the link broke", () => world.cutAfter === null);
  world.reachable = false;
  expect(await moving).toMatchObject({ outcome: "failed", error: { code: "AGENT_UNREACHABLE" } });
  world.reachable = true;
  await isHome(world, bytes);
});

test("it is called off while its disks are on their way", async () => {
  await using world = await withDisk();
  const bytes = await sum(world.n1);
  await world.expect(undefined, "cold");
  // 100 KiB a second: nobody waits for its end.
  const moving = world.migrate({ ...COLD, bandwidthMiBps: 0.1 });
  await until("it says how far it is", async () => world.dialled.includes("disk.data"));
  await until("it is told", () => world.n1.lifecycle.operation("migrate-1")?.progress?.stage === "disks");
  await world.n1.operate("web-1", { kind: "cancel-migration" });
  expect(await moving).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
  await isHome(world, bytes);
});

test("it comes back to what it left: only what differs is sent", async () => {
  await using world = await withDisk();
  expect(await world.move(COLD)).toMatchObject({ outcome: "done" });
  const file = await open(diskOf(world.n2), "r+");
  await file.write(Buffer.from("written there"), 0, 13, 2 * SEGMENT_BYTES);
  await file.close();
  // The same world, seen from the other side.
  const there = await world.n2.vm("web-1");
  const ticket = "v".repeat(43);
  const expected = await world.n1.operate("web-1", {
    ...{ kind: "expect-guest", from: "n2" as never, ticket, mode: "cold" },
    ...{ generation: there.generation, spec: there.spec },
  });
  expect(expected).toMatchObject({ outcome: "done" });
  const back = await world.n2.operate("web-1", {
    ...{ kind: "migrate", mode: "cold" },
    to: { node: "n1" as never, address: "http://n1:8890", ticket, fingerprint: null },
  });
  expect(back).toMatchObject({ outcome: "done" });
  expect(back.detail?.migration?.sentBytes).toBeLessThan(900_000);
  expect(await sum(world.n1)).toBe(await sum(world.n2));
  expect((await world.n1.vm("web-1")).migration).toBeUndefined();
  expect(await stage(world.n2)).toBe("left");
});

test("given, and nobody hears of it any more: a person takes it by hand where it is whole, and its source lets go when it can", async () => {
  await using world = await withDisk();
  const bytes = await sum(world.n1);
  await world.expect(undefined, "cold");
  world.goneAt = "take";
  expect(await world.migrate(COLD)).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_UNSETTLED" } });
  expect([await stage(world.n1), await stage(world.n2)]).toEqual(["given", "whole"]);
  await expect(world.n1.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
  await expect(world.n2.boot("web-1")).rejects.toEqual(gives("WRONG_PHASE"));
  await world.n2.restart();
  expect(await world.n2.operate("web-1", { kind: "resume" })).toMatchObject({ outcome: "done" });
  expect((await world.n2.boot("web-1")).after).toMatchObject({ phase: "running" });
  world.reachable = true;
  await until("its source has let go", async () => (await stage(world.n1)) === "left");
  expect(await sum(world.n2)).toBe(bytes);
});

test("a source that stays away: what came is thrown away, and it stays where it was when it is back", async () => {
  await using world = await withDisk({ coldAwayMs: 20 });
  const bytes = await sum(world.n1);
  await world.expect(undefined, "cold");
  world.goneAt = "whole";
  const moving = world.migrate(COLD);
  await until("it is thrown away", isAbsent(world.n2));
  await expect(stat(diskOf(world.n2))).rejects.toMatchObject({ code: "ENOENT" });
  world.reachable = true;
  expect(await moving).toMatchObject({ outcome: "failed", error: { code: "MIGRATION_FAILED" } });
  await isHome(world, bytes);
});

test.runIf(requires("a disk that is full where the VM goes", "mounts"))(
  "a disk that fills where it goes: it is refused by that name, and stays where it was",
  async () => {
    await using folder = await aTempFolder();
    await using small = await aSmallDisk(folder.path);
    await using world = await withDisk({}, { n2: { dataFolder: small.path } });
    await writeFile(diskOf(world.n1), randomBytes(4 * 1024 * 1024));
    const bytes = await sum(world.n1);
    await world.expect(undefined, "cold");
    expect(await world.migrate(COLD)).toMatchObject({ outcome: "failed", error: { code: "INSUFFICIENT_STORAGE" } });
    await isHome(world, bytes);
  },
);
