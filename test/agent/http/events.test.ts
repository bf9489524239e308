import { describe, expect, test } from "vitest";
import { connectAgent } from "../../../src/wire/client.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";
import { BOTH_WAYS, socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { until } from "../../support/until.ts";

/** Reads the stream as text until the test is done with it. */
async function open(agent: TestAgent, headers: Record<string, string> = {}) {
  const reader = new AbortController();
  const answer = await agent.fetch("/v1/events", { headers, signal: reader.signal });
  const seen = { text: "", status: answer.status, type: answer.headers.get("content-type") };
  const reading = (async () => {
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) seen.text += chunk;
  })().catch(() => {});
  return Object.assign(seen, {
    async [Symbol.asyncDispose]() {
      reader.abort();
      await reading;
    },
  });
}

const messages = (text: string) => [...text.matchAll(/"message":"([^"]*)"/g)].map((match) => match[1]);

describe.each(BOTH_WAYS)("the event stream, %s", (_, anAgent) => {
  test("tells what happens from now on, with ids and heartbeats", async () => {
    await using agent = await anAgent({ heartbeatMs: 20 });
    agent.lifecycle.events.tell("phase", "before");
    await using stream = await open(agent);
    expect([stream.status, stream.type]).toEqual([200, "text/event-stream; charset=utf-8"]);
    agent.lifecycle.events.tell("phase", "web-1 runs");
    await until("the event came", () => stream.text.includes("web-1 runs"));
    expect(stream.text).toContain("id: 2\nevent: phase\ndata: {");
    expect(messages(stream.text)).toEqual(["web-1 runs"]);
    await until("a heartbeat came", () => stream.text.includes(": heartbeat\n\n"));
  });

  test("who comes back with the last id gets what it missed", async () => {
    await using agent = await anAgent();
    for (const message of ["a", "b", "c"]) agent.lifecycle.events.tell("phase", message);
    await using stream = await open(agent, { "last-event-id": "1" });
    await until("all came", () => stream.text.includes('"c"'));
    expect(messages(stream.text)).toEqual(["b", "c"]);
  });

  test("who was away for too long, or comes from another life, is told to begin anew", async () => {
    await using agent = await anAgent();
    for (const message of ["a", "b", "c", "d"]) agent.lifecycle.events.tell("phase", message);
    agent.lifecycle.events.forget(2);
    for (const id of ["1", "99"]) {
      await using stream = await open(agent, { "last-event-id": id });
      await until("the reset came", () => stream.text.includes("event: reset"));
      expect(stream.text).toContain("id: 4\nevent: reset");
      expect(messages(stream.text)).toHaveLength(1);
    }
    expect((await agent.fetch("/v1/events", { headers: { "last-event-id": "x" } })).status).toBe(400);
  });

  test("a stream ends with its reader and with the agent, and leaves nothing behind", async () => {
    await using agent = await anAgent();
    const first = await open(agent);
    await using second = await open(agent);
    expect(agent.lifecycle.events.listeners).toBe(2);
    await first[Symbol.asyncDispose]();
    await until("the first is gone", () => agent.lifecycle.events.listeners === 1);
    agent.stop();
    await until("the second is gone", () => agent.lifecycle.events.listeners === 0);
    expect(second.status).toBe(200);
  });

  test("a reader's going is noticed also after garbage was collected", async () => {
    await using agent = await anAgent();
    const stream = await open(agent);
    // What a Request hears of its caller it hears through weak references: it must be held as long as its stream.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    await stream[Symbol.asyncDispose]();
    await until("it is gone", () => agent.lifecycle.events.listeners === 0);
  });

  test("a reader that does not read is let go", async () => {
    await using agent = await anAgent();
    const reader = new AbortController();
    const answer = await agent.fetch("/v1/events", { signal: reader.signal });
    const long = "x".repeat(20_000);
    await until("it is let go", () => {
      for (let event = 0; event < 100; event++) agent.lifecycle.events.tell("phase", long);
      agent.lifecycle.events.forget(100);
      return agent.lifecycle.events.listeners === 0;
    });
    reader.abort();
    await answer.text().catch(() => {});
  });
});

test("the client keeps the stream up across an agent's restart and misses nothing", async () => {
  const first = await socketAgent();
  const client = connectAgent({ address: first.url });
  const done = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of client.events(null, done.signal)) seen.push(event.message);
  })().catch(() => {});
  await until("it listens", () => first.lifecycle.events.listeners === 1);
  first.lifecycle.events.tell("phase", "one");
  await until("one came", () => seen.length === 1);
  await first[Symbol.asyncDispose]();
  first.lifecycle.events.tell("phase", "two");
  await using second = await socketAgent({ listen: first.url.slice("http://".length), lifecycle: first.lifecycle });
  await until("two came", () => seen.length === 2);
  second.lifecycle.events.tell("phase", "three");
  await until("three came", () => seen.length === 3);
  expect(seen).toEqual(["one", "two", "three"]);
  done.abort();
  await following;
  await client.close();
});
