import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sharedSync } from "../../../src/agent/store/shared-sync.ts";
import type { VmStore } from "../../../src/agent/store/vm-store.ts";
import { OdoroboError } from "../../../src/model/errors.ts";
import { vmName } from "../../../src/model/names.ts";
import { lockDataFolder } from "../../../src/platform/lock-folder.ts";
import { anAgent, aSpec, NEVER } from "../../support/an-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";

const gives = (code: string) => expect.objectContaining({ code });

test.each([
  ["cut in half", (text: string) => text.slice(0, text.length / 2), "it is not JSON, perhaps cut short"],
  ["empty", () => "", "it is not JSON, perhaps cut short"],
  ["of another VM", (text: string) => text.replace('"name":"web-1"', '"name":"web-2"'), "does not name the VM"],
  ["without its generation", (text: string) => text.replace(/"generation":1,/, ""), "its field generation"],
  ["changed inside", (text: string) => text.replace('"sizeMiB":128', '"sizeMiB":129'), "its checksum differs"],
  ["rotten inside", (text: string) => text.replace('"cpus":{"count":1', '"cpus":{"count":null'), "in its spec"],
  [
    "remembering nothing",
    (text: string) => text.replace(/"completed":\[/, '"completed":[null,'),
    "its field completed",
  ],
])("a record that is %s: the agent starts, the VM is neither lost nor touched", async (_, damage, problem) => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.put("web-2");
  const folder = join(agent.dataFolder, "vms/web-1");
  const record = join(folder, "record.json");
  const damaged = damage(await readFile(record, "utf8"));
  await writeFile(record, damaged);
  for (let restart = 0; restart < 2; restart++) {
    await agent.restart();
    const report = await agent.lifecycle.report(NEVER);
    expect(report.vms.map((vm) => vm.name)).toEqual(["web-2"]);
    expect(report.unreadable).toMatchObject([{ name: "web-1" }]);
    if (restart === 0) expect(report.unreadable?.[0]?.problem).toContain(problem);
    await expect(agent.vm("web-1")).rejects.toEqual(gives("STORAGE_FAILED"));
    await expect(agent.put("web-1", { generation: 9 })).rejects.toEqual(gives("STORAGE_FAILED"));
    await expect(agent.boot("web-1")).rejects.toEqual(gives("STORAGE_FAILED"));
    await expect(agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).rejects.toEqual(gives("STORAGE_FAILED"));
    const kept = await readFile(`${record}.unreadable`, "utf8").catch(() => readFile(record, "utf8"));
    expect(kept).toBe(damaged);
  }
  expect(await readdir(join(folder, "disks"))).toEqual(["root.qcow2.placeholder"]);
});

test("what an agent without checksums wrote over a record is believed, and has one again from the next write on", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const path = join(agent.dataFolder, "vms/web-1/record.json");
  const record = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...record, serial: record.serial + 1 }));
  await agent.restart();
  expect((await agent.lifecycle.report(NEVER)).unreadable ?? []).toEqual([]);
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", serial: record.serial + 1 });
  await agent.put("web-1", { generation: 2 });
  const written = await readFile(path, "utf8");
  await writeFile(path, written.replace('"sizeMiB":128', '"sizeMiB":129'));
  await agent.restart();
  expect((await agent.lifecycle.report(NEVER)).unreadable?.[0]?.problem).toContain("its checksum differs");
});

test("a record of another version stays where it is, for the agent that can read it", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const record = join(agent.dataFolder, "vms/web-1/record.json");
  const text = await readFile(record, "utf8");
  await writeFile(record, text.replace('"format":1', '"format":2'));
  await agent.restart();
  expect((await agent.lifecycle.report(NEVER)).unreadable?.[0]?.problem).toContain("it has format 2");
  await writeFile(record, text);
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", generation: 1 });
});

test("disks without a record are not taken for nothing", async () => {
  await using agent = await anAgent();
  await mkdir(join(agent.dataFolder, "vms/web-1/disks"), { recursive: true });
  await writeFile(join(agent.dataFolder, "vms/web-1/disks/root.raw"), "precious");
  await agent.restart();
  expect((await agent.lifecycle.report(NEVER)).unreadable).toMatchObject([{ name: "web-1" }]);
});

/** The agent's own store, on a disk that is full from now on, or again not. */
const onFullDisk = (store: VmStore, isFull: () => boolean): VmStore => ({
  ...store,
  async save(record) {
    if (isFull()) throw new OdoroboError("STORAGE_FAILED", "could not write (ENOSPC)", { hint: "make room" });
    await store.save(record);
  },
});

test("on a full disk nothing is begun, and nothing is lost", async () => {
  const { openVmStore } = await import("../../../src/agent/store/vm-store.ts");
  await using folder = await aTempFolder();
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
  let full = false;
  const store = onFullDisk(await openVmStore(folders), () => full);
  await using agent = await anAgent({ ...folders, store, processes: true });
  await agent.put("web-1");
  const before = await agent.vm("web-1");
  full = true;
  await expect(agent.boot("web-1")).rejects.toEqual(gives("STORAGE_FAILED"));
  await expect(agent.put("web-1", { generation: 2 })).rejects.toEqual(gives("STORAGE_FAILED"));
  await expect(agent.put("web-2")).rejects.toEqual(gives("STORAGE_FAILED"));
  await expect(agent.operate("web-1", { kind: "delete", graceSeconds: 0 })).rejects.toEqual(gives("STORAGE_FAILED"));
  expect(await agent.vm("web-1")).toEqual(before);
  expect((await agent.lifecycle.report(NEVER)).vms.map((vm) => vm.name)).toEqual(["web-1"]);
  expect(agent.processes.running()).toEqual([]);
  full = false;
  expect((await agent.boot("web-1")).outcome).toBe("done");
});

