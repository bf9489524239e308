/** A full disk, told by the store: what ends or frees goes on, what would need room is refused before it begins, and nothing is lost. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { diskStorage } from "../../../src/agent/storage/disk-storage.ts";
import { openVmStore, type VmStore } from "../../../src/agent/store/vm-store.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { aSmallDisk } from "../../support/a-small-disk.ts";
import { anAgent, type TestAgent } from "../../support/an-agent.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const REFUSED = expect.objectContaining({ code: "INSUFFICIENT_STORAGE" });

/** With real records; full from `fill` on for all that does not go by the reserve. */
async function anAgentOnADisk() {
  const folder = await aTempFolder();
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
  const real = await openVmStore(folders);
  let isFull = false;
  const store: VmStore = {
    ...real,
    async save(record, options) {
      if (isFull && options?.fromReserve !== true) throw new OdoroboError("INSUFFICIENT_STORAGE", "no room (ENOSPC)");
      await real.save(record, options);
    },
  };
  const agent = await anAgent({ ...folders, store, processes: true });
  return {
    agent,
    fill() {
      isFull = true;
    },
    empty() {
      isFull = false;
    },
    record: async (name: string) =>
      JSON.parse(await readFile(join(folders.dataFolder, "vms", name, "record.json"), "utf8")),
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function running(agent: TestAgent, ...names: string[]): Promise<void> {
  for (const name of names) {
    await agent.put(name);
    await agent.boot(name);
  }
}

test("what would need room is refused, and nothing has happened", async () => {
  await using world = await anAgentOnADisk();
  const { agent, fill } = world;
  await running(agent, "web-1");
  await agent.put("web-2");
  const before = await agent.vm("web-1");
  fill();
  await expect(agent.put("web-3")).rejects.toEqual(REFUSED);
  await expect(agent.put("web-1", { generation: 2 })).rejects.toEqual(REFUSED);
  await expect(agent.boot("web-2")).rejects.toEqual(REFUSED);
  await expect(agent.operate("web-1", { kind: "reboot", graceSeconds: 0 })).rejects.toEqual(REFUSED);
  expect(await agent.vm("web-1")).toEqual(before);
});

test("what ends or frees goes on, with its journal", async () => {
  await using world = await anAgentOnADisk();
  const { agent, fill, record } = world;
  await running(agent, "web-1", "web-2", "web-3");
  fill();
  expect(await agent.operate("web-1", { kind: "pause" })).toMatchObject({ outcome: "done" });
  expect(await agent.operate("web-1", { kind: "resume" })).toMatchObject({ outcome: "done" });
  expect(await agent.shutdown("web-1", 0)).toMatchObject({ outcome: "done" });
  expect(await record("web-1")).toMatchObject({ phase: "stopped", endedBy: "operator", unfinished: null });
  expect(await agent.operate("web-2", { kind: "power-button" })).toMatchObject({ outcome: "done" });
  expect(await agent.operate("web-3", { kind: "delete", graceSeconds: 0 })).toMatchObject({ outcome: "done" });
  expect(await record("web-3")).toMatchObject({ state: "tombstone", unfinished: null });
  // Off, so that the tombstone is all there is to write.
  expect(await agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).toMatchObject({ outcome: "done" });
  expect(await agent.operate("web-3", { kind: "purge" })).toMatchObject({ outcome: "done", after: null });
  await expect(record("web-3")).rejects.toMatchObject({ code: "ENOENT" });
});

test("a guest that crashes is told by what ended it, waits for room without using up its patience, and is started then", async () => {
  await using world = await anAgentOnADisk();
  const { agent, fill, empty, record } = world;
  await running(agent, "web-1");
  fill();
  for (const { pid } of agent.processes.running()) agent.processes.end(pid, { code: null, signal: "SIGKILL" });
  await until("it is seen", async () => (await agent.vm("web-1")).phase === "crashed");
  const { reason: cause } = await agent.vm("web-1");
  expect(cause).toContain("its process ended");
  for (let turn = 0; turn < 15; turn++) {
    agent.clock.advance(300_000);
    await until("it was tried", async () => /waits for room/.test((await agent.vm("web-1")).reason ?? ""));
  }
  const waits = await agent.vm("web-1");
  expect(waits).toMatchObject({
    phase: "crashed",
    restart: { attempts: 0, givenUp: false },
    lastEvent: { kind: "crash" },
  });
  expect(waits.reason).toBe(`${cause}; it waits for room on the disk to be started again`);
  await until("it is written down", async () => (await record("web-1")).reason === waits.reason);
  expect(agent.processes.running()).toEqual([]);
  empty();
  await until("it runs again", async () => {
    agent.clock.advance(1_000);
    return (await agent.vm("web-1")).phase === "running";
  });
});

test("a start of the agent's own that finds no room for a disk, after there was room for the record, waits just so", async () => {
  let isFull = false;
  const storage: typeof diskStorage = {
    ...diskStorage,
    async ensure(...args) {
      // As Node says it: whoever makes disks need not have foreseen it.
      if (isFull) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      return diskStorage.ensure(...args);
    },
  };
  await using agent = await anAgent({ processes: true, storage });
  await running(agent, "web-1");
  await agent.put("web-2");
  isFull = true;
  expect(await agent.boot("web-2")).toMatchObject({ outcome: "failed", error: { code: "INSUFFICIENT_STORAGE" } });
  for (const { pid } of agent.processes.running()) agent.processes.end(pid, { code: null, signal: "SIGKILL" });
  await until("it is seen", async () => (await agent.vm("web-1")).phase === "crashed");
  const { reason: cause } = await agent.vm("web-1");
  agent.clock.advance(300_000);
  await until("it was tried", async () => /waits for room/.test((await agent.vm("web-1")).reason ?? ""));
  expect(await agent.vm("web-1")).toMatchObject({
    reason: `${cause}; it waits for room on the disk to be started again`,
    restart: { attempts: 0, givenUp: false },
  });
  isFull = false;
  await until("it runs again", async () => {
    agent.clock.advance(1_000);
    return (await agent.vm("web-1")).phase === "running";
  });
});

describe.runIf(requires("a disk that has no room for one more file", "mounts"))("a disk without inodes", () => {
  test("refuses what needs a file by its name, and ends what there is", async () => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await using agent = await anAgent({
      processes: true,
      dataFolder: join(disk.path, "d"),
      runFolder: join(folder.path, "r"),
    });
    await running(agent, "web-1");
    await agent.put("web-2");
    await until("the reserve is there", async () => (await readdir(join(disk.path, "d/reserve"))).length >= 6);
    await disk.fillFiles();
    await expect(agent.boot("web-2")).rejects.toEqual(REFUSED);
    await expect(agent.put("web-3")).rejects.toEqual(REFUSED);
    expect(await agent.shutdown("web-1", 0)).toMatchObject({ outcome: "done" });
    expect(await agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).toMatchObject({ outcome: "done" });
    expect(await agent.operate("web-1", { kind: "purge" })).toMatchObject({ outcome: "done" });
    await agent.restart();
    expect(await agent.vm("web-2")).toMatchObject({ phase: "stopped" });
  });
});

describe.runIf(requires("a disk that became read-only under an agent", "mounts"))("a read-only disk", () => {
  test("is named by whatever needs to write, a first boot and a first put among them, and never a surprise", async () => {
    await using folder = await aTempFolder();
    await using disk = await aSmallDisk(folder.path);
    await using agent = await anAgent({
      processes: true,
      dataFolder: join(disk.path, "d"),
      runFolder: join(folder.path, "r"),
    });
    await agent.put("web-1");
    await disk.remount("ro");
    const readOnly = expect.objectContaining({ code: "STORAGE_FAILED", message: expect.stringContaining("EROFS") });
    await expect(agent.boot("web-1")).rejects.toEqual(readOnly);
    await expect(agent.put("web-2")).rejects.toEqual(readOnly);
    await disk.remount("rw");
    expect(await agent.boot("web-1")).toMatchObject({ outcome: "done" });
  });
});
