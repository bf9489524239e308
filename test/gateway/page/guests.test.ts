/** A guest's log, events and console through the gateway: over real sockets, to a real edge of an agent. */
import { writeFileSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { GatewayMetrics } from "../../../src/gateway/metrics/gateway-metrics.ts";
import { GatewayEvents } from "../../../src/gateway/service/event-log.ts";
import { FleetView } from "../../../src/gateway/service/fleet-view.ts";
import { AgentLines } from "../../../src/gateway/service/guests/agent-lines.ts";
import { openGatewayDoor } from "../../../src/gateway/service/http/gateway-door.ts";
import { FleetSight } from "../../../src/gateway/service/sight/fleet-sight.ts";
import { nodeName, vmName } from "../../../src/model/names.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { sha256 } from "../../../src/platform/http/door/access-file.ts";
import { parseListenAddress } from "../../../src/platform/http/listen-address.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { FileRunStore } from "../../../src/run-store/file-run-store.ts";
import { aFleet, planOf } from "../../support/a-fleet.ts";
import { aSerialGuest, type SerialGuest } from "../../support/a-serial-guest.ts";
import { aWebSocket } from "../../support/a-web-socket.ts";
import { expectValid } from "../../support/expect-valid.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const opened = new AsyncDisposableStack();
let guest: SerialGuest;
let agent: TestAgent;
let url = "";

beforeAll(async () => {
  const scratch = opened.use(await aTempFolder());
  guest = opened.use(await aSerialGuest());
  agent = opened.use(await socketAgent());
  agent.lifecycle.serials.set("web-1", { log: guest.log });
  const people = join(scratch.path, "people");
  const roles = { olga: "observe", otto: "operate" };
  const lines = Object.entries(roles).map(
    ([name, role]) => `${name} ${role} sha256:${sha256(`token-${name}`).toString("hex")}`,
  );
  await writeFile(people, `${lines.join("\n")}\n`);
  await chmod(people, 0o600);
  const events = new GatewayEvents(systemClock);
  const sight = new FleetSight({ clock: systemClock, life: "l", isHeard: () => false, onNews: () => {} });
  const fleet = aFleet().node("n1", { address: agent.url }).vm("web-1", { on: "n1" }).vm("web-2", { on: "n1" });
  const world = aFleet().node("n1").vm("web-1", { on: "n1" }).asDesired();
  const plan = planOf(fleet, world);
  sight.planned({ plan, fleet: { desired: fleet.desired() } as never, observed: world.observed() });
  const view = new FleetView({ name: "shop", repository: { url: "/x", ref: null, path: null } }, () => null, sight);
  const agents = opened.use(new AgentLines({}));
  const door = opened.use(
    await openGatewayDoor({
      config: {
        listen: parseListenAddress("127.0.0.1:0"),
        publicUrl: null,
        door: { tokenFile: null, accessFile: people, tls: null },
      },
      fleets: new Map([["shop", { view, agents, history: null }]]),
      runs: new FileRunStore(scratch.path),
      events,
      metrics: new GatewayMetrics({ version: "0", clock: systemClock }),
      carryOn: async () => {},
      clock: systemClock,
      log: silentLogger,
      version: "0",
      since: systemClock.now(),
    }),
  );
  url = door.url;
}, 60_000);
afterAll(() => opened.disposeAsync());

const VM = "/v1/fleets/shop/vms/web-1";
const ask = (path: string, who = "olga") => fetch(url + path, { headers: { authorization: `Bearer token-${who}` } });

describe("its log", () => {
  test("is its last bytes, from the beginning of a line on", async () => {
    writeFileSync(guest.log, "one\ntwo\n<script>alert(1)</script>\n");
    const answer = await ask(`${VM}/log`);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await answer.text()).toBe("one\ntwo\n<script>alert(1)</script>\n");
    expect(await (await ask(`${VM}/log?tail=30`)).text()).toBe("<script>alert(1)</script>\n");
  });

  test("of lines of 64 kB is as many bytes as were asked for, and one line alone is cut", async () => {
    writeFileSync(guest.log, `${`${"x".repeat(64 * 1024)}\n`.repeat(40)}end\n`);
    const bytes = async (query: string) => (await (await ask(`${VM}/log${query}`)).arrayBuffer()).byteLength;
    expect(await bytes("")).toBeLessThanOrEqual(64 * 1024);
    expect(await (await ask(`${VM}/log?tail=100`)).text()).toBe("end\n");
    expect(await bytes("?tail=1000000")).toBeLessThanOrEqual(1_000_000);
    writeFileSync(guest.log, "y".repeat(300 * 1024));
    expect(await bytes("?tail=5000")).toBe(5_000);
  });

  test.each(["0", "-1", "1e3", "2000000", "x"])("?tail=%s is refused in words", async (tail) => {
    expect(await (await ask(`${VM}/log?tail=${tail}`)).json()).toMatchObject({ code: "BAD_REQUEST" });
  });

  test("that is nowhere is told as that", async () => {
    expect(await (await ask("/v1/fleets/shop/vms/web-2/log")).json()).toMatchObject({ code: "NOT_FOUND" });
    expect(await (await ask("/v1/fleets/shop/vms/web-9/log")).json()).toMatchObject({
      code: "NOT_FOUND",
      message: 'shop has no VM "web-9"',
    });
  });

  test("is followed until the reader goes", async () => {
    writeFileSync(guest.log, "one\n");
    const answer = await ask(`${VM}/log?follow=1`);
    const reader = answer.body!.getReader();
    let text = "";
    const read = async (end: string) => {
      while (!text.endsWith(end)) text += Buffer.from((await reader.read()).value!).toString();
    };
    await read("one\n");
    writeFileSync(guest.log, "two\n", { flag: "a" });
    await read("two\n");
    expect(text).toBe("one\ntwo\n");
    await reader.cancel();
  });
});

