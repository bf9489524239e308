import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type AgentSettings, parseAgentConfig } from "../../src/agent/config.ts";
import { inProcessAgent } from "../../src/agent/in-process.ts";
import { NEEDS_NOTHING } from "../../src/agent/launch-command.ts";
import { readyLine, startAgent } from "../../src/agent/main.ts";
import { createSpawnSupervisor } from "../../src/agent/supervisor/spawn/spawn-supervisor.ts";
import { vmName } from "../../src/model/names.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { makeCertificates } from "../support/certificates.ts";
import { requires } from "../support/requirements.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { aPut, aWireSpec } from "../support/wire-builders.ts";

const never = new AbortController().signal;
const web1 = vmName("web-1");
const noDisks = aWireSpec({ disks: [], nics: [] });

const aConfig = (folder: string, over: AgentSettings = {}) =>
  parseAgentConfig({
    name: "n1",
    listen: ["127.0.0.1:0"],
    data: join(folder, "data"),
    run: join(folder, "run"),
    hypervisor: ["noop"],
    cpus: 4,
    memoryMiB: 4096,
    ...over,
  });

const start = (folder: string, over: AgentSettings = {}) => startAgent(aConfig(folder, over), { log: silentLogger });

test("an agent on loopback takes a VM, boots it, reports it, and has it still after a restart", async () => {
  await using folder = await aTempFolder();
  const seen: unknown[] = [];
  for (const life of [1, 2]) {
    await using agent = await start(folder.path);
    expect(readyLine(agent)).toMatch(/^odorobo agent n1 ready on http:\/\/127\.0\.0\.1:\d+$/);
    const client = connectAgent({ address: agent.urls[0]! });
    if (life === 1) {
      expect(await client.putVm(web1, aPut({ spec: noDisks }), never)).toMatchObject({
        kind: "create",
        outcome: "done",
        error: null,
      });
      expect(await client.operate(web1, { id: "b", expect: null, kind: "boot" }, never)).toMatchObject({
        outcome: "done",
        error: null,
      });
    }
    const report = await client.report(never);
    expect(report).toMatchObject({ apiVersion: 1, capacity: { cpus: 4, memoryMiB: 4096 }, unfinished: [] });
    expect(report.hypervisors.map((each) => each.kind)).toEqual(["noop"]);
    expect(report.vms).toMatchObject([{ name: "web-1", phase: "running", generation: 1, drift: [] }]);
    // The same through the handler alone.
    const inside = inProcessAgent(agent.lifecycle);
    expect((await inside.report(never)).vms).toEqual(report.vms);
    seen.push([report.node.id, report.node.name, report.vms[0]?.specDigest]);
    await client.close();
  }
  expect(seen[1]).toEqual(seen[0]);
  expect((await stat(join(folder.path, "data"))).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder.path, "run"))).mode & 0o777).toBe(0o700);
});

