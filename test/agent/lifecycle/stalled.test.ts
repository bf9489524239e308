/** Guests that their hypervisor stopped because a write found no room: told as that, left to nobody, and let go on when there is room. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { anAgent, type TestAgent, type TestAgentOptions } from "../../support/an-agent.ts";
import { editRecord } from "../../support/edit-record.ts";
import { until } from "../../support/until.ts";

const STANDS =
  "stands still (io-error): no room for what it writes to disk root; it goes on by itself when there is room";

/** Its guest has a disk; there is room on it when the test says so. */
async function anAgentWithoutRoom(options: TestAgentOptions = {}) {
  let room: number | null = 0;
  const storage = { ...diskStorage, roomFor: async () => room };
  const agent = await anAgent({ processes: true, storage, roomEveryMs: 2, ...options });
  await agent.put("web-1");
  await agent.boot("web-1");
  return Object.assign(agent, {
    makeRoom(bytes: number | null) {
      room = bytes;
    },
  });
}

/** As QEMU does it, by the rehearsed guest's file. */
async function stall(agent: TestAgent, disks: readonly string[] = ["root"]): Promise<void> {
  const file = join(agent.runFolder, "vms/web-1/guest.json");
  const guest = JSON.parse(await readFile(file, "utf8"));
  const seen = () => told(agent).filter((each) => each.includes("stands still")).length;
  const before = seen();
  await writeFile(file, JSON.stringify({ ...guest, phase: "paused", noRoomFor: disks }));
  // By the event: one that is let go on at once may be running again when it is asked.
  await until("it is seen", async () => (await agent.vm("web-1")) && seen() > before);
}

const told = (agent: TestAgent): string[] => agent.lifecycle.events.since(0).events.map(({ message }) => message);

test("is not told as paused by somebody: which disk, and that room is needed", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  expect(await agent.vm("web-1")).toMatchObject({
    phase: "paused",
    reason: STANDS,
    stalled: { disks: ["root"], noRoom: true },
  });
  expect(told(agent).filter((each) => each.includes("stands still"))).toEqual([`web-1 ${STANDS}`]);
  expect(told(agent).join()).not.toContain("someone else");
});

test("goes on when there is room, and not before; then nothing is left to say", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  agent.makeRoom(1024 * 1024);
  const { serial } = await agent.vm("web-1");
  for (let look = 0; look < 20; look++) await agent.vm("web-1");
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", serial });
  agent.makeRoom(64 * 1024 * 1024);
  await until("it goes on", async () => (await agent.vm("web-1")).phase === "running");
  const runs = await agent.vm("web-1");
  expect(runs).toMatchObject({ reason: null, serial: serial + 1 });
  expect(runs.stalled).toBe(undefined);
  expect(told(agent).at(-1)).toBe("web-1 goes on: what could not be written is being written");
});

test("where nobody knows the room it is let try, once in a while", async () => {
  await using agent = await anAgentWithoutRoom();
  agent.makeRoom(null);
  await stall(agent);
  await until("it was let try at once", async () => (await agent.vm("web-1")).phase === "running");
  await stall(agent);
  const { serial } = await agent.vm("web-1");
  for (let look = 0; look < 20; look++) await agent.vm("web-1");
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", serial });
  agent.clock.advance(60_000);
  await until("it was let try again", async () => (await agent.vm("web-1")).phase === "running");
});

test("one that an operator paused stays paused, whatever room there is", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  await agent.operate("web-1", { kind: "pause" });
  agent.makeRoom(64 * 1024 * 1024);
  for (let look = 0; look < 20; look++) await agent.vm("web-1");
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", reason: "paused by an operator" });
  expect((await agent.vm("web-1")).stalled).toBe(undefined);
});

test("one that somebody let go on and paused, unseen, stays paused, too: the guest is asked, not the record", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  const file = join(agent.runFolder, "vms/web-1/guest.json");
  const { noRoomFor: _, ...guest } = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...guest, phase: "paused" }));
  agent.makeRoom(64 * 1024 * 1024);
  await until("it is seen", async () => (await agent.vm("web-1")).stalled === undefined);
  for (let look = 0; look < 20; look++) await agent.vm("web-1");
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", reason: "paused by someone else" });
});

test("an operator's pause of it counts also when the agent died in the middle of it", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  const file = join(agent.dataFolder, "vms/web-1/record.json");
  const { since } = JSON.parse(await readFile(file, "utf8"));
  await editRecord(file, { unfinished: { id: "p", kind: "pause", graceSeconds: null, begunAt: since } });
  await agent.restart();
  expect(agent.lifecycle.operation("p")).toMatchObject({ outcome: "done" });
  agent.makeRoom(64 * 1024 * 1024);
  for (let look = 0; look < 20; look++) await agent.vm("web-1");
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", reason: "paused by an operator" });
});

test("the next agent knows it, too: one that had noted it, and one that died before", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", reason: STANDS, stalled: { disks: ["root"] } });

  const file = join(agent.dataFolder, "vms/web-1/record.json");
  const record = JSON.parse(await readFile(file, "utf8"));
  for (const unfinished of [null, { id: "u", kind: "update", graceSeconds: null, begunAt: record.since }]) {
    await editRecord(file, {
      ...record,
      phase: "running",
      reason: null,
      stalled: null,
      unfinished,
    });
    await agent.restart();
    await until("it is seen", async () => (await agent.vm("web-1")).phase === "paused");
    expect(await agent.vm("web-1")).toMatchObject({ phase: "paused", reason: STANDS, stalled: { disks: ["root"] } });
  }
});

test("one that dies while it stands still is started again: nobody had paused it", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  for (const { pid } of agent.processes.running()) agent.processes.end(pid, { code: null, signal: "SIGKILL" });
  await until("it is seen", async () => (await agent.vm("web-1")).phase === "crashed");
  expect(await agent.vm("web-1")).toMatchObject({ restart: { attempts: 0, givenUp: false } });
});

test("can be shut down", async () => {
  await using agent = await anAgentWithoutRoom();
  await stall(agent);
  expect(await agent.shutdown("web-1")).toMatchObject({ outcome: "done" });
  expect((await agent.vm("web-1")).stalled).toBe(undefined);
});
