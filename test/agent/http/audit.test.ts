/** Who changed what is written down, whatever became of it; and writing it down never stops an agent. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { parseAgentConfig } from "../../../src/agent/config.ts";
import { type AuditEntry, openAuditLog } from "../../../src/agent/http/audit/audit-log.ts";
import { startAgent } from "../../../src/agent/main.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { openAccessFile } from "../../../src/platform/http/door/access-file.ts";
import { type Logger, silentLogger } from "../../../src/platform/logger.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { socketAgent } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import { aPut, aWireSpec } from "../../support/wire-builders.ts";

const SECRET = "token-that-must-not-be-written-down";
const hash = (token: string) => createHash("sha256").update(token).digest("hex");
const asJson = (method: string, token: string, body: object): RequestInit => ({
  method,
  headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  body: JSON.stringify(body),
});

async function anAuditedAgent() {
  const folder = await aTempFolder();
  const path = join(folder.path, "access");
  await writeFile(path, `ci apply sha256:${hash(SECRET)}\neve observe sha256:${hash("eve")}\n`, { mode: 0o600 });
  const agent = await socketAgent({ access: await openAccessFile(path) });
  const dispose = async () => {
    await agent[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { agent, folder: folder.path, [Symbol.asyncDispose]: dispose };
}

test("each change has its line: done, refused by the gate, by the role, by the lifecycle; a look has none", async () => {
  await using place = await anAuditedAgent();
  const { agent } = place;
  const boot = (id: string) => ({ id, expect: null, kind: "boot" });
  await agent.fetch("/v1/report", { headers: { authorization: `Bearer ${SECRET}` } });
  await agent.fetch("/v1/vms/web-1/operations?token=oops", asJson("POST", SECRET, boot("b1")));
  await agent.fetch("/v1/vms/web-1", asJson("PUT", "eve", aPut({ id: "p1" })));
  await agent.fetch("/v1/vms/web-1/operations", asJson("POST", "stranger", boot("b2")));
  await agent.fetch("/v1/vms/web-1/operations", asJson("POST", SECRET, { id: "x", kind: "explode" }));
  await agent.fetch("/v1/vms/web-1/operations", asJson("POST", SECRET, { ...boot("pu"), kind: "purge" }));
  await agent.fetch(`/nowhere/${"x".repeat(500)}`, asJson("PUT", SECRET, {}));
  const common = { event: "request", caller: "ci", role: "apply", address: "127.0.0.1" };
  expect(agent.audited).toMatchObject([
    { ...common, method: "POST", vm: "web-1", operation: { id: "b1" }, status: 200, outcome: "done", code: null },
    {
      ...common,
      caller: "eve",
      role: "observe",
      method: "PUT",
      vm: "web-1",
      status: 403,
      outcome: "refused",
      code: "FORBIDDEN",
    },
    { ...common, caller: null, role: null, vm: null, status: 401, outcome: "refused", code: "UNAUTHORIZED" },
    { ...common, operation: null, status: 400, outcome: "refused", code: "BAD_REQUEST" },
    { ...common, operation: { id: "pu", kind: "purge" }, status: 403, outcome: "refused", code: "FORBIDDEN" },
    { ...common, vm: null, status: 404, code: "NOT_FOUND" },
  ]);
  const text = JSON.stringify(agent.audited);
  for (const secret of [SECRET, "oops", "stranger", hash(SECRET)]) expect(text).not.toContain(secret);
  expect(Math.max(...agent.audited.map((each) => ("path" in each ? each.path.length : 0)))).toBe(200);
});

test("an operation that outlasts its request, or its caller, has a line for its end", async () => {
  await using place = await anAuditedAgent();
  const { agent } = place;
  agent.lifecycle.finishesAtOnce = false;
  const ask = (id: string, init: RequestInit = {}) =>
    agent.fetch("/v1/vms/web-1/operations?waitSeconds=1", {
      ...asJson("POST", SECRET, { id, expect: null, kind: "boot" }),
      ...init,
    });
  expect((await ask("slow")).status).toBe(202);
  const leaving = new AbortController();
  const left = ask("left", { signal: leaving.signal }).catch(() => "gone");
  await until("it is begun", () => agent.lifecycle.asked.length === 2);
  leaving.abort();
  expect(await left).toBe("gone");
  await until("both have a line", () => agent.audited.length === 2);
  expect(agent.audited).toMatchObject([
    { operation: { id: "slow" }, outcome: "running" },
    { operation: { id: "left" }, outcome: "running" },
  ]);
  agent.lifecycle.finish("left");
  agent.lifecycle.finish("slow", { outcome: "failed", error: { code: "HYPERVISOR_FAILED", message: "no" } });
  await until("both ends have a line", () => agent.audited.length === 4);
  const ends = agent.audited.slice(2).sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  expect(ends).toEqual([
    {
      event: "operation-ended",
      vm: "web-1",
      operation: { id: "left", kind: expect.any(String) },
      outcome: "done",
      code: null,
    },
    {
      event: "operation-ended",
      vm: "web-1",
      operation: { id: "slow", kind: expect.any(String) },
      outcome: "failed",
      code: "HYPERVISOR_FAILED",
    },
  ]);
  expect(agent.lifecycle.events.listeners).toBe(0);
});

test("a console has a line when it is opened and one when it is closed, with how much was typed; refused ones too", async () => {
  await using folder = await aTempFolder();
  const serial = join(folder.path, "s");
  let heard = "";
  const guest = createServer((line) => {
    line.on("error", () => {});
    line.on("data", (bytes) => {
      heard += bytes;
    });
  });
  await new Promise<void>((resolve) => guest.listen(serial, resolve));
  {
    await using agent = await socketAgent();
    agent.lifecycle.serials.set("web-1", { log: null });
    agent.consoles.begin(vmName("web-1"), {
      port: socketPort(serial),
      log: join(folder.path, "log"),
      loggedBy: "hypervisor",
    });
    const client = connectAgent({ address: agent.url });
    const never = new AbortController().signal;
    const connection = await client.openConsole(vmName("web-1"), never);
    await until("it is noted", () => agent.audited.length === 1);
    connection.send(Buffer.from("root\r"));
    await until("the guest heard it", () => heard === "root\r");
    await connection[Symbol.asyncDispose]();
    await until("its end is noted", () => agent.audited.length === 2);
    await expect(client.openConsole(vmName("web-9"), never)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await client.close();
    const origin = new WebSocket(`${agent.url.replace("http", "ws")}/v1/vms/web-1/console`, {
      origin: "http://evil.example",
    });
    await new Promise((resolve) => origin.once("error", resolve));
    await until("the refusals are noted", () => agent.audited.length === 4);
    const about = { caller: "loopback", role: "admin", address: "127.0.0.1", vm: "web-1" };
    expect(agent.audited).toMatchObject([
      { event: "console-opened", ...about },
      { event: "console-closed", ...about, bytesTyped: 5 },
      { event: "console-refused", ...about, vm: "web-9", code: "NOT_FOUND" },
      { event: "console-refused", ...about, caller: null, role: null, code: "FORBIDDEN" },
    ]);
  }
  guest.close();
});

test("strangers have so many lines, and then one that counts them", async () => {
  await using place = await anAuditedAgent();
  const { agent } = place;
  for (let index = 0; index < 300; index++) await agent.fetch(`/v1/vms/web-${index}/operations`, { method: "POST" });
  await agent.fetch("/v1/vms/web-1/operations", asJson("POST", SECRET, { id: "b", expect: null, kind: "boot" }));
  const strangers = agent.audited.filter((each) => each.event === "request" && each.caller === null).length;
  const counted = agent.audited.reduce((sum, each) => sum + (each.event === "more-refused" ? each.count : 0), 0);
  expect(strangers + counted).toBe(300);
  expect(strangers).toBeLessThan(200);
  expect(agent.audited.at(-1)).toMatchObject({ caller: "ci", outcome: "done" });
});

const line = (id: number): AuditEntry => ({ event: "more-refused", count: id });
const counts = async (path: string): Promise<number[]> =>
  (await readFile(path, "utf8"))
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => JSON.parse(each).count);

test("the file is its owner's, is put aside when it is full, and so many are kept; no line is lost between them", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "audit.log");
  await using log = openAuditLog(path, { clock: systemClock, log: silentLogger, maxBytes: 1_000, keptFiles: 3 });
  for (let index = 0; index < 100; index++) {
    log.write(line(index));
    if (index % 3 === 0) await log.flushed();
  }
  await log.flushed();
  expect((await readdir(folder.path)).sort()).toEqual(["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]);
  const seen = [];
  for (const age of ["3", "2", "1"]) {
    expect((await stat(`${path}.${age}`)).size).toBeLessThanOrEqual(1_000);
    seen.push(...(await counts(`${path}.${age}`)));
  }
  seen.push(...(await counts(path)));
  expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => 100 - seen.length + index));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("half a line that a killed agent left does not spoil the next", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "audit.log");
  await writeFile(path, `{"count":1}\n{"cou`);
  await using log = openAuditLog(path, { clock: systemClock, log: silentLogger });
  log.write(line(2));
  await log.flushed();
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(JSON.parse(lines[2]!)).toMatchObject({ count: 2 });
});

test("a log that cannot be written is said once, stops nothing, and says later how much is missing", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "gone", "audit.log");
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_, message) => void errors.push(message) };
  await using log = openAuditLog(path, { clock: systemClock, log: logger });
  for (let index = 0; index < 50; index++) {
    log.write(line(index));
    await log.flushed();
  }
  expect(errors).toEqual(["the audit log cannot be written"]);
  await mkdir(join(folder.path, "gone"));
  log.write(line(50));
  await log.flushed();
  const lines = (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((each) => JSON.parse(each));
  expect(lines).toMatchObject([{ event: "lost", count: 50 }, { count: 50 }]);
});

test("an agent writes it to its data folder; one that cannot goes on", async () => {
  await using folder = await aTempFolder();
  const data = join(folder.path, "d");
  const config = parseAgentConfig({
    name: "n1",
    listen: ["127.0.0.1:0"],
    data,
    run: join(folder.path, "r"),
    hypervisor: ["noop"],
  });
  const errors: string[] = [];
  const log: Logger = { ...silentLogger, error: (_, message) => void errors.push(message) };
  {
    await using agent = await startAgent(config, { log });
    const client = connectAgent({ address: agent.urls[0]! });
    const signal = AbortSignal.timeout(60_000);
    await client.putVm(vmName("web-1"), aPut({ id: "p1", spec: aWireSpec({ disks: [], nics: [] }) }), signal);
    const path = join(data, "audit.log");
    await until("it is written", async () => (await readFile(path, "utf8").catch(() => "")).includes('"p1"'));
    expect(JSON.parse((await readFile(path, "utf8")).trim())).toMatchObject({
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      caller: "loopback",
      vm: "web-1",
      operation: { id: "p1", kind: "create" },
      outcome: "done",
    });
    await client.close();
  }
  await rm(join(data, "audit.log"));
  await mkdir(join(data, "audit.log"));
  await using agent = await startAgent(config, { log });
  const client = connectAgent({ address: agent.urls[0]! });
  const result = await client.operate(
    vmName("web-1"),
    { id: "b1", expect: null, kind: "boot" },
    AbortSignal.timeout(60_000),
  );
  expect(result.outcome).toBe("done");
  await until("it is told", () => errors.includes("the audit log cannot be written"));
  await client.close();
});
