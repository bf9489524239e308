import { execFile } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { Console, type LinePlace } from "../../../src/agent/console/console.ts";
import type { LineEvent, Viewer } from "../../../src/agent/console/viewer.ts";
import { socketPort } from "../../../src/agent/serial-port.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { aSerialGuest, type SerialGuest } from "../../support/a-serial-guest.ts";
import { requires } from "../../support/requirements.ts";
import { until } from "../../support/until.ts";

/** Reads at once, or (`reads: false`) never. */
class FakeViewer implements Viewer {
  readonly events: LineEvent[] = [];
  reads = true;
  isDropped = false;
  #chunks: Buffer[] = [];
  #backlog = 0;

  get seen(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }
  get size(): number {
    return this.#chunks.reduce((sum, each) => sum + each.length, 0);
  }
  get largest(): number {
    return Math.max(...this.#chunks.map((each) => each.length));
  }
  send(bytes: Buffer, written: () => void): void {
    if (!this.reads) {
      this.#backlog += bytes.length;
      return;
    }
    this.#chunks.push(bytes);
    setImmediate(written);
  }
  backlog = () => this.#backlog;
  drop = () => {
    this.isDropped = true;
  };
  tell = (event: LineEvent) => void this.events.push(event);
}

const run = promisify(execFile);
const wanted = () => true;
const byAgent = (guest: SerialGuest): LinePlace => ({
  port: socketPort(guest.socket),
  log: guest.log,
  loggedBy: "agent",
});

const newConsole = (over: { maxBytes?: number; logger?: typeof silentLogger } = {}) =>
  new Console({
    logger: over.logger ?? silentLogger,
    ...(over.maxBytes === undefined ? {} : { logLimits: { maxBytes: over.maxBytes, generations: 2 } }),
  });

test("a guest is listened to and logged from its first byte on, whether somebody looks or not", async () => {
  await using guest = await aSerialGuest();
  const console = newConsole();
  // The process is there before its socket is.
  const end = console.begin(byAgent(guest));
  await guest.start();
  await until("the line is open", () => guest.client !== null);
  guest.say("booting\n");
  guest.say("login: ");
  await until("it is logged", () => existsSync(guest.log) && readFileSync(guest.log, "utf8") === "booting\nlogin: ");
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  expect(viewer.seen).toBe("booting\nlogin: ");
  await guest.off();
  await end();
  expect(viewer.events).toEqual(["guest-off"]);
  expect(console.hasGuest).toBe(false);
});

test("what a guest says with its last breath is logged and shown before it is off", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole();
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  const end = console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  const words = Buffer.alloc(100_000, "Kernel panic\n");
  guest.say(words);
  guest.client?.end();
  await end();
  expect(viewer.size).toBe(words.length);
  expect(readFileSync(guest.log).equals(words)).toBe(true);
  expect(viewer.events).toEqual(["guest-started", "guest-off"]);
});

test("a hypervisor that makes the line anew in the same life has rebooted its guest", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole();
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  const end = console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  guest.say("one ");
  await until("it is seen", () => viewer.seen === "one ");
  await guest.off();
  await guest.start();
  await until("it is open again", () => guest.client !== null && viewer.events.length === 2);
  guest.say("two");
  await until("it is seen", () => viewer.seen === "one two");
  expect(viewer.events).toEqual(["guest-started", "rebooted"]);
  await guest.off();
  await end();
});

test("an agent that starts again goes on with the log that it left, and shows its end", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  writeFileSync(guest.log, "before\n");
  const console = newConsole();
  console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  guest.say("after\n");
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  await until("all is seen", () => viewer.seen === "before\nafter\n");
  await console.cut();
  expect(readFileSync(guest.log, "utf8")).toBe("before\nafter\n");
  // The agent stops, the guest goes on.
  await until("the line is let go of", () => guest.client === null);
});

test("a line that the hypervisor logs is opened for the first who looks, who sees what was logged before", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  writeFileSync(guest.log, "boot\n");
  const console = newConsole();
  console.begin({ port: socketPort(guest.socket), log: guest.log, loggedBy: "hypervisor" });
  expect(guest.clients).toBe(0);
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  await until("the line is open", () => guest.client !== null);
  guest.say("login: ");
  await until("all is seen", () => viewer.seen === "boot\nlogin: ");
  await console.cut();
  expect(readFileSync(guest.log, "utf8")).toBe("boot\n");
});

test("nobody who reads loses a byte of a burst, and the guest waits for those who are behind no longer than a moment", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole();
  const readers = Array.from({ length: 5 }, () => new FakeViewer());
  const deaf = new FakeViewer();
  deaf.reads = false;
  for (const each of [...readers, deaf]) await console.add(each, wanted);
  console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  const burst = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef\n");
  await guest.sayAll(burst);
  await until("everybody has it", () => readers.every((each) => each.size === burst.length));
  expect(readers.every((each) => Buffer.from(each.seen, "latin1").equals(burst))).toBe(true);
  expect(deaf.isDropped).toBe(true);
  // What it was given before it was cut off is all that was held for it: the mark, and what was on its way.
  expect(deaf.backlog()).toBeLessThan(12 * 1024 * 1024);
  expect(readers[0]!.largest).toBeLessThanOrEqual(32 * 1024);
  await console.cut();
  const kept = ["", ".1", ".2", ".3"].map((age) => guest.log + age).filter(existsSync);
  expect(Buffer.concat(kept.reverse().map((file) => readFileSync(file))).equals(burst)).toBe(true);
});

