import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { OdoroboError } from "../../src/model/errors.ts";
import { vmName } from "../../src/model/names.ts";
import { type AgentClient, type ConnectOptions, connectAgent } from "../../src/wire/client.ts";
import type { OperationRequest } from "../../src/wire/operations.ts";
import { badAgents } from "../support/bad-agents.ts";
import { FakeLifecycle } from "../support/fake-lifecycle.ts";
import { socketAgent } from "../support/http-agent.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";
import { aPut, aResult, aVmReport } from "../support/wire-builders.ts";

const web1 = vmName("web-1");
const never = new AbortController().signal;
const boot = (id: string): OperationRequest => ({ id, expect: null, kind: "boot" });

async function withClient<Result>(
  options: ConnectOptions,
  run: (client: AgentClient) => Promise<Result>,
): Promise<Result> {
  // Only who waits for a deadline makes it a short one: a busy machine takes its time for an answer.
  const client = connectAgent({ answerMs: 60_000, patience: { waitSeconds: 1, awayMs: 30_000 }, ...options });
  try {
    return await run(client);
  } finally {
    await client.close();
  }
}

/** `CODE message | hint` */
const failure = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => "it succeeded",
    (error) => (error instanceof OdoroboError ? `${error.code} ${error.message} | ${error.hint}` : `${error}`),
  );