test("a disk that fills up in the middle of a boot leaves no guest that no record names", async () => {
  const { openVmStore } = await import("../../../src/agent/store/vm-store.ts");
  await using folder = await aTempFolder();
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
  let writesLeft = Number.POSITIVE_INFINITY;
  const store = onFullDisk(await openVmStore(folders), () => writesLeft-- <= 0);
  await using agent = await anAgent({ ...folders, store, processes: true, sweepEveryMs: 10 });
  await agent.put("web-1");
  writesLeft = 1;
  const failed = await agent.boot("web-1");
  expect(failed).toMatchObject({ outcome: "failed", error: { code: "STORAGE_FAILED" }, after: { phase: "crashed" } });
  expect(agent.processes.running()).toEqual([]);
  writesLeft = Number.POSITIVE_INFINITY;
  await agent.restart({ store });
  expect((await agent.vm("web-1")).phase).toMatch(/stopped|crashed/);
});

test("a removal that was cut short is still known, and a finished one leaves nothing", async () => {
  const { openVmStore } = await import("../../../src/agent/store/vm-store.ts");
  await using folder = await aTempFolder();
  const store = await openVmStore({ dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") });
  expect(await store.load()).toEqual([]);
  await store.remove(vmName("never-there"));
  expect(await readdir(join(folder.path, "d/vms"))).toEqual([]);
  expect((await stat(join(folder.path, "d/vms"))).mode & 0o777).toBe(0o700);
});

test("a folder that cannot be written to is an error that names it", async () => {
  const { openVmStore } = await import("../../../src/agent/store/vm-store.ts");
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "d"), "a file");
  await expect(
    openVmStore({ dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") }),
  ).rejects.toMatchObject({ code: "STORAGE_FAILED", message: expect.stringContaining(join(folder.path, "d")) });
});

test("two agents do not share a data folder", async () => {
  await using folder = await aTempFolder();
  {
    await using _first = await lockDataFolder(folder.path);
    await expect(lockDataFolder(join(folder.path, "."))).rejects.toEqual(gives("DATA_FOLDER_IN_USE"));
  }
  await using _second = await lockDataFolder(folder.path);
});

test("those who come while a sync runs share the next one", async () => {
  const begun: (() => void)[] = [];
  const shared = sharedSync(() => new Promise<void>((resolve) => begun.push(resolve)));
  const first = shared();
  const others = [shared(), shared(), shared()];
  expect(begun.length).toBe(1);
  begun[0]?.();
  await first;
  await Promise.resolve();
  expect(begun.length).toBe(2);
  begun[1]?.();
  await Promise.all(others);
  expect(begun.length).toBe(2);
});

test("the spec comes back from the disk as it was given", async () => {
  await using agent = await anAgent();
  const spec = aSpec({ passthrough: { deep: [1, { a: null }] }, labels: { app: "wéb" } });
  await agent.put("web-1", { spec });
  const before = await agent.vm("web-1");
  await agent.restart();
  expect(await agent.vm("web-1")).toEqual(before);
  expect(before.spec).toEqual(spec);
});

test("a record with spaces behind it, as the reserve writes it on a full disk, is read like any other", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  const record = join(agent.dataFolder, "vms/web-1/record.json");
  await writeFile(record, (await readFile(record, "utf8")).trimEnd().padEnd(64 * 1024, " "));
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "stopped", generation: 1 });
});

test("a VM that the agent could not find out about keeps its record, though an earlier write of it had failed", async () => {
  const { openVmStore } = await import("../../../src/agent/store/vm-store.ts");
  const { createInMemorySupervisor } = await import("../../../src/agent/supervisor/in-memory/in-memory-supervisor.ts");
  await using folder = await aTempFolder();
  const folders = { dataFolder: join(folder.path, "d"), runFolder: join(folder.path, "r") };
  await using agent = await anAgent({ ...folders, processes: true, sweepEveryMs: 5 });
  await agent.put("web-1");
  await agent.boot("web-1");
  await agent.lifecycle[Symbol.asyncDispose]();
  agent.processes.end(agent.processes.running()[0]!.pid, { code: 1, signal: null });

  let full = true;
  let written = 0;
  const store = onFullDisk(await openVmStore(folders), () => full);
  const watched: VmStore = {
    ...store,
    save: (record, options) => store.save(record, options).finally(() => written++),
  };
  const supervisor = createInMemorySupervisor(agent.processes);
  const mute = { ...supervisor, stop: () => Promise.reject(new Error("no answer")) };
  await agent.restart({ store: watched, supervisor: mute });
  expect((await agent.lifecycle.report(NEVER)).unreadable).toMatchObject([{ name: "web-1" }]);
  expect(written).toBeGreaterThan(0);
  full = false;
  await agent.put("other");
  await agent.lifecycle[Symbol.asyncDispose]();
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ generation: 1 });
});
