/** The console of a guest for other programs of its node. */
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Consoles } from "../../../src/agent/console/consoles.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { vmName } from "../../../src/model/names.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aSerialGuest } from "../../support/a-serial-guest.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;

async function aClient(path: string): Promise<{ readonly socket: Socket; readonly heard: () => string }> {
  await until("its socket is there", () => existsSync(path), PATIENCE_MS);
  const socket = connect(path);
  await once(socket, "connect");
  let heard = "";
  socket.on("data", (bytes) => {
    heard += bytes.toString();
  });
  return { socket, heard: () => heard };
}

test("is a socket that several may look at and type into; it goes with the guest", async () => {
  await using guest = await aSerialGuest();
  await using consoles = new Consoles({ logger: silentLogger });
  const socket = join(guest.folder, "console.sock");
  // Left by an agent that was killed.
  const former = createServer().listen(socket);
  await once(former, "listening");
  writeFileSync(join(guest.folder, "keep"), "");
  await new Promise((resolve) => former.close(resolve));
  await guest.start();
  const line = consoles.begin(vmName("web-1"), {
    port: socketPort(guest.socket),
    log: guest.log,
    loggedBy: "agent",
    socket,
  });
  await until("the line is open", () => guest.client !== null, PATIENCE_MS);
  guest.say("login: ");
  const [first, second] = [await aClient(socket), await aClient(socket)];
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  for (const { heard } of [first, second])
    await until("it is shown what was said", () => heard() === "login: ", PATIENCE_MS);
  first.socket.write("root\r");
  await until("it is typed", () => guest.heard === "root\r", PATIENCE_MS);
  first.socket.destroy();
  guest.say("welcome");
  await until("the other stays", () => second.heard() === "login: welcome", PATIENCE_MS);
  const closed = once(second.socket, "close");
  await guest.off();
  await line.end();
  await closed;
  expect(existsSync(socket)).toBe(false);
});

test("where somebody listens already is left to them, and nobody connects there", async () => {
  await using guest = await aSerialGuest();
  await using consoles = new Consoles({ logger: silentLogger });
  const socket = join(guest.folder, "console.sock");
  let visits = 0;
  const hypervisor = createServer((client) => {
    visits++;
    client.destroy();
  }).listen(socket);
  await once(hypervisor, "listening");
  await guest.start();
  const line = consoles.begin(vmName("web-1"), {
    port: socketPort(guest.socket),
    log: guest.log,
    loggedBy: "agent",
    socket,
  });
  await until("the line is open", () => guest.client !== null, PATIENCE_MS);
  await guest.off();
  await line.end();
  expect({ visits, isThere: existsSync(socket) }).toEqual({ visits: 0, isThere: true });
  await new Promise((resolve) => hypervisor.close(resolve));
});
