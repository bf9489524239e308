import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OdoroboError } from "../../../src/model/errors.ts";
import { BOTH_WAYS } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import { aPut } from "../../support/wire-builders.ts";

const send = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
const json = async (answer: Response) => (await answer.json()) as Record<string, unknown>;

const boot = (id: string) => send("POST", { id, expect: null, kind: "boot" });

describe.each(BOTH_WAYS)("the agent's routes, %s", (_, anAgent) => {
  test("health says who is there", async () => {
    await using agent = await anAgent();
    const answer = await agent.fetch("/v1/health");
    expect(answer.status).toBe(200);
    expect(await json(answer)).toEqual({ status: "ok", node: "n1", version: "0.1.0" });
  });

  test("the report is lifecycle's own", async () => {
    await using agent = await anAgent();
    const answer = await agent.fetch("/v1/report");
    expect(answer.headers.get("content-type")).toContain("application/json");
    expect(await json(answer)).toEqual(agent.lifecycle.reported);
  });

  test("a VM by its name; what is not there is told so; what cannot be a name is refused", async () => {
    await using agent = await anAgent();
    expect(await (await agent.fetch("/v1/vms/web-1")).json()).toEqual(agent.lifecycle.reported.vms[0]);
    const missing = await agent.fetch("/v1/vms/web-2");
    expect([missing.status, await missing.json()]).toEqual([
      404,
      { code: "NOT_FOUND", message: "there is no VM web-2 on n1" },
    ]);
    for (const name of ["Web_1", "..%2F..%2Fetc", "a".repeat(64), "-a", "%00", "web-1%0A"]) {
      const bad = await agent.fetch(`/v1/vms/${name}`);
      expect([name, bad.status, (await json(bad)).code]).toEqual([name, 400, "BAD_REQUEST"]);
    }
    expect((await agent.fetch("/v1/vms/%E0%A4%A")).status).toBe(400);
  });

  test("what a plan needs is looked for, in the order of the questions; odd ones are refused", async () => {
    await using agent = await anAgent();
    agent.lifecycle.there.add("/images/a");
    const image = { kind: "image", image: "a", path: "/images/a", format: "raw" };
    const answer = await agent.fetch("/v1/look", send("POST", { questions: [{ kind: "bridge", name: "br0" }, image] }));
    expect(await json(answer)).toEqual({
      answers: [{ found: false, problem: "br0 is not there" }, { found: true }],
    });
    for (const odd of [{ kind: "file", path: "etc" }, { kind: "bridge", name: "a/b" }, { kind: "secret" }, 5])
      expect((await agent.fetch("/v1/look", send("POST", { questions: [odd] }))).status).toBe(400);
    const many = { questions: Array.from({ length: 201 }, () => image) };
    expect((await agent.fetch("/v1/look", send("POST", many))).status).toBe(400);
  });

  test("whereabouts of a fleet are handed on; those of another than the address names are refused", async () => {
    await using agent = await anAgent();
    const told = { fleet: "shop", at: "2026-01-01T12:00:00.000Z", homes: { "web-1": "n1" } };
    expect((await agent.fetch("/v1/fleets/shop/whereabouts", send("PUT", told))).status).toBe(200);
    expect(agent.lifecycle.reported.whereabouts).toEqual([told]);
    expect((await agent.fetch("/v1/fleets/else/whereabouts", send("PUT", told))).status).toBe(400);
    const hostile = { ...told, fleet: "../shop" };
    expect((await agent.fetch("/v1/fleets/..%2Fshop/whereabouts", send("PUT", hostile))).status).toBe(400);
  });

  test("PUT hands the spec on and answers with the result", async () => {
    await using agent = await anAgent();
    const request = aPut();
    const answer = await agent.fetch("/v1/vms/web-1", send("PUT", request));
    expect(answer.status).toBe(200);
    expect(await json(answer)).toMatchObject({ id: "put-1", vm: "web-1", outcome: "done" });
    expect(agent.lifecycle.asked).toEqual([{ vm: "web-1", request }]);
  });

  test("a failed operation is a result, a refused one an error with its own status", async () => {
    await using agent = await anAgent();
    agent.lifecycle.finishesAtOnce = false;
    const asked = agent.fetch("/v1/vms/web-1/operations", boot("b1"));
    await until("the operation is begun", () => agent.lifecycle.asked.length === 1);
    agent.lifecycle.finish("b1", { outcome: "failed", error: { code: "HYPERVISOR_FAILED", message: "no" } });
    const failed = await asked;
    expect([failed.status, (await json(failed)).outcome]).toEqual([200, "failed"]);

    agent.lifecycle.refusal = new OdoroboError("STALE_SERIAL", "web-1 has moved on", { hint: "plan again" });
    const refused = await agent.fetch("/v1/vms/web-1/operations", boot("b2"));
    expect([refused.status, await refused.json()]).toEqual([
      409,
      { code: "STALE_SERIAL", message: "web-1 has moved on", hint: "plan again" },
    ]);
  });

  test("bodies that are no request are refused with the place of the mistake", async () => {
    await using agent = await anAgent();
    const put = async (init: RequestInit) => {
      const answer = await agent.fetch("/v1/vms/web-1", { method: "PUT", ...init });
      const { code, message } = await json(answer);
      return `${answer.status} ${code} ${message}`;
    };
    const asJson = { "content-type": "application/json; charset=utf-8" };
    expect(await put(send("PUT", { ...aPut(), colour: "red" }))).toBe("400 BAD_REQUEST colour is not a known field");
    expect(await put({ headers: asJson, body: "{" })).toBe("400 BAD_REQUEST the body is not JSON");
    expect(await put({ headers: asJson })).toBe("400 BAD_REQUEST the body is empty");
    expect(await put({ headers: asJson, body: new Uint8Array([0x22, 0xff, 0x22]) })).toContain("not UTF-8");
    expect(await put({ headers: { "content-type": "text/plain" }, body: "{}" })).toContain("must be application/json");
    expect(await put({ headers: asJson, body: JSON.stringify("x".repeat(1024 * 1024)) })).toBe(
      "413 PAYLOAD_TOO_LARGE the body is larger than 1024 KiB",
    );
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)) });
    expect(await put({ headers: asJson, body: endless, duplex: "half" })).toContain("413 PAYLOAD_TOO_LARGE");
    expect(agent.lifecycle.asked).toEqual([]);
  });

  test("unknown places are 404, known places with another method 405 and say which", async () => {
    await using agent = await anAgent();
    for (const path of ["/nowhere", "/v2/report", "/v1/reports", "/v1/vms", "/v1/vms/web-1/", "//v1/report"]) {
      expect([path, (await agent.fetch(path)).status]).toEqual([path, 404]);
    }
    const answer = await agent.fetch("/v1/vms/web-1", { method: "DELETE" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, PUT"]);
    expect((await json(answer)).code).toBe("METHOD_NOT_ALLOWED");
    expect((await agent.fetch("/v1/vms/web-1/console")).status).toBe(400);
  });

  test("what nobody expected is told to the log, not to the client", async () => {
    await using agent = await anAgent();
    agent.lifecycle.refusal = new TypeError("undefined is not a secret");
    const answer = await agent.fetch("/v1/report");
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text).code).toBe("INTERNAL");
    expect(text).not.toMatch(/secret|\.ts/);
    expect(agent.logged).toMatchObject([
      { level: "error", message: "unexpected error", fields: { err: agent.lifecycle.refusal } },
    ]);
  });

  test("an operation goes on without its caller and is found again by its id", async () => {
    await using agent = await anAgent();
    agent.lifecycle.finishesAtOnce = false;
    const caller = new AbortController();
    const cut = agent.fetch("/v1/vms/web-1/operations", { ...boot("b1"), signal: caller.signal });
    cut.catch(() => {});
    await until("the operation is begun", () => agent.lifecycle.asked.length === 1);
    caller.abort();

    const running = await agent.fetch("/v1/operations/b1");
    expect([running.status, (await json(running)).outcome]).toEqual([202, "running"]);
    const joined = agent.fetch("/v1/operations/b1?waitSeconds=30");
    await until("somebody waits", () => agent.lifecycle.events.listeners === 1);
    agent.lifecycle.finish("b1");
    const ended = await joined;
    expect([ended.status, (await json(ended)).outcome]).toEqual([200, "done"]);
    expect(agent.lifecycle.events.listeners).toBe(0);
  });

  test("who does not want to wait for ever is answered that it still runs", async () => {
    await using agent = await anAgent();
    agent.lifecycle.finishesAtOnce = false;
    const answer = await agent.fetch("/v1/vms/web-1/operations?waitSeconds=1", boot("b1"));
    expect([answer.status, (await json(answer)).outcome]).toEqual([202, "running"]);
  });

  test("an operation nobody heard of is 404; a wait that is no number is refused", async () => {
    await using agent = await anAgent();
    expect((await agent.fetch("/v1/operations/a%2Fb")).status).toBe(404);
    for (const wait of ["-1", "1e3", "61", "x"]) {
      expect([wait, (await agent.fetch(`/v1/operations/a?waitSeconds=${wait}`)).status]).toEqual([wait, 400]);
    }
  });

  test("when the agent stops, waiters are told to come back, and nobody new is let in", async () => {
    await using agent = await anAgent();
    agent.lifecycle.finishesAtOnce = false;
    const waiting = agent.fetch("/v1/vms/web-1/operations", boot("b1"));
    await until("the operation is begun", () => agent.lifecycle.asked.length === 1);
    agent.stop();
    expect([(await waiting).status, (await json(await waiting)).code]).toEqual([503, "AGENT_STOPPING"]);
    expect((await agent.fetch("/v1/health")).status).toBe(503);
  });

  test("the serial log: its last lines, all of it while there is little, nothing before there is any", async () => {
    await using folder = await aTempFolder();
    await using agent = await anAgent();
    const log = join(folder.path, "serial.log");
    agent.lifecycle.serials.set("web-1", { log });
    agent.lifecycle.serials.set("web-2", { log: null });
    const read = async (query: string) => await (await agent.fetch(`/v1/vms/web-1/log${query}`)).text();
    expect(await read("")).toBe("");
    await writeFile(log, "one\ntwo\nthree\n");
    expect(await read("")).toBe("one\ntwo\nthree\n");
    expect(await read("?tailLines=2")).toBe("two\nthree\n");
    await appendFile(log, "login:");
    expect(await read("?tailLines=1")).toBe("login:");
    expect(await read("?tailLines=0")).toBe("");
    await writeFile(log, Array.from({ length: 40_000 }, (_, line) => `line ${line}\n`).join(""));
    expect(await read("?tailLines=20000")).toMatch(/^line 20000\n(line \d+\n)+line 39999\n$/);
    expect((await agent.fetch("/v1/vms/web-2/log")).status).toBe(404);
    expect((await agent.fetch("/v1/vms/web-1/log?tailLines=many")).status).toBe(400);
  });

  test("a followed log goes on, also over a truncation, and ends when the reader goes", async () => {
    await using folder = await aTempFolder();
    await using agent = await anAgent();
    const log = join(folder.path, "serial.log");
    agent.lifecycle.serials.set("web-1", { log });
    const reader = new AbortController();
    await writeFile(log, "before\n");
    const answer = await agent.fetch("/v1/vms/web-1/log?follow=1&tailLines=1", { signal: reader.signal });
    let seen = "";
    const reading = (async () => {
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) seen += chunk;
    })().catch(() => {});
    await until("the tail came", () => seen === "before\n");
    await appendFile(log, "after\n");
    await until("the addition came", () => seen === "before\nafter\n");
    await writeFile(log, "new\n");
    await until("the new beginning came", () => seen === "before\nafter\nnew\n");
    reader.abort();
    await reading;
  });
});
