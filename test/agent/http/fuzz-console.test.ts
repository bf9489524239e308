/** What is no WebSocket, or a broken one, on a console whose guest runs: it is let go, and who behaves reads on. */
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { connectAgent } from "../../../src/wire/client.ts";
import { hostileRequests } from "../../support/hostile-requests.ts";
import { socketAgent } from "../../support/http-agent.ts";
import { handshake, Sender } from "../../support/send-hostile.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const SEED = Number(process.env.ODOROBO_FUZZ_SEED ?? 20_260_401);
const web1 = vmName("web-1");

test.each([
  ["pings", Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)])],
  ["mistakes", Buffer.concat([Buffer.from([0x81, 0x81, 0, 0, 0, 0]), Buffer.from("x")])],
])("who sends %s for ever and reads nothing is cut off", async (_, frame) => {
  await using agent = await socketAgent();
  agent.lifecycle.serials.set("web-1", { log: null });
  const { hostname, port } = new URL(agent.url);
  const socket = connect(Number(port), hostname);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.pause();
  const path = "/v1/vms/web-1/console?follow=1";
  socket.write(handshake(path));
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => frame));
  const send = () => {
    while (!socket.destroyed && socket.write(many));
  };
  socket.on("drain", send);
  send();
  await closed;
  expect((await agent.fetch("/v1/health")).status).toBe(200);
});

test(`hostile frames on a living console (seed ${SEED}) disturb nobody`, async () => {
  await using folder = await aTempFolder();
  const place = join(folder.path, "s");
  const lines: Socket[] = [];
  const guest = createServer((line) => void lines.push(line.on("error", () => {}).resume()));
  await new Promise<void>((resolve) => guest.listen(place, resolve));
  {
    await using agent = await socketAgent();
    agent.lifecycle.serials.set("web-1", { log: null });
    agent.consoles.begin(web1, { port: socketPort(place), log: join(folder.path, "log"), loggedBy: "hypervisor" });
    const client = connectAgent({ address: agent.url });
    const behaved = await client.openConsole(web1, new AbortController().signal);
    let heard = "";
    void (async () => {
      for await (const bytes of behaved.output) heard += Buffer.from(bytes);
    })();

    const broken = hostileRequests(SEED, 6_000)
      .filter((each) => each.kind === "websocket")
      .slice(0, 200);
    expect(broken).toHaveLength(200);
    using sender = new Sender(agent.url, 8);
    const queue = broken.values();
    let opened = 0;
    const worker = async () => {
      for (const request of queue) {
        const dialect = request.path.replace(/\/vms\/[^/]*\/console/, "/vms/web-1/console");
        const answer = await sender.send({ ...request, path: dialect });
        expect(answer.kind).not.toBe("nothing");
        if (answer.kind === "answer" && answer.status === 101) opened++;
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    // Nearly all of them; on a machine that is busy the agent turns many away, and who comes in is as hostile.
    expect(opened).toBeGreaterThan(0);

    lines[0]?.write("still here\r\n");
    await until("who behaves reads on", () => heard.includes("still here"));
    await behaved[Symbol.asyncDispose]();
    await client.close();
    const sessions = (event: string) => agent.audited.filter((each) => each.event === event).length;
    await until(
      "each console that was opened is closed",
      () => sessions("console-opened") === sessions("console-closed"),
    );
    expect(sessions("console-opened")).toBeGreaterThan(opened);
    expect(agent.logged.filter((line) => line.level === "error")).toEqual([]);
    expect(lines).toHaveLength(1);
  }
  for (const line of lines) line.destroy();
  guest.close();
});
