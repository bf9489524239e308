/** A report that is known already is not sent again, and nobody is the worse for it. */
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { digestOfText } from "../../src/model/digest.ts";
import { instant } from "../../src/model/names.ts";
import { openKeptReports } from "../../src/observe/kept-reports-file.ts";
import { connectAgent } from "../../src/wire/client.ts";
import { FakeLifecycle } from "../support/fake-lifecycle.ts";
import { handlerAgent, socketAgent } from "../support/http-agent.ts";
import { aTempFolder } from "../support/temp-folder.ts";
import { aNodeReport, aVmReport } from "../support/wire-builders.ts";

const NEVER = new AbortController().signal;
const LATER = instant("2026-01-01T13:00:00.000Z");

test("an agent with nothing new to say says only that, and when it looked", async () => {
  await using agent = await handlerAgent();
  const first = await agent.fetch("/v1/report");
  const tag = first.headers.get("etag") ?? "";
  expect([first.status, await first.json()]).toEqual([200, agent.lifecycle.reported]);
  agent.lifecycle.reported = { ...agent.lifecycle.reported, at: LATER };
  const second = await agent.fetch("/v1/report", { headers: { "if-none-match": `"other", ${tag}` } });
  expect([second.status, await second.text()]).toEqual([304, ""]);
  expect(second.headers.get("odorobo-report-at")).toBe(LATER);
  const [vm = aVmReport("web-1")] = agent.lifecycle.reported.vms;
  agent.lifecycle.reported = { ...agent.lifecycle.reported, vms: [{ ...vm, serial: vm.serial + 1 }] };
  expect((await agent.fetch("/v1/report", { headers: { "if-none-match": tag } })).status).toBe(200);
});

test("what comes back of what was kept is the report as it is now", async () => {
  await using folder = await aTempFolder();
  const vm = aVmReport("web-1");
  const drifted = {
    ...vm,
    name: "web-2" as typeof vm.name,
    live: vm.live && { ...vm.live, cpus: { count: 7, max: 7 } },
  };
  const lifecycle = new FakeLifecycle("n1", [vm, drifted, { ...vm, name: "web-3" as typeof vm.name, live: null }]);
  await using agent = await socketAgent({ lifecycle, listen: "127.0.0.1:0" });
  const wanted = structuredClone(vm.spec);
  for (const specs of [new Map(), new Map(), new Map([[digestOfText(JSON.stringify(wanted)), wanted]])]) {
    const client = connectAgent({ address: agent.url, reports: openKeptReports(specs, folder.path) });
    const report = await client.report(NEVER);
    await client.close();
    expect(report).toEqual(lifecycle.reported);
    // As it came, to the order of its keys: documents are printed from it.
    expect(JSON.stringify(report.vms)).toBe(JSON.stringify(lifecycle.reported.vms));
    if (specs.size > 0) expect(report.vms[0]?.spec).toBe(wanted);
    lifecycle.reported = { ...lifecycle.reported, at: LATER };
  }
});

test("an agent without tags is asked as ever, and its reports are not kept", async () => {
  await using folder = await aTempFolder();
  const asked: (string | undefined)[] = [];
  const report = aNodeReport("n1");
  const server = createServer((request, response) => {
    asked.push(request.headers["if-none-match"]);
    response.setHeader("content-type", "application/json").end(JSON.stringify(report));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  for (const _ of [1, 2]) {
    const client = connectAgent({ address, reports: openKeptReports(new Map(), folder.path) });
    expect(await client.report(NEVER)).toEqual(report);
    await client.close();
  }
  expect(asked).toEqual([undefined, undefined]);
  server.close();
});

test("nothing new is no answer to who was told nothing before", async () => {
  const server = createServer((_request, response) => response.writeHead(304).end());
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const client = connectAgent({ address: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
  await expect(client.report(NEVER)).rejects.toMatchObject({ code: "AGENT_PROTOCOL" });
  await client.close();
  server.close();
});