test("the handler in the process refuses as the socket does", async () => {
  await using folder = await aTempFolder();
  await using agent = await start(folder.path);
  const inside = inProcessAgent(agent.lifecycle);
  await expect(inside.operate(web1, { id: "b", expect: null, kind: "boot" }, never)).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  await expect(inside.putVm(web1, aPut({ generation: -1 }), never)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  await inside.close();
  await expect(inside.report(never)).rejects.toMatchObject({ code: "AGENT_STOPPING" });
});

test("one data folder, one agent: the second is told who has it; when the first is gone the folder is free", async () => {
  await using folder = await aTempFolder();
  {
    await using first = await start(folder.path);
    await expect(start(folder.path)).rejects.toMatchObject({
      code: "DATA_FOLDER_IN_USE",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    expect(first.urls).toHaveLength(1);
  }
  await using next = await start(folder.path);
  expect(next.urls).toHaveLength(1);
});

test("with another data folder an agent does not start while guests run, and where no run folder said so it leaves them alone", async () => {
  await using folder = await aTempFolder();
  await (await start(folder.path))[Symbol.asyncDispose]();
  const workingFolder = join(folder.path, "run/vms/web-1");
  await mkdir(workingFolder, { recursive: true });
  const supervisor = createSpawnSupervisor();
  const other = { data: join(folder.path, "other") };
  const logFolder = join(other.data, "vms/web-1/logs");
  await mkdir(logFolder, { recursive: true });
  const outputFile = join(logFolder, "vmm.log");
  const command = {
    executable: "sleep",
    args: ["600"],
    env: {},
    workingFolder,
    outputFile,
    staleFiles: [],
    needs: NEEDS_NOTHING,
  };
  const guest = await supervisor.start("web-1", command, never);
  try {
    await expect(start(folder.path, other)).rejects.toMatchObject({
      code: "DATA_FOLDER_MISMATCH",
      message: expect.stringContaining(`web-1: process ${guest.pid}`),
      hint: expect.stringContaining("--data"),
    });
    // As after an upgrade from an agent that wrote no such file: what they write to lies in this data folder.
    await rm(join(folder.path, "run/node-id"));
    await using agent = await start(folder.path, other);
    const client = connectAgent({ address: agent.urls[0]! });
    expect((await client.report(never)).unreadable).toMatchObject([{ name: "web-1", held: true }]);
    await expect(client.putVm(web1, aPut({ spec: noDisks }), never)).rejects.toMatchObject({
      code: "GUEST_UNEXPLAINED",
    });
    expect(supervisor.isRunning(guest)).toBe(true);
    await supervisor.stop(guest, 1_000);
    expect((await client.report(never)).unreadable).toBeUndefined();
    await client.close();
  } finally {
    await supervisor.stop(guest, 0);
  }
  // Nothing runs: the folder is whose agent starts next.
  await using first = await start(folder.path);
  expect(first.urls).toHaveLength(1);
});

test("an agent that was killed leaves nothing that somebody must clean up", async () => {
  await using folder = await aTempFolder();
  const listen = [`unix://${join(folder.path, "s")}`];
  const script = `
    import { parseAgentConfig } from "./src/agent/config.ts";
    import { readyLine, startAgent } from "./src/agent/main.ts";
    console.log(readyLine(await startAgent(parseAgentConfig(JSON.parse(process.argv[1])))));`;
  const settings = {
    name: "n1",
    listen,
    data: join(folder.path, "data"),
    run: join(folder.path, "run"),
    hypervisor: ["noop"],
  };
  const killed = spawn(process.execPath, ["--input-type=module", "-e", script, JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = await once(killed.stdout, "data");
  expect(String(line)).toBe(`odorobo agent n1 ready on ${listen[0]}\n`);
  const gone = once(killed, "exit");
  killed.kill("SIGKILL");
  await gone;
  await using agent = await start(folder.path, { listen });
  expect(agent.urls).toEqual(listen);
});

test("an address that is taken ends the start, and leaves the data folder to the next", async () => {
  await using folder = await aTempFolder();
  await using other = await aTempFolder();
  await using first = await start(other.path);
  const listen = [first.urls[0]!.slice("http://".length)];
  await expect(start(folder.path, { listen })).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
    hint: expect.stringContaining("--listen"),
  });
  await using second = await start(folder.path);
  expect(second.urls).not.toEqual(first.urls);
});

test("several addresses serve one agent", async () => {
  await using folder = await aTempFolder();
  await using agent = await start(folder.path, { listen: ["127.0.0.1:0", `unix://${join(folder.path, "s")}`] });
  const ids = [];
  for (const address of agent.urls) {
    const client = connectAgent({ address });
    ids.push((await client.report(never)).node.id);
    await client.close();
  }
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(ids[1]);
});

test("a folder that cannot be made and a token that everybody may read are refused", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "file"), "");
  await expect(start(folder.path, { data: join(folder.path, "file/data") })).rejects.toMatchObject({
    code: "AGENT_CONFIG",
  });
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "s3cret", { mode: 0o644 });
  await expect(start(folder.path, { tokenFile })).rejects.toMatchObject({ code: "AGENT_INSECURE" });
});

describe.runIf(requires("an agent with TLS", "openssl"))("with TLS", () => {
  test("token and certificate work from their files; files that do not go together are refused", async () => {
    await using folder = await aTempFolder();
    const { caFile, server, client } = await makeCertificates(folder.path);
    const tokenFile = join(folder.path, "token");
    await writeFile(tokenFile, "s3cret\n", { mode: 0o600 });
    {
      await using agent = await start(folder.path, {
        listen: ["0.0.0.0:0"],
        tokenFile,
        tlsCert: server.certFile,
        tlsKey: server.keyFile,
      });
      const address = agent.urls[0]!.replace("0.0.0.0", "127.0.0.1");
      const asked = connectAgent({ address, tokenFile, tls: { caFile } });
      expect((await asked.report(never)).node.name).toBe("n1");
      await asked.close();
    }
    await expect(start(folder.path, { tlsCert: server.certFile, tlsKey: client.keyFile })).rejects.toMatchObject({
      code: "AGENT_CONFIG",
      message: expect.stringContaining("do not make a TLS server"),
    });
  });
});
