/** Guests that run and that no record explains: another data folder, an older copy of it. Nothing is started, ended or removed. */
import { cp, rm, stat, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { claimRunFolder } from "../../../src/agent/store/run-folder.ts";
import { createInMemorySupervisor } from "../../../src/agent/supervisor/in-memory/in-memory-supervisor.ts";
import { vmName } from "../../../src/model/names.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { anAgent, aSpec, NEVER } from "../../support/an-agent.ts";

const web1 = vmName("web-1");
const unexplained = expect.objectContaining({ code: "GUEST_UNEXPLAINED", hint: expect.stringContaining("--data") });

test("with an empty data folder a guest that runs is held: not absent, and nothing is done to it", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  const running = agent.processes.running();
  await agent.restart({ dataFolder: `${agent.dataFolder}.other` });

  const report = await agent.lifecycle.report(NEVER);
  expect(report.vms).toEqual([]);
  expect(report.unreadable).toEqual([
    {
      name: "web-1",
      held: true,
      problem: expect.stringMatching(/^process \d+ runs as web-1, and no record here knows of it$/),
    },
  ]);
  await expect(agent.put("web-1")).rejects.toEqual(unexplained);
  for (const kind of ["boot", "reboot", "shutdown", "delete", "purge"] as const)
    await expect(agent.operate("web-1", { kind, graceSeconds: 0 } as never)).rejects.toEqual(unexplained);
  await expect(agent.vm("web-1")).rejects.toEqual(unexplained);
  expect(agent.processes.running()).toEqual(running);

  // With the data folder that knows it all is as it was.
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "running", pid: running[0]!.pid, generation: 1 });
  expect((await agent.lifecycle.report(NEVER)).unreadable).toBeUndefined();
});

test("a held VM is let go by itself once its guest has ended", async () => {
  await using agent = await anAgent({ processes: true });
  await agent.put("web-1");
  await agent.boot("web-1");
  await agent.restart({ dataFolder: `${agent.dataFolder}.other` });
  await expect(agent.put("web-1")).rejects.toEqual(unexplained);
  agent.processes.end(agent.processes.running()[0]!.pid, { code: 0, signal: null });
  expect((await agent.lifecycle.report(NEVER)).unreadable).toBeUndefined();
  expect(await agent.put("web-1", { id: "again" })).toMatchObject({ outcome: "done", kind: "create" });
});

test("a socket that answers below the run folder holds its VM, though no process can be seen", async () => {
  await using agent = await anAgent();
  await agent.put("web-1");
  await agent.boot("web-1");
  await agent.shutdown("web-1", 0);
  const socket = join(agent.runFolder, "vms", "web-1", "ch.sock");
  const server = createServer((line) => line.destroy());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    // An agent that runs meets it at the boot, one that starts looks for it.
    expect(await agent.boot("web-1")).toMatchObject({ outcome: "failed", error: { code: "GUEST_UNEXPLAINED" } });
    expect((await stat(socket)).isSocket()).toBe(true);
    await agent.restart();
    expect((await agent.lifecycle.report(NEVER)).unreadable).toMatchObject([
      { name: "web-1", held: true, problem: expect.stringContaining("ch.sock") },
    ]);
    await expect(agent.boot("web-1")).rejects.toEqual(unexplained);
    expect((await stat(socket)).isSocket()).toBe(true);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  expect(await agent.boot("web-1")).toMatchObject({ outcome: "done" });
});

test("a record that is older than the guest adopts it where it knows its disks, and holds it where it does not", async () => {
  await using agent = await anAgent({ processes: true });
  const older = `${agent.dataFolder}.older`;
  const blank = (name: string) => ({ name, origin: { kind: "blank", sizeMiB: 1 } as const, readonly: false });
  await agent.put("web-1", { spec: aSpec({ disks: [] }) });
  await agent.put("db-1", { spec: aSpec({ disks: [] }) });
  await agent.boot("db-1");
  await cp(agent.dataFolder, older, { recursive: true });
  await agent.boot("web-1");
  await agent.shutdown("db-1", 0);
  await agent.put("db-1", { id: "grown", generation: 2, spec: aSpec({ disks: [blank("data")] }) });
  await agent.boot("db-1");
  const running = agent.processes.running();
  expect(running.map(({ name }) => name)).toEqual(["web-1", "db-1"]);

  await agent.lifecycle[Symbol.asyncDispose]();
  await rm(agent.dataFolder, { recursive: true });
  await cp(older, agent.dataFolder, { recursive: true });
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "running", pid: running[0]!.pid });
  expect((await agent.lifecycle.report(NEVER)).unreadable).toMatchObject([
    { name: "db-1", held: true, problem: expect.stringContaining("its record here does not know of that") },
  ]);
  await expect(agent.boot("db-1")).rejects.toEqual(unexplained);
  expect(agent.processes.running()).toEqual(running);

  // It is adopted for good, and its record is read as any other at the next start.
  await agent.restart();
  expect(await agent.vm("web-1")).toMatchObject({ phase: "running", pid: running[0]!.pid });
  await agent.shutdown("web-1", 0);
  expect(agent.processes.running().map(({ name }) => name)).toEqual(["db-1"]);
  agent.processes.end(running[1]!.pid, { code: 0, signal: null });
  // Its record counts again: what it knew as running has ended.
  expect(await agent.vm("db-1")).toMatchObject({ generation: 1, pid: null });
});

test("a run folder belongs to one data folder while guests run below it, and to the next one when none does", async () => {
  await using agent = await anAgent({ processes: true });
  const supervisor = createInMemorySupervisor(agent.processes);
  const claim = (nodeId: string) =>
    claimRunFolder({ runFolder: agent.runFolder, dataFolder: "/data", nodeId, supervisor, log: silentLogger });
  await claim("id-1");
  await agent.put("web-1");
  await agent.boot("web-1");
  await claim("id-1");
  await expect(claim("id-2")).rejects.toEqual(
    expect.objectContaining({
      code: "DATA_FOLDER_MISMATCH",
      message: expect.stringMatching(/\/data.*web-1: process \d+/),
    }),
  );
  await agent.shutdown("web-1", 0);
  await claim("id-2");
  await claim("id-2");
  await agent.boot("web-1");
  await expect(claim("id-1")).rejects.toEqual(expect.objectContaining({ code: "DATA_FOLDER_MISMATCH" }));
  expect((await agent.vm(web1)).phase).toBe("running");
});

test("a run folder that an agent of before left without an id is not claimed for a data folder that does not know its guests", async () => {
  await using agent = await anAgent({ processes: true });
  const supervisor = createInMemorySupervisor(agent.processes);
  const claim = (nodeId: string, dataFolder: string) =>
    claimRunFolder({ runFolder: agent.runFolder, dataFolder, nodeId, supervisor, log: silentLogger });
  await agent.put("web-1");
  await agent.boot("web-1");
  await expect(claim("id-2", `${agent.dataFolder}.other`)).rejects.toEqual(
    expect.objectContaining({ code: "DATA_FOLDER_MISMATCH", message: expect.stringContaining("web-1: process") }),
  );
  // So the right one still may, however it is spelled, and is known from then on.
  const link = `${agent.dataFolder}.link`;
  await symlink(agent.dataFolder, link);
  await claim("id-1", link);
  await expect(claim("id-2", agent.dataFolder)).rejects.toEqual(
    expect.objectContaining({ code: "DATA_FOLDER_MISMATCH" }),
  );
});
