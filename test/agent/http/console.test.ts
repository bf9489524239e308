import { writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GuestLine } from "../../../src/agent/console/serial-lines.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { type AgentClient, connectAgent } from "../../../src/wire/client.ts";
import { socketAgent, type TestAgent } from "../../support/http-agent.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const web1 = vmName("web-1");
const never = new AbortController().signal;

/** A guest's end of a serial line: a Unix socket that takes one client at a time and says back what it hears, in capitals. */
async function aGuest(): Promise<
  AsyncDisposable & { socket: string; log: string; say(text: string): void; off(): void; clients: Set<Socket> }
> {
  const folder = await aTempFolder();
  const socket = join(folder.path, "s");
  const clients = new Set<Socket>();
  const server: Server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    client.on("error", () => {});
    client.on("data", (bytes) => client.write(bytes.toString().toUpperCase()));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const off = () => {
    for (const client of clients) client.destroy();
    server.close();
  };
  return {
    socket,
    log: join(folder.path, "log"),
    clients,
    say: (text) => {
      for (const client of clients) client.write(text);
    },
    off,
    async [Symbol.asyncDispose]() {
      off();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function aViewer(client: AgentClient) {
  const connection = await client.openConsole(web1, never);
  const viewer = { seen: "", connection };
  const reading = (async () => {
    for await (const bytes of connection.output) viewer.seen += Buffer.from(bytes).toString();
  })();
  return Object.assign(viewer, {
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await reading;
    },
  });
}

async function withGuest(
  run: (world: {
    agent: TestAgent;
    client: AgentClient;
    guest: Awaited<ReturnType<typeof aGuest>>;
    line: GuestLine;
  }) => Promise<void>,
) {
  await using guest = await aGuest();
  await using agent = await socketAgent();
  agent.lifecycle.serials.set("web-1", { log: guest.log });
  const line = agent.consoles.begin(web1, { port: socketPort(guest.socket), log: guest.log, loggedBy: "hypervisor" });
  const client = connectAgent({ address: agent.url });
  await run({ agent, client, guest, line });
  await client.close();
}

test("two viewers see the same, either may type, and the guest has one client only", () =>
  withGuest(async ({ client, guest }) => {
    await using first = await aViewer(client);
    await using second = await aViewer(client);
    guest.say("login: ");
    await until("both see it", () => first.seen === "login: " && second.seen === "login: ");
    first.connection.send(Buffer.from("root\r"));
    await until("both see the echo", () => first.seen === "login: ROOT\r" && second.seen === "login: ROOT\r");
    expect(guest.clients.size).toBe(1);
  }));

test("who comes late sees what was said: what the agent heard, and before that what the log kept", () =>
  withGuest(async ({ client, guest }) => {
    await writeFile(guest.log, "booted\n");
    {
      await using early = await aViewer(client);
      await until("the log is seen", () => early.seen === "booted\n");
      guest.say("one\n");
      await until("it goes on", () => early.seen === "booted\none\n");
    }
    guest.say("two\n");
    await using late = await aViewer(client);
    await until("all is seen", () => late.seen === "booted\none\ntwo\n");
    expect(guest.clients.size).toBe(1);
  }));

test("scrollback is the last 64 KiB", () =>
  withGuest(async ({ client, guest }) => {
    await using early = await aViewer(client);
    const text = Array.from({ length: 30_000 }, (_, line) => `${line}\n`).join("");
    guest.say(text);
    await until("all came", () => early.seen.length === text.length);
    await using late = await aViewer(client);
    await until("the end came", () => late.seen.endsWith("29999\n"));
    expect(late.seen).toBe(text.slice(-64 * 1024));
  }));

test("a guest that goes off ends its viewers with the reason; coming back to it shows its last words and the same reason", () =>
  withGuest(async ({ agent, client, guest, line }) => {
    await using viewer = await aViewer(client);
    await until("the line is open", () => guest.clients.size === 1);
    guest.off();
    await line.end();
    expect(await viewer.connection.ended).toEqual({ because: "guest-off", message: "web-1 is off" });

    await writeFile(guest.log, "Kernel panic\n");
    agent.lifecycle.serials.set("web-1", { log: guest.log });
    await using after = await aViewer(client);
    expect(await after.connection.ended).toEqual({ because: "guest-off", message: "web-1 is off" });
    await until("its last words are seen", () => after.seen === "Kernel panic\n");
  }));

test("a socket that nobody serves any more is a guest that is off", () =>
  withGuest(async ({ client, guest }) => {
    guest.off();
    await using viewer = await aViewer(client);
    expect((await viewer.connection.ended).because).toBe("guest-off");
  }));

test("a viewer that never reads is dropped; the others see everything", () =>
  withGuest(async ({ agent, client, guest }) => {
    await using good = await aViewer(client);
    const { WebSocket } = await import("ws");
    const deaf = new WebSocket(`${agent.url.replace("http", "ws")}/v1/vms/web-1/console`);
    deaf.on("error", () => {});
    const closed = new Promise<number>((resolve) => deaf.once("close", resolve));
    await new Promise((resolve) => deaf.once("open", resolve));
    deaf.pause();
    const block = "x".repeat(64 * 1024);
    let said = 0;
    // The kernel buffers some MiB of a loopback connection before the agent sees any of it stand still.
    for (; said < 400; said++) {
      guest.say(block);
      await until("the good one follows", () => good.seen.length >= (said + 1) * block.length);
    }
    deaf.resume();
    expect(await closed).toBe(1006);
    expect(good.seen.length).toBe(said * block.length);
  }));

test("an agent that stops says so; the guest goes on", () =>
  withGuest(async ({ agent, client, guest }) => {
    await using viewer = await aViewer(client);
    await until("the line is open", () => guest.clients.size === 1);
    await agent[Symbol.asyncDispose]();
    expect((await viewer.connection.ended).because).toBe("agent-stopping");
    await until("the line is closed", () => guest.clients.size === 0);
  }));

test("a VM that is not there has no console", () =>
  withGuest(async ({ client }) => {
    await expect(client.openConsole(vmName("web-9"), never)).rejects.toMatchObject({ code: "NOT_FOUND" });
  }));
