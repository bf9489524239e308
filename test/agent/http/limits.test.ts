import { spawnSync } from "node:child_process";
import { stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NO_AUDIT } from "../../../src/agent/http/audit/audit-trail.ts";
import { serve } from "../../../src/agent/http/node-server.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { IN_PROCESS } from "../../../src/platform/http/door/caller.ts";
import { parseListenAddress } from "../../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { socketAgent } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

/** Says some bytes and gathers what comes until the other side closes. */
function say(url: string, ...pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    let heard = "";
    const socket = connect(Number(port), hostname, () => {
      for (const piece of pieces) socket.write(piece);
    });
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      heard += text;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(heard));
  });
}

const QUICK = { headersMs: 200, requestMs: 300 };

test("who never ends its headers is cut off, and so is who never ends its body", async () => {
  await using agent = await socketAgent({ limits: QUICK });
  const [headers, body] = await Promise.all([
    say(agent.url, "GET /v1/health HTTP/1.1\r\nhost: localhost\r\nx-slow: "),
    say(
      agent.url,
      "PUT /v1/vms/web-1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ),
  ]);
  expect(headers).toContain("the request took too long to arrive");
  expect(body).toContain("the request took too long to arrive");
  expect((await agent.fetch("/v1/health")).status).toBe(200);
});

test("what is not HTTP, or too much of it, is answered as every mistake is", async () => {
  await using agent = await socketAgent();
  expect(await say(agent.url, "\x16\x03\x01 this is TLS\r\n\r\n")).toMatch(/^HTTP\/1.1 400 .*"this is not HTTP"/s);
  expect(await say(agent.url, `GET / HTTP/1.1\r\nx: ${"a".repeat(20_000)}\r\n\r\n`)).toContain(
    "headers are larger than 16 KiB",
  );
  expect(
    await say(agent.url, "GET http://evil/v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
  ).toContain("the address must be a path");
  for (const path of ["/v1/vms/../report", "/v1/./report", "/v1/vms/%2E%2e/report", "/v1\\report", "/v1/vms/.."]) {
    const asked = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`;
    expect(await say(agent.url, asked), path).toContain("the address must not have");
  }
  expect(await say(agent.url, "TRACE /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).toContain(
    " 405 ",
  );
});

test("who offers another protocol on the side is answered in this one", async () => {
  await using agent = await socketAgent();
  const asked = "GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n";
  expect(await say(agent.url, asked)).toMatch(/^HTTP\/1.1 200 /);
});

test("who sends for ever although it was answered is let go", async () => {
  await using agent = await socketAgent();
  const head =
    "PUT /v1/vms/web-1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n";
  expect(await say(agent.url, head, "[")).toContain("413");
});

test("closing ends open streams and idle connections, and does not wait for the deaf", async () => {
  const agent = await socketAgent({ limits: { drainMs: 200 } });
  await agent.fetch("/v1/health");
  const events = await agent.fetch("/v1/events");
  const deaf = say(agent.url, "GET /v1/health HTTP/1.1\r\nhost: localhost\r\n");
  await until("the stream is open", () => agent.lifecycle.events.listeners === 1);
  const begun = performance.now();
  await agent[Symbol.asyncDispose]();
  expect(performance.now() - begun).toBeLessThan(2_000);
  expect(agent.lifecycle.events.listeners).toBe(0);
  await events.text().catch(() => "");
  await deaf;
});

test("a taken port is ADDRESS_IN_USE, and what was opened before it is closed again", async () => {
  await using agent = await socketAgent();
  await using folder = await aTempFolder();
  const path = join(folder.path, "s");
  const taken = agent.url.slice("http://".length);
  await expect(listenOn(`unix://${path}`, taken)).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
    message: expect.stringContaining(taken),
  });
  await using again = await listenOn(`unix://${path}`);
  expect(again.urls).toEqual([`unix://${path}`]);
});

test("a Unix socket is its owner's only; a dead agent's is taken over, a living one's is not", async () => {
  await using folder = await aTempFolder();
  const path = join(folder.path, "s");
  await using agent = await socketAgent({ listen: `unix://${path}` });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(listenOn(`unix://${path}`)).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
  const client = connectAgent({ address: agent.url });
  expect((await client.report(AbortSignal.timeout(60_000))).node.name).toBe("n1");
  await client.close();

  // A process that was killed leaves its socket file behind.
  const left = join(folder.path, "left");
  const script = `require("net").createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  expect((await stat(left)).isSocket()).toBe(true);
  await using heir = await listenOn(`unix://${left}`);
  expect(heir.urls).toEqual([`unix://${left}`]);
});

const listenOn = (...addresses: readonly string[]) =>
  serve({
    addresses: addresses.map(parseListenAddress),
    handler: async () => new Response(),
    gate: async () => IN_PROCESS,
    tls: null,
    log: silentLogger,
    clock: systemClock,
    audit: NO_AUDIT,
    upgrade: async () => {},
  });
