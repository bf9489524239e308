/** The serial lines of real QEMU guests: nobody who reads, stands still or is killed holds one up or costs it a byte. */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Console } from "../../../src/agent/console/console.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aConsoleReader } from "../../support/a-console-reader.ts";
import { aQemuWorld, patience } from "../../support/qemu-world.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

/** More than the 279 bytes after which a guest on a socket stood still: 12 bytes a line. */
const LINES = 25;
const PATIENCE_MS = 60_000;

/** Connected, and takes nothing. Null: nobody answers there yet. */
function unread(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve(socket));
    socket.pause().on("error", () => resolve(null));
  });
}

/** All that the tiny guest says until it has counted to `last`. */
const counted = (last: number): string =>
  `TINY-START\r\n${Array.from({ length: last + 1 }, (_, count) => `COUNTER ${count}\r\n`).join("")}`;

describe.runIf(requires("consoles of real QEMU guests", "qemu-system-x86_64"))(
  "a QEMU guest's console",
  { timeout: 2 * PATIENCE_MS },
  () => {
    test("is in its log byte for byte, whether a reader is slow, frozen, killed or absent", async () => {
      await using world = await aQemuWorld();
      const guest = await world.boot("web-1");
      const { serial, consoleLog } = guest.running;
      if (serial?.kind !== "logged" || consoleLog === null) throw new Error("it logs by itself");
      const counts = (to: number) => until("it counts on", async () => (await guest.counter()) >= to, PATIENCE_MS);
      {
        await using reader = await aConsoleReader(serial, consoleLog);
        await counts(3);
        reader.freeze();
        await counts((await guest.counter()) + LINES);
        await reader.kill();
      }
      await counts((await guest.counter()) + 3);
      const log = await guest.log();
      const last = Number(/COUNTER (\d+)\r\n[^\n]*$/.exec(log)?.[1]);
      expect(log.slice(0, counted(last).length)).toBe(counted(last));
    });

    test("of an agent of before goes on where it stood still, and takes what is typed", async () => {
      await using world = await aQemuWorld();
      const input = await world.input("web-1");
      const socket = join(input.paths.runFolder, "console.sock");
      const log = join(input.paths.logFolder, "console.log");
      const former = `socket,id=serial.0,path=${socket},server=on,wait=off,logfile=${log},logappend=on`;
      await world.start(input, (args) => args.map((arg) => (arg.startsWith("file,id=serial.0,") ? former : arg)));
      let frozen: Socket | null = null;
      await until(
        "it answers",
        async () => {
          frozen = await unread(socket);
          return frozen !== null;
        },
        PATIENCE_MS,
      );
      try {
        const guest = await world.adopt(input);
        // What it said before it stood still, and then as much again.
        await until("it counts on", async () => (await guest.counter()) >= 2 * LINES, PATIENCE_MS);
        expect(guest.running.serial).toMatchObject({ kind: "logged" });
        await guest.types("hello");
        await until(
          "it says what was typed",
          async () => /hello/.test((await guest.log()).replace(/[^a-z]/g, "")),
          PATIENCE_MS,
        );
      } finally {
        (frozen as Socket | null)?.destroy();
      }
    });

    test("shows who comes late what is in the log, and then all that follows, once", async () => {
      await using world = await aQemuWorld();
      const guest = await world.boot("web-1");
      const { serial, consoleLog } = guest.running;
      if (serial === null) throw new Error("it has a console");
      await until("it counts", async () => (await guest.counter()) >= 3, PATIENCE_MS);
      const console = new Console({ logger: silentLogger });
      const end = console.begin({ port: serial, log: consoleLog, loggedBy: "hypervisor" });
      let seen = "";
      const viewer = {
        send: (bytes: Buffer) => {
          seen += bytes.toString("latin1");
        },
        backlog: () => 0,
        drop() {},
        tell() {},
      };
      await console.add(viewer, () => true);
      await until("it is seen", () => /COUNTER 12\r\n/.test(seen), PATIENCE_MS);
      expect(console.write(Buffer.from("q"))).not.toBe("off");
      await until("it says good-bye", () => /BYE/.test(seen), PATIENCE_MS);
      await guest.running.quit(patience());
      await end();
      expect(seen).toBe(await guest.log());
    });
  },
);