test("its events are those that its agent remembers, of this VM", async () => {
  agent.lifecycle.events.tell("phase", "web-1 <b>runs</b>", vmName("web-1"));
  agent.lifecycle.events.tell("phase", "other runs", vmName("other"));
  const document = await (await ask(`${VM}/events`)).json();
  expectValid(document, "gateway-vm-events");
  expect(document).toMatchObject({
    node: nodeName("n1"),
    isComplete: true,
    events: [{ kind: "phase", message: "web-1 <b>runs</b>" }],
  });
});

describe("its console", () => {
  const open = (who: string, query = "?follow=1", headers: Record<string, string> = {}) =>
    aWebSocket(`${url}${VM}/console${query}`, { headers: { authorization: `Bearer token-${who}`, ...headers } });

  test("is typed into by who may operate; who may only look is told so, and nothing of it reaches the guest", async () => {
    writeFileSync(guest.log, "");
    await guest.start();
    const line = agent.consoles.begin(vmName("web-1"), {
      port: socketPort(guest.socket),
      log: guest.log,
      loggedBy: "agent",
    });
    await until("the line is open", () => guest.client !== null);
    let heard = "";
    guest.client!.on("data", (bytes: Buffer) => {
      heard += bytes;
    });
    await using otto = await open("otto");
    await using olga = await open("olga");
    guest.say("login: ");
    await until("both see it", () => otto.bytes.endsWith("login: ") && olga.bytes.endsWith("login: "));
    expect(otto.messages[0]).toEqual({ type: "connected", vm_id: "web-1", readonly: false });
    expect(olga.messages[0]).toMatchObject({ type: "connected", readonly: true });
    olga.type("rm -rf /\n");
    olga.tell({ type: "reset_session" });
    await until("she is told", () => olga.messages.at(-1)?.type === "error");
    otto.type("root\n");
    await until("the guest hears it", () => heard.endsWith("root\n"));
    expect(heard).toBe("root\n");
    otto.tell({ type: "resize", cols: 80, rows: 24 });
    await until("it is answered", () => otto.messages.at(-1)?.type === "resized");
    await using plain = await open("olga", "");
    plain.type("x");
    expect(await plain.closed).toMatch(/^close 1008 this console is read-only/);
    await guest.off();
    await line.end();
    await until("it is off", () => otto.messages.at(-1)?.event === "guest-off");
    expect(heard).toBe("root\n");
  });

  test("is opened by no other page, and by a session only from its own", async () => {
    const opened = await fetch(`${url}/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: url },
      body: JSON.stringify({ token: "token-otto" }),
    });
    const cookie = opened.headers.getSetCookie()[0]!.split(";")[0]!;
    const by = (headers: Record<string, string>) =>
      aWebSocket(`${url}${VM}/console?follow=1`, { headers: { cookie, ...headers } });
    await expect(by({})).rejects.toThrow("403");
    await expect(by({ origin: "https://evil.example" })).rejects.toThrow("403");
    await expect(open("otto", "?follow=1", { origin: "https://evil.example" })).rejects.toThrow("403");
    await expect(aWebSocket(`${url}${VM}/console`)).rejects.toThrow("401");
    await expect(aWebSocket(`${url}/v1/nowhere`, { headers: { authorization: "Bearer token-otto" } })).rejects.toThrow(
      "404",
    );
    await using own = await by({ origin: url });
    await until("it is connected", () => own.messages[0]?.type === "connected");
    await fetch(`${url}/v1/session`, { method: "DELETE", headers: { cookie, origin: url } });
    expect(await own.closed).toBe("close 1008 the session is over: sign in again");
  });

  test("of one whose agent refuses is refused with the agent's words", async () => {
    agent.lifecycle.serials.delete("web-1");
    await expect(open("otto")).rejects.toThrow(/40\d/);
  });
});
