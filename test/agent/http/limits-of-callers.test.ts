/** Too often, too many, too wrong: what one address can make an agent do is bounded, and the others do not notice. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/platform/clock.ts";
import { addressKey } from "../../../src/platform/http/door/limits.ts";
import { rarely } from "../../../src/platform/http/door/rarely.ts";
import { TokenBuckets } from "../../../src/platform/http/door/token-buckets.ts";
import { openTokenFile } from "../../../src/platform/http/door/token-file.ts";
import { WrongTokens } from "../../../src/platform/http/door/wrong-tokens.ts";
import { makeCertificates, tlsSettings } from "../../support/certificates.ts";
import { socketAgent } from "../../support/http-agent.ts";
import { requires } from "../../support/requirements.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

/** A clock that moves when it is told to. */
function aSteppedClock() {
  let ms = 0;
  const pass = (milliseconds: number) => {
    ms += milliseconds;
  };
  return { ...systemClock, monotonicMs: () => ms, pass };
}

async function aTokenAgent(clock = aSteppedClock()) {
  const folder = await aTempFolder();
  const path = join(folder.path, "token");
  await writeFile(path, "right", { mode: 0o600 });
  const agent = await socketAgent({ token: await openTokenFile(path), clock });
  const show = async (token: string) => {
    const answer = await agent.fetch("/v1/health", { headers: { authorization: `Bearer ${token}` } });
    await answer.arrayBuffer();
    return answer;
  };
  const dispose = async () => {
    await agent[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  };
  return { agent, clock, path, show, [Symbol.asyncDispose]: dispose };
}

test("a thousand wrong tokens: thirty are looked at, few lines are logged, and after two seconds the right one gets in", async () => {
  await using place = await aTokenAgent();
  const counts: Record<number, number> = {};
  for (let index = 0; index < 1_000; index++) {
    const answer = await place.show(`guess-${index}`);
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    if (answer.status === 429) expect(answer.headers.get("retry-after")).toBe("2");
  }
  expect(counts).toEqual({ 401: 30, 429: 970 });
  // Not looked at either: who tries on learns nothing.
  expect((await place.show("right")).status).toBe(429);
  expect(place.agent.logged.filter((line) => line.message === "turned away")).toHaveLength(1);
  place.clock.pass(2_000);
  expect((await place.show("right")).status).toBe(200);
  expect((await place.show("right")).status).toBe(200);
  // One every two seconds, however long nobody tried: no more than thirty at once.
  place.clock.pass(3_600_000);
  for (let index = 0; index < 30; index++) expect((await place.show(`more-${index}`)).status).toBe(401);
  expect((await place.show("one-more")).status).toBe(429);
});

test("a program that goes on showing the old token shuts out nobody, and gets in when its token is right again", async () => {
  await using place = await aTokenAgent();
  for (let index = 0; index < 200; index++) expect((await place.show("old")).status).toBe(401);
  expect((await place.show("right")).status).toBe(200);
  await writeFile(place.path, "old");
  expect((await place.show("old")).status).toBe(200);
});

test("a thousand at the same moment are no more than a thousand one after the other", async () => {
  await using place = await aTokenAgent();
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => place.show(`guess-${index}`)));
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(30);
});

test("addresses have buckets of their own, and what is remembered of them is bounded", () => {
  const wrong = new WrongTokens(aSteppedClock());
  const digest = (text: string) => createHash("sha256").update(text).digest();
  for (let index = 0; index < 30; index++) wrong.note("10.0.0.1", digest(`${index}`));
  expect(() => wrong.refuse("10.0.0.1", digest("new"))).toThrow(expect.objectContaining({ code: "RATE_LIMITED" }));
  expect(() => wrong.refuse("10.0.0.2", digest("new"))).not.toThrow();
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1 }, 100);
  for (let index = 0; index < 1_000; index++) expect(buckets.take(`10.0.${index}`, 0)).toBe(true);
  expect(buckets.size).toBe(100);
  expect(buckets.take("10.0.999", 0)).toBe(false);
  expect(buckets.take("10.0.999", 999)).toBe(false);
  expect(buckets.take("10.0.999", 1_001)).toBe(true);
});