test("the log rotates by size and keeps its generations", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole({ maxBytes: 1000 });
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  const text = Array.from({ length: 400 }, (_, line) => `${String(line).padStart(9, "0")}\n`).join("");
  guest.say(text);
  await until("all came", () => viewer.size === text.length);
  await console.cut();
  const read = (age: string) => readFileSync(guest.log + age, "utf8");
  expect(read(".2") + read(".1") + read("")).toBe(text.slice(1000));
  expect(existsSync(`${guest.log}.3`)).toBe(false);
});

test("a log that cannot be written costs the log only, is told once, and says itself what is missing", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) };
  // A folder in the log's place: as unwritable as a full disk.
  mkdirSync(guest.log);
  const console = newConsole({ logger });
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  console.begin(byAgent(guest));
  await until("the line is open", () => guest.client !== null);
  guest.say("lost one\n");
  await until("it is seen", () => viewer.seen === "lost one\n");
  guest.say("lost two\n");
  await until("it is seen", () => viewer.seen === "lost one\nlost two\n");
  await until("it was told", () => warned.length > 0);
  rmSync(guest.log, { recursive: true });
  guest.say("kept\n");
  await until("it is logged again", () => existsSync(guest.log) && readFileSync(guest.log, "utf8").endsWith("kept\n"));
  // The second line may have found the folder gone already: then it is in the log.
  const [, lost, logged = ""] =
    /^\r\n\[odorobo: (\d+) bytes were not logged here: EISDIR.*\]\r\n(.*)$/s.exec(readFileSync(guest.log, "utf8")) ??
    [];
  expect("lost one\nlost two\nkept\n".slice(Number(lost))).toBe(logged);
  expect(warned).toEqual(["a console cannot be logged"]);
  await console.cut();
});

test("a disk that hangs is left out: guest, viewers and the end go on without it", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole();
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  const end = console.begin(byAgent(guest));
  const burst = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef\n");
  await until("the line is open", () => guest.client !== null);
  // A pipe that nobody reads is opened and written as a file on a dead server is: never.
  await run("mkfifo", [guest.log]);
  await guest.sayAll(burst);
  await until("it is seen", () => viewer.size === burst.length);
  await guest.off();
  await end();
  // The disk comes back: what was on its way is written, and the file closed.
  const reading = createReadStream(guest.log);
  let written = 0;
  reading.on("data", (bytes) => {
    written += bytes.length;
  });
  await once(reading, "end");
  expect(written).toBeLessThan(burst.length);
  expect(written).toBeGreaterThan(0);
});

test.runIf(requires("a console log on a full disk", "mounts"))(
  "a full disk costs the log only, and it says what is missing",
  async () => {
    await using guest = await aSerialGuest();
    await guest.start();
    const disk = join(guest.folder, "disk");
    mkdirSync(disk);
    await run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    try {
      const ballast = join(disk, "ballast");
      const log = join(disk, "console.log");
      writeFileSync(ballast, Buffer.alloc(60 * 1024));
      let isTold = false;
      const warn = () => {
        isTold = true;
      };
      const console = newConsole({ logger: { ...silentLogger, warn } });
      const viewer = new FakeViewer();
      await console.add(viewer, wanted);
      console.begin({ ...byAgent(guest), log });
      await until("the line is open", () => guest.client !== null);
      const lines = Buffer.alloc(40_000, "all of it is seen\n");
      guest.say(lines);
      await until("it is seen", () => viewer.size === lines.length);
      await until("the disk has refused it", () => isTold);
      rmSync(ballast);
      guest.say("kept\n");
      await until("it is logged again", () => readFileSync(log, "utf8").endsWith("kept\n"));
      const [before = "", lost, after] = readFileSync(log, "utf8").split(
        /\r\n\[odorobo: (\d+) bytes were not logged here: ENOSPC[^\]]*\]\r\n/,
      );
      expect(before).toBe(lines.toString().slice(0, before.length));
      expect(before.length + Number(lost)).toBe(lines.length);
      expect(after).toBe("kept\n");
      await console.cut();
    } finally {
      await run("umount", ["-l", disk]);
    }
  },
);

test("somebody else who takes the line has it for a moment", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  const console = newConsole();
  console.begin(byAgent(guest));
  await until("the line is open", () => guest.clients === 1);
  const { connect } = await import("node:net");
  const thief = connect(guest.socket);
  thief.on("error", () => {});
  await until("it was taken and taken back", () => guest.clients === 3 && thief.destroyed);
  await console.cut();
});

test("a log that is a pipe is not waited for", async () => {
  await using guest = await aSerialGuest();
  await guest.start();
  await run("mkfifo", [guest.log]);
  const console = newConsole();
  console.begin({ ...byAgent(guest), loggedBy: "hypervisor" });
  const viewer = new FakeViewer();
  await console.add(viewer, wanted);
  await until("the line is open", () => guest.client !== null);
  guest.say("login: ");
  await until("it is seen", () => viewer.seen === "login: ");
  await console.cut();
});
