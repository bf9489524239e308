/** What nobody foresaw, thrown at every place of a request: it is logged and answered, and the agent lives. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Route, RouteHandler } from "../../../src/agent/http/calls/call.ts";
import { ROUTES } from "../../../src/agent/http/handler.ts";
import { vmName } from "../../../src/model/names.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { requestsOf } from "../../support/route-requests.ts";
import { until } from "../../support/until.ts";

const slip = (): never => {
  throw new TypeError("secret detail of a slip");
};
const chunk = new TextEncoder().encode("so far");

/** Ways to fail that a handler has, with what its caller gets to see. */
const WAYS: Readonly<Record<string, { readonly handle: RouteHandler; readonly seen: "500" | "cut" }>> = {
  "throws at once": { handle: slip, seen: "500" },
  rejects: { handle: async () => slip(), seen: "500" },
  "rejects with nothing": { handle: () => Promise.reject(undefined), seen: "500" },
  "rejects while it reads the body": {
    async handle({ request }) {
      for await (const _ of request.body ?? []) slip();
      return slip();
    },
    seen: "500",
  },
  "answers what is no answer": { handle: async () => undefined as unknown as Response, seen: "500" },
  "answers with a body that was read": {
    async handle() {
      const answer = new Response("x", { headers: { "content-length": "1" } });
      await answer.text();
      return answer;
    },
    seen: "500",
  },
  "answers with a body that fails, though its length was known": {
    handle: async () => new Response(new ReadableStream({ pull: slip }), { headers: { "content-length": "100" } }),
    seen: "500",
  },
  "streams and fails at the first chunk": {
    handle: async () => new Response(new ReadableStream({ pull: slip }, { highWaterMark: 0 })),
    seen: "cut",
  },
  "streams and fails later": {
    async handle() {
      let pulls = 0;
      const body = new ReadableStream(
        {
          pull(controller) {
            if (pulls++ > 2) slip();
            controller.enqueue(chunk);
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(body);
    },
    seen: "cut",
  },
  "streams what is no bytes": {
    handle: async () => new Response(new ReadableStream({ start: (c) => c.enqueue(17 as unknown as Uint8Array) })),
    seen: "cut",
  },
};

async function seenBy(agent: TestAgent, { path, ...init }: { path: string } & RequestInit) {
  try {
    const answer = await agent.fetch(path, { ...init, signal: AbortSignal.timeout(20_000) });
    const text = await answer.text();
    return { status: answer.status, text };
  } catch (error) {
    return { status: "cut", text: String(error) };
  }
}

test.each(Object.entries(WAYS))("a handler of any route that %s is logged, and its caller told", async (_, way) => {
  const broken = ({ path, methods }: Route): Route => ({
    path,
    methods: Object.fromEntries(Object.entries(methods).map(([method, [role]]) => [method, [role, way.handle]])),
  });
  const whole = ROUTES.filter(({ path }) => path === "/v1/health");
  await using agent = await socketAgent({
    routes: [...whole, ...ROUTES.filter((r) => !whole.includes(r)).map(broken)],
  });
  const requests = ROUTES.flatMap((route) => (whole.includes(route) ? [] : requestsOf(route)));
  expect(requests.length).toBeGreaterThan(25);
  for (const request of requests) {
    const before = agent.logged.filter(({ level }) => level === "error").length;
    const seen = await seenBy(agent, request);
    const where = `${request.method} ${request.path}`;
    expect(String(seen.status), where).toBe(way.seen);
    expect(seen.text, where).not.toContain("secret detail");
    await until("it was logged", () => agent.logged.filter(({ level }) => level === "error").length > before);
  }
  expect((await agent.fetch("/v1/health")).status).toBe(200);
});

test("a stream whose end fails when its reader leaves ends nothing else", async () => {
  const stream: Route = {
    path: "/v1/events",
    methods: {
      GET: ["observe", async () => new Response(new ReadableStream({ start: (c) => c.enqueue(chunk), cancel: slip }))],
    },
  };
  await using agent = await socketAgent({ routes: [stream, ...ROUTES.filter(({ path }) => path === "/v1/health")] });
  for (let left = 0; left < 5; left++) {
    const leaves = new AbortController();
    const answer = await agent.fetch("/v1/events", { signal: leaves.signal });
    await answer.body!.getReader().read();
    leaves.abort();
  }
  expect((await agent.fetch("/v1/health")).status).toBe(200);
});

test("who listens to events and fails neither fails the others nor who tells of them", async () => {
  const { createEventLog } = await import("../../../src/agent/lifecycle/parts/event-log.ts");
  const { systemClock } = await import("../../../src/platform/clock.ts");
  const logged: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (_: object, message: string) => void logged.push(message) };
  const events = createEventLog(systemClock, log);
  const heard: string[] = [];
  events.subscribe(slip);
  events.subscribe(({ message }) => heard.push(message));
  events.emit({ kind: "phase", vm: null, message: "web-1 runs" });
  expect(heard).toEqual(["web-1 runs"]);
  expect(logged).toEqual(["somebody who listens to events failed"]);
});

test("what a viewer's console fails at ends that viewer", async () => {
  await using agent = await socketAgent();
  agent.lifecycle.serials.set("web-1", { log: null });
  const { console, leave } = agent.consoles.visit(vmName("web-1"));
  // What is typed falls on a line that is broken inside.
  console.write = slip;
  const client = connectAgent({ address: agent.url });
  const seen = await client.openConsole(vmName("web-1"), new AbortController().signal, {
    readonly: false,
    follow: true,
  });
  seen.send(Buffer.from("x"));
  for await (const _ of seen.output);
  expect(agent.logged).toContainEqual(expect.objectContaining({ message: "a viewer's console failed" }));
  expect((await agent.fetch("/v1/health")).status).toBe(200);
  await client.close();
  leave();
});

const SCRIPT = fileURLToPath(new URL("../../support/slipping-server.ts", import.meta.url));

test("what falls past every catch ends its request, and a slip of no request's ends the process as ever", async () => {
  const child = spawn(process.execPath, [SCRIPT], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const exited = once(child, "exit");
    let logged = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      logged += text;
    });
    const [url] = (await once(createInterface(child.stdout), "line")) as [string];
    const ask = (how: string) =>
      fetch(`${url}/v1/x?how=${how}`).then(
        async (answer) => `${answer.status} ${await answer.text().catch(() => "cut")}`,
        () => "cut",
      );
    for (const how of ["rejection", "timer", "interval", "tick", "listener"])
      expect(await ask(how), how).toMatch(/^500 .*"code":"INTERNAL"/);
    expect(await ask("after-the-answer")).toBe("200 fine");
    expect(await ask("in-a-stream")).toBe("200 cut");
    const upgrade = { connection: "upgrade", upgrade: "websocket" };
    const { request } = await import("node:http");
    const console = request(url, { headers: upgrade }).end();
    await once(console, "error");
    expect(await (await fetch(url)).text()).toBe("alive");
    await until("all were logged", () => logged.split('"a slip"').length - 1 >= 8);
    child.kill("SIGUSR2");
    expect((await exited)[0]).toBe(1);
    expect(logged).toContain("the agent ends");
  } finally {
    child.kill("SIGKILL");
  }
});
