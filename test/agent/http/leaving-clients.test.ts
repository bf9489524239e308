/** A client that leaves, at every byte of what it asks and at every stage of the answer: the agent lives, and keeps nothing of it. */
import { getEventListeners, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROUTES } from "../../../src/agent/http/handler.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { IN_PROCESS } from "../../../src/platform/http/door/caller.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { bytesOf, type RouteRequest, requestsOf } from "../../support/route-requests.ts";
import { handshake } from "../../support/send-hostile.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";
import { aVmReport, aWireSpec } from "../../support/wire-builders.ts";

/** Aborted, or closed as it should be. */
type Way = "reset" | "end";
type Leave = (socket: Socket, way: Way) => void;
const leave: Leave = (socket, way) => void (way === "reset" ? socket.resetAndDestroy() : socket.end());

const unseen: unknown[] = [];
const note = (error: unknown) => void unseen.push(error);
beforeEach(() => {
  unseen.length = 0;
  process.on("unhandledRejection", note).on("uncaughtException", note);
});
afterEach(() => {
  process.off("unhandledRejection", note).off("uncaughtException", note);
  expect(unseen).toEqual([]);
});

/** A VM that runs, with a line and a log, and operations that take until their caller leaves. */
async function aBusyAgent() {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await aTempFolder());
  const log = join(folder.path, "console.log");
  await writeFile(log, "Welcome\n".repeat(500));
  const lines = new Set<Socket>();
  const guest = createServer((line) => {
    lines.add(line.on("error", () => {}).resume());
    line.on("close", () => lines.delete(line));
  });
  guest.listen(join(folder.path, "s"));
  await once(guest, "listening");
  opened.defer(() => {
    for (const line of lines) line.destroy();
    guest.close();
  });
  let knocks = 0;
  const agent = opened.use(
    await socketAgent({
      // As long as a file of tokens takes to be read, or not: whoever leaves may be gone before the answer begins.
      gate: async () => {
        for (let turns = knocks++ % 5; turns > 0; turns--) await turn();
        return IN_PROCESS;
      },
      heartbeatMs: 5,
      limits: { maxConnectionsPerAddress: 10_000, requests: { burst: 1e9, perSecond: 1e9 } },
    }),
  );
  agent.lifecycle.finishesAtOnce = false;
  agent.lifecycle.rawAnswer = { status: 200, contentType: "application/json", body: Buffer.from('{"config":{}}') };
  agent.lifecycle.reported = {
    ...agent.lifecycle.reported,
    vms: [aVmReport("web-1", { fleet: null, spec: aWireSpec({ hypervisor: "cloud-hypervisor" }) })],
  };
  agent.lifecycle.serials.set("web-1", { log });
  agent.consoles.begin(vmName("web-1"), { port: socketPort(join(folder.path, "s")), log, loggedBy: "hypervisor" });
  const before = { listeners: agent.lifecycle.events.listeners, handles: handles() };
  const rest = opened.move();
  return { agent, before, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

const handles = (): number => process.getActiveResourcesInfo().filter((each) => /^TCPSocketWrap$/.test(each)).length;

async function expectNothingKept({
  agent,
  before,
}: {
  agent: TestAgent;
  before: { listeners: number; handles: number };
}) {
  expect((await agent.fetch("/v1/health", { headers: { connection: "close" } })).status).toBe(200);
  // What was begun goes on without who asked for it, and is followed to its end for the audit log.
  for (const { request } of agent.lifecycle.asked) agent.lifecycle.finish(request.id);
  await until("all subscriptions ended", () => agent.lifecycle.events.listeners === before.listeners, 20_000);
  await until(
    "nobody listens to the agent's end",
    () => getEventListeners(agent.stopping, "abort").length === 0,
    20_000,
  );
  await until("all connections are closed", () => handles() <= before.handles + 1, 20_000);
  const unexpected = agent.logged.filter(({ level }) => level === "error");
  expect(unexpected).toEqual([]);
}

/** What one client does: sends, and says when it has left. */
function visit(url: string, act: (socket: Socket) => void): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on("connect", () => act(socket));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}

async function manyAtATime(visits: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = visits.values();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (const each of queue) await each();
    }),
  );
}

const REQUESTS = ROUTES.flatMap(requestsOf);
const FOLLOWED: RouteRequest = { path: "/v1/vms/web-1/log?follow=1", method: "GET", headers: {}, body: null };
const CONSOLES = ["/v1/vms/web-1/console", "/v1/vms/web-1/console?follow=1", "/vms/web-1/console"];
/** A frame of one byte, masked, and a ping. */
const TYPED = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 0x0a, 0x89, 0x80, 0, 0, 0, 0]);

const TALKS: readonly (readonly [string, Buffer])[] = [
  ...[...REQUESTS, FOLLOWED].map((each) => [`${each.method} ${each.path}`, bytesOf(each)] as const),
  ...CONSOLES.map((path) => [`console ${path}`, Buffer.concat([Buffer.from(handshake(path)), TYPED])] as const),
];

describe.each(["reset", "end"] as const)("a client that leaves (%s)", (way) => {
  test("at every byte of every request", async () => {
    await using busy = await aBusyAgent();
    // Who only ends its side takes longer to be rid of: a third of the bytes say as much.
    const stride = way === "reset" ? 1 : 3;
    const visits = TALKS.flatMap(([, bytes]) =>
      Array.from({ length: Math.ceil((bytes.length + 1) / stride) }, (_, step) => () => {
        const sent = step * stride;
        return visit(busy.agent.url, (socket) => {
          socket.resume();
          if (sent === 0) leave(socket, way);
          else socket.write(bytes.subarray(0, sent), () => leave(socket, way));
          // Who only says that it has said all may still be answered: for ever, on some routes.
          if (way === "end") setTimeout(() => socket.destroy(), 5);
        });
      }),
    );
    expect(visits.length).toBeGreaterThan(1_000);
    await manyAtATime(visits);
    await expectNothingKept(busy);
  }, 120_000);

  test("at every stage of every answer", async () => {
    await using busy = await aBusyAgent();
    const stages = Array.from({ length: 25 }, (_, turns) => turns);
    const visits = TALKS.flatMap(([, bytes]) => [
      ...stages.map(
        (turns) => () =>
          // Server and client share this process: after so many turns of its loop the answer is that far.
          visit(busy.agent.url, (socket) => {
            socket.pause();
            socket.write(bytes, async () => {
              for (let left = turns; left > 0; left--) await turn();
              leave(socket, way);
              socket.resume();
              if (way === "end") setTimeout(() => socket.destroy(), 5);
            });
          }),
      ),
      () =>
        visit(busy.agent.url, (socket) => {
          socket.write(bytes);
          socket.once("data", () => leave(socket, way));
          setTimeout(() => socket.destroy(), 50);
        }),
    ]);
    await manyAtATime(visits);
    await expectNothingKept(busy);
  }, 120_000);
});