const reportFailures: [keyof Omit<typeof badAgents, "as">, RegExp][] = [
  ["refuses", /^AGENT_UNREACHABLE cannot reach URL \| is the agent running there/],
  ["dies", /^AGENT_UNREACHABLE URL closed the connection without an answer/],
  ["hangs", /^AGENT_TIMEOUT URL did not answer/],
  ["hangsInTheMiddle", /^AGENT_TIMEOUT URL did not answer/],
  [
    "answersHtml",
    /^AGENT_PROTOCOL URL answered 200 text\/html instead of a report: "<!doctype html><title>Welcome to nginx!.{0,60}" \| is this an odorobo agent/,
  ],
  ["answersHtmlAsError", /^AGENT_PROTOCOL URL answered 502 text\/html instead of a report/],
  ["answersHalf", /^AGENT_PROTOCOL the answer of URL broke off/],
  ["answersBrokenJson", /^AGENT_PROTOCOL URL answered with broken JSON instead of a report/],
  [
    "answersWrongShape",
    /^AGENT_PROTOCOL URL answered with something else than a report: capacity\.memoryMiB is missing/,
  ],
  ["answersNull", /^AGENT_PROTOCOL URL answered with something else than a report: the document must be object/],
  ["answersOtherVersion", /^AGENT_PROTOCOL .*apiVersion/],
  ["answersWithoutEnd", /^AGENT_PROTOCOL URL answered with more than 64 MiB instead of a report/],
  ["redirects", /^AGENT_PROTOCOL URL answered 302/],
  ["speaksSsh", /^AGENT_PROTOCOL URL does not speak HTTP/],
  ["refusesToken", /^UNAUTHORIZED URL answered 401 \| the token must be/],
  ["forbids", /^UNAUTHORIZED URL answered 403/],
  ["answersUnknownError", /^AGENT_PROTOCOL URL answered 409 MOON_PHASE: not while the moon\[31m is full/],
];

test.each(reportFailures)("asking an agent that %s", async (kind, expected) => {
  await using agent = await badAgents[kind]();
  const patience = kind.startsWith("hangs") ? { answerMs: 300 } : {};
  const told = await withClient({ address: agent.url, ...patience }, (client) => failure(client.report(never)));
  expect(told.replaceAll(agent.url, "URL")).toMatch(expected);
});

test("a connection that does not come about is given up on, however long the answer might take", async () => {
  // To a client, a TLS handshake that nobody answers is what a firewall that drops packets is: no connection.
  await using agent = await badAgents.ignores();
  const address = agent.url.replace("http:", "https:");
  const told = await withClient({ address, connectMs: 150 }, (client) => failure(client.report(never)));
  expect(told).toMatch(/^AGENT_UNREACHABLE cannot reach https:/);
});

test("who gives up gets his own reason, not ours", async () => {
  await using agent = await badAgents.hangs();
  const giveUp = new AbortController();
  await withClient({ address: agent.url }, async (client) => {
    const asked = client.report(giveUp.signal);
    const told = asked.catch((error) => error);
    await until("it was asked", () => agent.asked() === 1);
    giveUp.abort(new Error("enough"));
    expect(await told).toMatchObject({ message: "enough" });
  });
});

test("addresses that are none are refused without showing a password", () => {
  for (const address of ["n1", "ftp://n1", "http://n1/path", "http://n1?x", "unix://relative", ""]) {
    expect(() => connectAgent({ address })).toThrow(/is not an agent's address/);
  }
  expect(() => connectAgent({ address: "http://me:hunter2@n1" })).toThrow(/^(?!.*hunter2)/);
});

test("an agent that answers is understood: reports, VMs, specs, operations, refusals, logs", async () => {
  await using folder = await aTempFolder();
  await using agent = await socketAgent({ listen: `unix://${join(folder.path, "s")}` });
  const log = join(folder.path, "log");
  await writeFile(log, "one\ntwo\n");
  agent.lifecycle.serials.set("web-1", { log });
  await withClient({ address: agent.url }, async (client) => {
    expect(await client.report(never)).toEqual(agent.lifecycle.reported);
    expect(await client.vm(web1, never)).toEqual(agent.lifecycle.reported.vms[0]);
    expect(await client.putVm(web1, aPut(), never)).toMatchObject({ id: "put-1", outcome: "done" });
    expect(await client.operate(web1, boot("a/b"), never)).toMatchObject({ id: "a/b", outcome: "done" });
    expect(await failure(client.vm(vmName("web-9"), never))).toMatch(/^NOT_FOUND there is no VM web-9/);
    agent.lifecycle.refusal = new OdoroboError("PROTECTED", "web-1 is protected", { hint: "protect: false first" });
    expect(await failure(client.operate(web1, boot("c"), never))).toBe(
      "PROTECTED web-1 is protected | protect: false first",
    );
    let text = "";
    for await (const bytes of client.followLog(web1, { tailLines: 1, follow: false }, never))
      text += Buffer.from(bytes);
    expect(text).toBe("two\n");
  });
});

test("an operation longer than one question is joined until it ends, and sent once", async () => {
  await using agent = await socketAgent();
  agent.lifecycle.finishesAtOnce = false;
  await withClient({ address: agent.url }, async (client) => {
    const asked = client.operate(web1, boot("b1"), never);
    await until("it was begun", () => agent.lifecycle.asked.length === 1);
    // The first question is held open for a second, then somebody waits for the operation by its id.
    await until("it is joined", () => agent.lifecycle.events.listeners === 1);
    agent.lifecycle.finish("b1");
    expect(await asked).toMatchObject({ id: "b1", outcome: "done" });
    expect(agent.lifecycle.asked).toHaveLength(1);
  });
});

test("an agent that dies in the middle is found again, and its word is taken on what became of the operation", async () => {
  const lifecycle = new FakeLifecycle();
  lifecycle.finishesAtOnce = false;
  const first = await socketAgent({ lifecycle, limits: { drainMs: 0 } });
  await withClient({ address: first.url, patience: { waitSeconds: 5, awayMs: 5_000 } }, async (client) => {
    const asked = client.operate(web1, boot("b1"), never);
    await until("it was begun", () => lifecycle.asked.length === 1);
    await first[Symbol.asyncDispose]();
    await using second = await socketAgent({ lifecycle, listen: first.url.slice("http://".length) });
    await until("it is joined", () => lifecycle.events.listeners === 1);
    lifecycle.finish("b1");
    expect(await asked).toMatchObject({ id: "b1", outcome: "done" });
    expect(lifecycle.asked).toHaveLength(1);
    expect(second.url).toBe(first.url);
  });
});

test("an agent that lost the request in dying is sent it again, with the same id", async () => {
  const seen: string[] = [];
  await using agent = await badAgents.as((request, answer) => {
    seen.push(`${request.method} ${request.url}`);
    if (seen.length === 1) return request.socket.destroy();
    const json = { "content-type": "application/json" };
    if (request.method === "GET")
      return answer.writeHead(404, json).end('{"code":"NOT_FOUND","message":"never heard"}');
    return answer.writeHead(200, json).end(JSON.stringify(aResult(web1, "b1")));
  });
  await withClient({ address: agent.url }, async (client) => {
    expect(await client.operate(web1, boot("b1"), never)).toMatchObject({ outcome: "done" });
  });
  const send = "POST /v1/vms/web-1/operations?waitSeconds=1";
  expect(seen).toEqual([send, "GET /v1/operations/b1?waitSeconds=1", send]);
});

test("half an answer to an operation is asked for again", async () => {
  let times = 0;
  await using agent = await badAgents.as((_, answer) => {
    const body = JSON.stringify(aResult(web1, "b1"));
    answer.writeHead(200, { "content-type": "application/json", "content-length": String(body.length) });
    if (++times === 1) answer.write(body.slice(0, 50), () => answer.destroy());
    else answer.end(body);
  });
  await withClient({ address: agent.url }, async (client) => {
    expect(await client.operate(web1, boot("b1"), never)).toMatchObject({ outcome: "done" });
  });
});

test("an agent that stays away is given up on, and what that means is said", async () => {
  await using agent = await badAgents.dies();
  const told = await withClient({ address: agent.url, patience: { awayMs: 200 } }, (client) =>
    failure(client.operate(web1, boot("b1"), never)),
  );
  expect(told).toMatch(/^AGENT_UNREACHABLE the agent went away during boot of web-1 on http.* \| .*plan again/);
});

test("an agent that was never there is not waited for", async () => {
  await using agent = await badAgents.refuses();
  const begun = performance.now();
  const told = await withClient({ address: agent.url, patience: { awayMs: 60_000 } }, (client) =>
    failure(client.operate(web1, boot("b1"), never)),
  );
  expect(told).toMatch(/^AGENT_UNREACHABLE cannot reach/);
  expect(performance.now() - begun).toBeLessThan(5_000);
});

test("the answer to another question is not taken for ours", async () => {
  await using agent = await badAgents.as((_, answer) =>
    answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(aResult(web1, "other"))),
  );
  const told = await withClient({ address: agent.url }, (client) => failure(client.operate(web1, boot("b1"), never)));
  expect(told).toMatch(/^AGENT_PROTOCOL .*the result of another operation/);
});

test("a token is shown, and is in no error", async () => {
  await using folder = await aTempFolder();
  const tokenFile = join(folder.path, "token");
  await writeFile(tokenFile, "s3cret\n");
  await using agent = await socketAgent({ token: { read: async () => "s3cret" } });
  await withClient({ address: agent.url, tokenFile }, async (client) => {
    expect((await client.report(never)).node.name).toBe("n1");
  });
  expect(await withClient({ address: agent.url }, (client) => failure(client.report(never)))).toMatch(
    /^UNAUTHORIZED this agent asks for a token/,
  );
  const wrong = await withClient({ address: agent.url, token: "hunter2" }, async (client) =>
    client.report(never).catch((error) => error),
  );
  expect(wrong).toMatchObject({ code: "UNAUTHORIZED" });
  expect(JSON.stringify([wrong.message, wrong.hint, String(wrong.cause)])).not.toContain("hunter2");
  expect(
    await withClient({ address: agent.url, tokenFile: "/nowhere" }, (client) => failure(client.report(never))),
  ).toMatch(/^USAGE cannot read \/nowhere/);
});

test("500 VMs come through in one report", async () => {
  const vms = Array.from({ length: 500 }, (_, vm) => aVmReport(`vm-${vm}`));
  await using agent = await socketAgent({ lifecycle: new FakeLifecycle("n1", vms) });
  await withClient({ address: agent.url }, async (client) => {
    expect((await client.report(never)).vms).toHaveLength(500);
  });
});