test("in IPv6 a whole /64 is one address; IPv4 in IPv6 is IPv4", () => {
  expect(addressKey("10.0.0.1")).toBe("10.0.0.1");
  expect(addressKey("::ffff:10.0.0.1")).toBe("10.0.0.1");
  expect(addressKey("::1")).toBe("0:0:0:0::/64");
  expect(addressKey("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(addressKey("2001:db8:1:2::9")).toBe(addressKey("2001:0db8:0001:0002:ffff::"));
  expect(addressKey("fe80::1%eth0")).toBe("fe80:0:0:0::/64");
  expect(addressKey("2001:db8::")).toBe("2001:db8:0:0::/64");
  expect(addressKey(undefined)).toBe("unknown");
});

test("who asks too often is told so and may ask again later; the agent's own socket is not counted", async () => {
  const clock = aSteppedClock();
  const requests = { burst: 10, perSecond: 1 };
  await using agent = await socketAgent({ clock, limits: { requests } });
  const statuses = [];
  for (let index = 0; index < 25; index++) statuses.push((await agent.fetch("/v1/health")).status);
  // Ten of the caller; ten more of the address, which another caller could have had.
  expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  const refused = await agent.fetch("/v1/health");
  expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED", message: "too many requests of your address" });
  clock.pass(1_000);
  expect((await agent.fetch("/v1/health")).status).toBe(200);
  expect((await agent.fetch("/v1/health")).status).toBe(429);

  await using folder = await aTempFolder();
  const path = join(folder.path, "s");
  await using local = await socketAgent({ clock, limits: { requests }, listen: `unix://${path}` });
  const { connectAgent } = await import("../../../src/wire/client.ts");
  const client = connectAgent({ address: local.url });
  for (let index = 0; index < 40; index++) await client.report(AbortSignal.timeout(60_000));
  await client.close();
});

test("one address has so many connections, and gets another when it closes one", async () => {
  await using agent = await socketAgent({ limits: { maxConnectionsPerAddress: 3 } });
  const { hostname, port } = new URL(agent.url);
  const open = (): Promise<{ socket: Socket; heard: () => string; closed: Promise<void> }> =>
    new Promise((resolve) => {
      let heard = "";
      const socket = connect(Number(port), hostname, () => resolve({ socket, heard: () => heard, closed }));
      const closed = new Promise<void>((done) => socket.once("close", () => done()));
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        heard += bytes;
      });
    });
  const first = [await open(), await open(), await open()];
  const fourth = await open();
  await fourth.closed;
  expect(fourth.heard()).toMatch(/^HTTP\/1.1 429 .*retry-after: 2.*too many connections/s);
  first[0]?.socket.destroy();
  await until("another has room", async () => {
    const next = await open();
    next.socket.write("GET /v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    await next.closed;
    return next.heard().startsWith("HTTP/1.1 200");
  });
  for (const { socket } of first) socket.destroy();
});

test("who connects and says nothing is cut off", async () => {
  await using agent = await socketAgent({ limits: { headersMs: 200, requestMs: 300 } });
  const { hostname, port } = new URL(agent.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}).resume();
  await new Promise((resolve) => socket.once("close", resolve));
  expect((await agent.fetch("/v1/health")).status).toBe(200);
});

describe.runIf(requires("limits of TLS connections", "openssl"))("TLS", () => {
  test("a handshake that never ends, or is none, ends the connection", async () => {
    await using folder = await aTempFolder();
    const tls = await tlsSettings(await makeCertificates(folder.path), { clientCa: false });
    await using agent = await socketAgent({ tls, limits: { handshakeMs: 200 } });
    const { hostname, port } = new URL(agent.url);
    for (const said of [null, "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01garbage"]) {
      const socket = connect(Number(port), hostname, () => said !== null && socket.write(said));
      socket.on("error", () => {}).resume();
      await new Promise((resolve) => socket.once("close", resolve));
    }
  });
});

test("the same trouble is said at once, then once a minute with what was left unsaid", () => {
  const clock = aSteppedClock();
  const said: number[] = [];
  const warn = rarely(clock);
  for (let second = 0; second < 150; second++) {
    warn((unsaid) => said.push(unsaid));
    clock.pass(1_000);
  }
  expect(said).toEqual([0, 59, 59]);
});
