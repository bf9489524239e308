/** What viewers are told beside the bytes, and what they may. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { LinePlace } from "../../../src/agent/console/console.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import type { Role } from "../../../src/model/role.ts";
import { aSerialGuest, type SerialGuest } from "../../support/a-serial-guest.ts";
import { aWebSocket } from "../../support/a-web-socket.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { until } from "../../support/until.ts";

const web1 = vmName("web-1");
const CONSOLE = "/v1/vms/web-1/console";
const place = (guest: SerialGuest): LinePlace => ({
  port: socketPort(guest.socket),
  log: guest.log,
  loggedBy: "agent",
});

async function aWorld(role: Role | null = null) {
  const guest = await aSerialGuest();
  const access = {
    read: async () => ({
      size: 1,
      hasCertificates: false,
      find: () => (role === null ? null : { name: "eve", role, by: "token" as const }),
    }),
  };
  const agent: TestAgent = await socketAgent(role === null ? {} : { access });
  agent.lifecycle.serials.set("web-1", { log: guest.log });
  const headers: Record<string, string> = role === null ? {} : { authorization: "Bearer x" };
  return {
    guest,
    agent,
    open: (path: string) => aWebSocket(agent.url + path, { headers }),
    async start() {
      await guest.start();
      const line = agent.consoles.begin(web1, place(guest));
      await until("the line is open", () => guest.client !== null);
      return line;
    },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await guest[Symbol.asyncDispose]();
    },
  };
}

test("who follows stays while the guest goes off and comes back, and sees nothing twice", async () => {
  await using world = await aWorld();
  writeFileSync(world.guest.log, "an earlier life\n");
  await using viewer = await world.open(`${CONSOLE}?follow=1`);
  await until("it is told", () => viewer.frames.length === 3);
  const line = await world.start();
  world.guest.say("booting\n");
  await until("it is seen", () => viewer.bytes.endsWith("booting\n"));
  await world.guest.off();
  await line.end();
  await until("it is off", () => viewer.messages.at(-1)?.event === "guest-off");
  const second = await world.start();
  world.guest.say("booting again\n");
  await until("it is seen", () => viewer.bytes.endsWith("again\n"));
  expect(viewer.frames).toEqual([
    'text {"type":"connected","vm_id":"web-1","readonly":false}',
    "bytes an earlier life\n",
    'text {"type":"event","event":"guest-off","message":"web-1 is off"}',
    'text {"type":"event","event":"guest-started","message":"web-1 runs"}',
    "bytes booting\n",
    'text {"type":"event","event":"guest-off","message":"web-1 is off"}',
    'text {"type":"event","event":"guest-started","message":"web-1 runs"}',
    "bytes booting again\n",
  ]);
  await world.guest.off();
  await second.end();
});

test("a reboot within one process is told, and the line goes on", async () => {
  await using world = await aWorld();
  await world.start();
  await using viewer = await world.open(`${CONSOLE}?follow=1`);
  await using plain = await world.open(CONSOLE);
  world.guest.say("one ");
  await until("both see it", () => viewer.bytes === "one " && plain.bytes === "one ");
  await world.guest.off();
  await world.guest.start();
  await until("it is told", () => viewer.messages.at(-1)?.event === "rebooted");
  world.guest.say("two");
  await until("both see it", () => viewer.bytes === "one two" && plain.bytes === "one two");
  // Bytes only, for who asked for nothing else.
  expect(plain.frames).toEqual(["bytes one two"]);
});

test("what is typed while the guest is off is refused with a word, once for each time", async () => {
  await using world = await aWorld();
  await using viewer = await world.open(`${CONSOLE}?follow=1`);
  viewer.type("a");
  viewer.type("b");
  await until("it is told", () => viewer.messages.length === 3);
  const line = await world.start();
  await until("it runs", () => viewer.messages.at(-1)?.event === "guest-started");
  viewer.type("c");
  await until("it is heard", () => world.guest.heard === "c");
  await world.guest.off();
  await line.end();
  await until("it is off", () => viewer.messages.at(-1)?.event === "guest-off");
  viewer.type("d");
  await until("it is told again", () => viewer.messages.at(-1)?.type === "error");
  expect(viewer.messages.filter((each) => each.type === "error").map((each) => each.message)).toEqual([
    "web-1 is off: nothing that is typed reaches it",
    "web-1 is off: nothing that is typed reaches it",
  ]);
});

test.each([
  ["who asked to look only", null, "?readonly=1"],
  ["who has the role observe", "observe", ""],
] as const)("%s cannot type", async (_, role, query) => {
  await using world = await aWorld(role);
  await world.start();
  await using viewer = await world.open(`${CONSOLE}${query === "" ? "?" : `${query}&`}follow=1`);
  expect(viewer.messages).toEqual([{ type: "connected", vm_id: "web-1", readonly: true }]);
  viewer.type("rm -rf /\r");
  viewer.type("\r");
  viewer.tell({ type: "reset_session" });
  viewer.tell({ type: "resize", cols: 80, rows: 24 });
  await until("it is told", () => viewer.messages.at(-1)?.type === "resized");
  world.guest.say("untouched");
  await until("it looks on", () => viewer.bytes === "untouched");
  expect(viewer.messages.filter((each) => each.type === "error")).toEqual([
    { type: "error", message: "this console is read-only: nothing that is typed reaches the guest" },
  ]);
  expect(world.guest.heard).toBe("");
  await using plain = await world.open(`${CONSOLE}${query}`);
  plain.type("x");
  expect(await plain.closed).toBe("close 1008 this console is read-only");
  expect(world.guest.heard).toBe("");
});

test.each(["operate", "apply", "admin"] as const)("the role %s may type", async (role) => {
  await using world = await aWorld(role);
  await world.start();
  await using viewer = await world.open(CONSOLE);
  viewer.type("hello");
  await until("it is heard", () => world.guest.heard === "hello");
});

test("control messages are answered, mistakes too, and the session goes on", async () => {
  await using world = await aWorld();
  await world.start();
  await using viewer = await world.open(`${CONSOLE}?follow=1`);
  for (const each of ["hello", "[]", "null", { type: "dance" }, { type: "resize", cols: 0, rows: 24 }])
    viewer.tell(each);
  viewer.tell({ type: "resize", cols: 132, rows: 43 });
  viewer.tell({ type: "reset_session" });
  await until("the keys are pressed", () => world.guest.heard === "\x03\r\x04");
  expect(viewer.messages.slice(1).map((each) => each.type)).toEqual([
    "error",
    "error",
    "error",
    "error",
    "error",
    "resized",
  ]);
  expect(viewer.messages.at(-1)).toMatchObject({ applied: false, message: expect.stringContaining("stty") });
});

test("the Rust agent's console: connected first, its own control messages, the end when the guest is off", async () => {
  await using world = await aWorld();
  const line = await world.start();
  await using viewer = await world.open("/vms/WEB-1/console");
  world.guest.say("login: ");
  await until("it is seen", () => viewer.bytes === "login: ");
  viewer.type("root\r");
  viewer.tell({ type: "resize", cols: 80, rows: 24, x_pixels: 0, y_pixels: 0 });
  viewer.tell("plain text");
  viewer.tell({ type: "reset_session" });
  await until("all is heard", () => world.guest.heard === "root\r\x03\r\x04");
  await world.guest.off();
  await line.end();
  await viewer.closed;
  expect(viewer.frames).toEqual([
    'text {"type":"connected","vm_id":"WEB-1"}',
    "bytes login: ",
    expect.stringMatching(/^text \{"type":"error","message":"Text frames are for control messages in JSON/),
    "close 4001 web-1 is off",
  ]);
});

test("a viewer whose machine vanished is noticed, one that is silent is not", async () => {
  await using world = await aWorld();
  await using agent = await socketAgent({ heartbeatMs: 100 });
  agent.lifecycle.serials.set("web-1", { log: null });
  await world.guest.start();
  agent.consoles.begin(web1, place(world.guest));
  await using there = await aWebSocket(`${agent.url}${CONSOLE}`);
  await using vanished = await aWebSocket(`${agent.url}${CONSOLE}`);
  // Reads nothing and answers nothing, as a machine without power does.
  vanished.socket.pause();
  await until("it is let go of", () => agent.audited.some((each) => each.event === "console-closed"));
  world.guest.say("still here");
  await until("the other sees it", () => there.bytes === "still here");
});

test("a paste that the guest does not read waits for it, and is lost nowhere", async () => {
  await using world = await aWorld();
  await world.start();
  world.guest.client?.pause();
  await using viewer = await world.open(CONSOLE);
  const paste = "0123456789\n".repeat(90_000);
  viewer.type(paste);
  viewer.type("end");
  world.guest.say("?");
  await until("it looks on", () => viewer.bytes === "?");
  world.guest.client?.resume();
  await until("all is heard", () => world.guest.heard.length === paste.length + 3);
  expect(world.guest.heard).toBe(`${paste}end`);
});

test("a VM has so many viewers and no more", async () => {
  await using world = await aWorld();
  await world.start();
  await using viewers = new AsyncDisposableStack();
  for (let count = 0; count < 64; count++) viewers.use(await world.open(CONSOLE));
  await using oneMore = await world.open(`${CONSOLE}?follow=1`);
  expect(await oneMore.closed).toBe("close 1008 64 look at this console already");
});
