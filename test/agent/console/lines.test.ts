/** Lines that are terminals, and lines that are logs. */
import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readlinkSync, renameSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LineListener } from "../../../src/agent/console/line.ts";
import { LoggedLine } from "../../../src/agent/console/logged-line.ts";
import { SerialLine } from "../../../src/agent/console/serial-line.ts";
import type { StreamPort } from "../../../src/agent/serial-port.ts";
import { openPty } from "../../support/cloud-hypervisor-double/pty.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const PATIENCE_MS = 60_000;

function aListener() {
  const heard: Buffer[] = [];
  const listener: LineListener = {
    connected: () => {},
    received: (bytes) => void heard.push(Buffer.from(bytes)),
    writable: () => {},
    lost: () => {},
  };
  return { listener, heard: () => Buffer.concat(heard).toString("latin1") };
}

const terminalsOpen = (): number =>
  readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("/dev/pts/");
    } catch {
      return false;
    }
  }).length;

test("a terminal is read as it is said and typed as it is written, and is let go of with nothing lost", async () => {
  const pty = openPty();
  const before = terminalsOpen();
  let typed = "";
  pty.hear((bytes) => {
    typed += bytes.toString("latin1");
  });
  const port: StreamPort = {
    kind: "stream",
    find: async () => ({ kind: "terminal", path: pty.path, holder: process.pid }),
  };
  // Every byte, also those that a terminal might take for its own.
  const said = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
  let all = "";
  for (let time = 0; time < 3; time++) {
    expect(pty.write(said)).toBe(said.length);
    const { listener, heard } = aListener();
    const line = new SerialLine(port, listener);
    line.open();
    await until("it is read", () => heard().length >= said.length, PATIENCE_MS);
    all += heard();
    expect(line.write(said)).not.toBe("off");
    await until("it is typed", () => typed.length >= (time + 1) * said.length, PATIENCE_MS);
    await line.cut();
  }
  const thrice = said.toString("latin1").repeat(3);
  expect(all).toBe(thrice);
  expect(typed).toBe(thrice);
  await until("nothing is left open", () => terminalsOpen() === before, PATIENCE_MS);
  pty.close();
});

test("a terminal that belongs to another process by now is not opened", async () => {
  const pty = openPty();
  const other = spawn("sleep", ["60"]);
  const { listener, heard } = aListener();
  let asked = 0;
  const line = new SerialLine(
    {
      kind: "stream",
      find: async () => {
        asked++;
        return { kind: "terminal", path: pty.path, holder: other.pid ?? 0 };
      },
    },
    listener,
  );
  pty.write(Buffer.from("another guest's"));
  line.open();
  await until("it has tried", () => asked > 3, PATIENCE_MS);
  await line.end();
  expect(heard()).toBe("");
  other.kill();
  pty.close();
});

test("a log is followed byte for byte, also over files that are put aside", async () => {
  await using folder = await aTempFolder();
  const log = join(folder.path, "console.log");
  writeFileSync(log, "said before");
  writeFileSync(`${log}.1`, "said long before");
  const { listener, heard } = aListener();
  const line = new LoggedLine({ log, input: null }, listener);
  line.open();
  await until("it is open", () => line.isConnected, PATIENCE_MS);
  let all = "";
  const say = (text: string) => {
    all += text;
    appendFileSync(log, text);
  };
  for (let time = 0; time < 20; time++) {
    say(`line ${time}\n`);
    // One that looks at the wrong moment finds no file at all, or an empty one.
    if (time % 3 === 2) {
      // Twice: the one in the middle comes and is put aside between two looks.
      for (const word of ["after", "long after"]) {
        renameSync(log, `${log}.1`);
        const next = await open(log, "a");
        await next.close();
        say(`${word} line ${time}\n`);
      }
      await until("it reads on", () => heard() === all, PATIENCE_MS);
    }
  }
  say("the end");
  await line.end();
  expect(heard()).toBe(all);
  expect(line.write(Buffer.from("x"))).toBe("off");
});
