/** The serial line of Cloud Hypervisor's guests, as the double has it: its reader is killed, and the line goes on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Console } from "../../../src/agent/console/console.ts";
import { SerialLine } from "../../../src/agent/console/serial-line.ts";
import type { SerialEnd, StreamPort } from "../../../src/agent/serial-port.ts";
import { toLiveConfig } from "../../../src/model/fields.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aConsoleReader } from "../../support/a-console-reader.ts";
import { aCloudHypervisorWorld, type TestGuest } from "../../support/cloud-hypervisor-world.ts";
import { patience } from "../../support/qemu-world.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;

/** Says a line each millisecond. */
const CHATTY = {
  boot: { kind: "kernel", kernel: "builtin:tiny", initramfs: null, cmdline: "double-guest=counter-ms:1" },
} as const;

async function endOf({ running: { serial } }: TestGuest): Promise<SerialEnd> {
  const end = serial?.kind === "stream" ? await serial.find() : null;
  if (end === null || end === "none") throw new Error("it has a serial line");
  return end;
}

const countsIn = (text: string): number[] => [...text.matchAll(/COUNTER (\d+)\r?\n/g)].map((match) => Number(match[1]));

/** As an agent of before started it. */
const withSocket = (folder: string, name: string) => ({
  ...CHATTY,
  passthrough: { serial: { mode: "Socket", socket: join(folder, name, "run", "console.sock") } },
});

describe("the serial line of a guest on Cloud Hypervisor", { timeout: 2 * PATIENCE_MS }, () => {
  test("speaks on after each reader that is killed, and loses nothing to one that stood still", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", CHATTY);
    await guest.leave();
    await guest.reconnect();
    const end = await endOf(guest);
    const log = join(guest.input.paths.logFolder, "console.log");
    const logged = async () => countsIn(await readFile(log, "latin1").catch(() => ""));
    const isHeard = async (more = 20) => {
      const before = (await logged()).at(-1) ?? 0;
      await until("it is heard", async () => ((await logged()).at(-1) ?? 0) > before + more, PATIENCE_MS);
    };
    for (let time = 0; time < 5; time++) {
      await using _reader = await aConsoleReader(end, log);
      await isHeard();
    }
    await using reader = await aConsoleReader(end, log);
    await isHeard();
    const before = await logged();
    reader.freeze();
    for (let asked = 0; asked < 50; asked++) await guest.running.status(patience());
    reader.thaw();
    await isHeard(200);
    const since = (await logged()).slice(before.length - 1);
    expect(since).toEqual(since.map((_, index) => (since[0] ?? 0) + index));
  });

  test("is read by one agent after the other, from the byte where the first let go", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", CHATTY);
    await guest.leave();
    await guest.reconnect();
    const log = join(guest.input.paths.logFolder, "console.log");
    const port = guest.running.serial;
    if (port === null) throw new Error("it has a serial line");
    const counts = async () => countsIn(await readFile(log, "latin1").catch(() => ""));
    for (let time = 1; time <= 4; time++) {
      const console = new Console({ logger: silentLogger });
      console.begin({ port, log, loggedBy: "agent" });
      await until("it is heard", async () => (await counts()).length > 100 * time, PATIENCE_MS);
      await console.cut();
    }
    const all = await counts();
    expect(all).toEqual(all.map((_, index) => (all[0] ?? 0) + index));
  });

  test("of an agent of before has its socket until it boots anew, and is no change for that", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", withSocket(world.folder, "web-1"));
    const { passthrough: _socket, ...spec } = guest.input.spec;
    await guest.reconnect({ ...spec, passthrough: {} });
    expect(await guest.running.liveConfig(patience())).toEqual(toLiveConfig({ ...spec, passthrough: {} }));
    expect(await endOf(guest)).toMatchObject({ kind: "socket" });
  });

  test("whose line was served on a socket, and is no longer, is said to have none until it reboots", async () => {
    await using world = await aCloudHypervisorWorld();
    const guest = await world.boot("web-1", withSocket(world.folder, "web-1"));
    const end = await endOf(guest);
    const { serial } = guest.running;
    if (serial?.kind !== "stream" || end.kind !== "socket") throw new Error("it is on a socket");
    await guest.leave();
    await guest.reconnect();
    expect(await serial.isServed?.()).toBe(true);
    // A reader takes the line with it only when something was unread: again, until the guest has said something to one.
    await until(
      "its thread has ended",
      async () => {
        if ((await serial.isServed?.()) === false) return true;
        await using reader = await aConsoleReader(end, guest.running.consoleLog ?? "").catch(() => null);
        reader?.freeze();
        for (let asked = 0; asked < 50; asked++) await guest.running.status(patience());
        return false;
      },
      PATIENCE_MS,
    );
    const told: string[] = [];
    const line = new SerialLine(
      guest.running.serial as StreamPort,
      {
        connected: (times) => told.push(`connected ${times}`),
        received: () => {},
        writable: () => {},
        lost: () => told.push("lost"),
      },
      { lookMs: 20 },
    );
    line.open();
    await until("it is told", () => told.includes("lost"), PATIENCE_MS);
    await guest.does("reboot");
    await until("it is served again", () => told.includes("connected 2"), PATIENCE_MS);
    expect(await serial.isServed?.()).toBe(true);
    expect(told.filter((each) => each === "lost")).toHaveLength(1);
    await line.cut();
  });
});
