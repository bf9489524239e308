/** The QMP client against a server that says what the test wants, chunk by chunk. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { QmpClient } from "../../../src/agent/hypervisor/qemu/qmp/qmp.ts";
import type { QmpEvent } from "../../../src/agent/hypervisor/qemu/qmp/qmp-commands.ts";
import { QmpLines } from "../../../src/agent/hypervisor/qemu/qmp/qmp-lines.ts";

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const forever = new AbortController().signal;

let folder: string;
let path: string;
const open: { server?: Server; sockets: Socket[]; clients: QmpClient[] } = { sockets: [], clients: [] };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "odo-"));
  path = join(folder, "q.sock");
});

afterEach(async () => {
  for (const client of open.clients.splice(0)) await client[Symbol.asyncDispose]();
  for (const socket of open.sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => (open.server ? open.server.close(resolve) : resolve(null)));
  await rm(folder, { recursive: true });
});

interface Request {
  readonly execute: string;
  readonly id: number;
}

/** Answers `qmp_capabilities` by itself; the rest is the test's. */
async function aServer(answer: (request: Request, socket: Socket) => void, greeting = GREETING): Promise<void> {
  open.server = createServer((socket) => {
    open.sockets.push(socket);
    const lines = new QmpLines();
    socket.on("error", () => {});
    socket.write(greeting);
    socket.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        const request = JSON.parse(line) as Request;
        if (request.execute === "qmp_capabilities") socket.write(`{"return": {}, "id": ${request.id}}\r\n`);
        else answer(request, socket);
      }
    });
  });
  await new Promise<void>((resolve) => open.server?.listen(path, resolve));
}

async function aClient(options: { connectMs?: number; callMs?: number } = {}): Promise<QmpClient> {
  const client = await QmpClient.connect(path, { signal: forever, ...options });
  open.clients.push(client);
  return client;
}

const reply = (request: Request, value: unknown) => `${JSON.stringify({ return: value, id: request.id })}\r\n`;

test("answers find their questions, whatever their order", async () => {
  const asked: Request[] = [];
  await aServer((request, socket) => {
    asked.push(request);
    if (asked.length < 2) return;
    for (const each of asked.toReversed()) socket.write(reply(each, { status: `answer to ${each.id}` }));
  });
  const client = await aClient();
  const both = await Promise.all([1, 2].map(() => client.call("query-status", { signal: forever })));
  expect(both.map((each) => each.status)).toEqual(asked.map((each) => `answer to ${each.id}`));
});

test("an answer may come cut anywhere, also within a character", async () => {
  await aServer((request, socket) => {
    const bytes = Buffer.from(reply(request, { status: "läuft 🚀" }));
    let at = 0;
    const next = () => {
      if (at < bytes.length) socket.write(bytes.subarray(at, ++at), next);
    };
    next();
  });
  const client = await aClient();
  expect(await client.call("query-status", { signal: forever })).toEqual({ status: "läuft 🚀" });
});

test("events reach their listeners, also those that come in one piece with an answer", async () => {
  await aServer((request, socket) => {
    socket.write(
      `{"event": "STOP", "timestamp": {}}\r\n${reply(request, {})}{"event": "SHUTDOWN", "data": {"guest": true}}\r\n`,
    );
  });
  const client = await aClient();
  const seen: QmpEvent[] = [];
  const second = new Promise<void>((resolve) => client.onEvent((event) => seen.push(event) === 2 && resolve()));
  await client.call("stop", { signal: forever });
  await second;
  expect(seen).toEqual([
    { event: "STOP", data: {} },
    { event: "SHUTDOWN", data: { guest: true } },
  ]);
});

test("a refusal is an error that names the command and gives QEMU's reason", async () => {
  await aServer((request, socket) => {
    socket.write(`{"error": {"class": "GenericError", "desc": "no such thing"}, "id": ${request.id}}\r\n`);
  });
  const client = await aClient();
  await expect(client.call("cont", { signal: forever })).rejects.toMatchObject({
    code: "HYPERVISOR_FAILED",
    message: "QEMU refused cont: no such thing",
  });
});

test("a question without an answer ends at its deadline, and its late answer disturbs nobody", async () => {
  let late: Request | null = null;
  await aServer((request, socket) => {
    if (late) socket.write(reply(late, { status: "too late" }) + reply(request, { status: "in time" }));
    else late = request;
  });
  const client = await aClient();
  await expect(client.call("query-status", { signal: forever, deadlineMs: 50 })).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: "QEMU did not answer query-status within 0.05 s",
  });
  expect(await client.call("query-status", { signal: forever })).toEqual({ status: "in time" });
});

test("a question can be given up", async () => {
  await aServer(() => {});
  const client = await aClient();
  const controller = new AbortController();
  const call = client.call("stop", { signal: controller.signal });
  controller.abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
});

test("when the connection ends, every open question ends with it, and so does every later one", async () => {
  await aServer((_request, socket) => socket.destroy());
  const client = await aClient();
  const calls = [1, 2, 3].map(() => client.call("query-status", { signal: forever }));
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "HYPERVISOR_UNAVAILABLE" } });
  }
  await client.closed;
  expect(client.isClosed).toBe(true);
  await expect(client.call("stop", { signal: forever })).rejects.toMatchObject({ code: "HYPERVISOR_UNAVAILABLE" });
});

test.each([
  ["no JSON", "HTTP/1.1 200 OK\r\n"],
  ["not an object", "null\r\n"],
])("what is %s ends the connection", async (_what, text) => {
  await aServer((_request, socket) => socket.write(text));
  const client = await aClient();
  await expect(client.call("stop", { signal: forever })).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: `QEMU cannot be reached on ${path}: what came is not QMP`,
  });
});

test("a server that is busy with another client does not greet: the deadline says so", async () => {
  await aServer(() => {}, "");
  await expect(aClient({ connectMs: 100 })).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: `QEMU accepted us on ${path} but did not greet within 0.1 s`,
  });
});

test("a socket that nobody listens on, or that is not there, ends at the deadline", async () => {
  await expect(aClient({ connectMs: 60 })).rejects.toMatchObject({
    code: "HYPERVISOR_UNAVAILABLE",
    message: `nobody listens on ${path} after 0.06 s`,
  });
});

test("connecting waits for a socket that appears a little later, and can be given up", async () => {
  const early = aClient();
  await aServer((request, socket) => socket.write(reply(request, { status: "running" })));
  expect(await (await early).call("query-status", { signal: forever })).toEqual({ status: "running" });
  await expect(QmpClient.connect(join(folder, "none"), { signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: "AbortError",
  });
});

test("a line without end is not kept for ever", () => {
  const lines = new QmpLines(10);
  expect(lines.push(Buffer.from("12345\r\n\n1234567"))).toEqual(["12345"]);
  expect(() => lines.push(Buffer.from("8901"))).toThrow(RangeError);
});
