/** The file of events, with a writer that behaves like Cloud Hypervisor: at its own position, whatever happens to the file. */
import { open, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EventTail } from "../../../src/agent/hypervisor/cloud-hypervisor/event-tail.ts";
import { aTempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/until.ts";

const text = (event: string): string =>
  `${JSON.stringify({ timestamp: { secs: 0, nanos: 0 }, source: "vm", event, properties: null }, null, 2)}\n\n`;

async function aMonitor() {
  const temp = await aTempFolder();
  const paths = { events: join(temp.path, "events.json"), seen: join(temp.path, "events.seen.json") };
  const file = await open(paths.events, "w");
  let position = 0;
  const write = async (raw: string): Promise<void> => {
    await file.write(raw, position);
    position += Buffer.byteLength(raw);
  };
  return {
    paths,
    write,
    says: async (...events: readonly string[]) => {
      for (const event of events) await write(text(event));
    },
    position: () => position,
    [Symbol.asyncDispose]: async () => {
      await file.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function aReader(
  paths: Parameters<typeof EventTail.open>[0],
  options: Parameters<typeof EventTail.open>[1] = {},
) {
  const tail = await EventTail.open(paths, options);
  const told: string[] = [];
  tail.listen({ onEvent: ({ event }) => told.push(event), onGap: () => told.push("GAP") });
  return { tail, told, [Symbol.asyncDispose]: () => tail[Symbol.asyncDispose]() };
}

test("what was there before is told to the first who listens, what comes later as it comes", async () => {
  await using monitor = await aMonitor();
  await monitor.says("booting", "booted");
  await using reader = await aReader(monitor.paths);
  expect(reader.told).toEqual(["booting", "booted"]);
  expect(reader.tail.history.ran).toBe(true);
  await monitor.says("paused");
  await until("it is told", () => reader.told.includes("paused"));
});

test("an agent that comes later is told what happened meanwhile, and nothing twice", async () => {
  await using monitor = await aMonitor();
  await monitor.says("booted");
  {
    await using reader = await aReader(monitor.paths);
    expect(reader.told).toEqual(["booted"]);
  }
  await monitor.says("rebooting", "rebooted", "shutdown");
  await using later = await aReader(monitor.paths);
  expect(later.told).toEqual(["rebooting", "rebooted", "shutdown"]);
  expect(later.tail.history).toMatchObject({ ran: true, wentOff: true });
});

test("an event that is half written is told when it is whole, once, whichever agent reads it", async () => {
  await using monitor = await aMonitor();
  const whole = text("paused");
  await monitor.write(text("booted") + whole.slice(0, 40));
  {
    await using reader = await aReader(monitor.paths);
    expect(reader.told).toEqual(["booted"]);
  }
  await monitor.write(whole.slice(40));
  await using later = await aReader(monitor.paths);
  expect(later.told).toEqual(["paused"]);
});

test("a file that has grown is cut, and the writer writes on behind the hole", async () => {
  await using monitor = await aMonitor();
  await using reader = await aReader(monitor.paths, { cutAfterBytes: 2000 });
  const written: string[] = [];
  for (let round = 0; round < 100; round++) {
    const event = `event-${round}`;
    written.push(event);
    await monitor.says(event);
    await reader.tail.drain();
  }
  expect(reader.told).toEqual(written);
  expect(monitor.position()).toBeGreaterThan(10_000);
  // The blocks of the file, not its length: what lies before is a hole.
  expect((await stat(monitor.paths.events)).blocks * 512).toBeLessThan(16_384);
  await using later = await aReader(monitor.paths);
  await monitor.says("last");
  await until("it is told", () => later.told.length > 0);
  expect(later.told).toEqual(["last"]);
});

test("what is lost between the last look and a cut shows as a gap", async () => {
  await using monitor = await aMonitor();
  await using reader = await aReader(monitor.paths);
  await monitor.says("booted");
  await reader.tail.drain();
  await reader.tail[Symbol.asyncDispose]();
  await monitor.says("lost");
  await truncate(monitor.paths.events, 0);
  await monitor.says("after");
  await using later = await aReader(monitor.paths);
  expect(later.told).toEqual(["after", "GAP"]);
});

test("another file in its place is read from its beginning", async () => {
  await using monitor = await aMonitor();
  await using reader = await aReader(monitor.paths);
  await monitor.says("booted", "paused", "resumed");
  await reader.tail.drain();
  await writeFile(monitor.paths.events, text("booting"));
  await reader.tail.drain();
  expect(reader.told).toEqual(["booted", "paused", "resumed", "GAP", "booting"]);
});

test("garbage is a gap, and what comes behind is told", async () => {
  await using monitor = await aMonitor();
  await using reader = await aReader(monitor.paths);
  await monitor.write(`%%%${text("paused").slice(0, 30)}${text("resumed")}`);
  await reader.tail.drain();
  expect(reader.told).toEqual(["resumed", "GAP"]);
});

test("an intent outlives the agent that noted it", async () => {
  await using monitor = await aMonitor();
  await monitor.says("booted");
  {
    await using reader = await aReader(monitor.paths);
    await reader.tail.noteIntent("vm.shutdown");
  }
  await using later = await aReader(monitor.paths);
  expect(later.tail.history.intent).toBe("vm.shutdown");
});

test("a file of what was seen that is no such file costs a repetition, nothing else", async () => {
  await using monitor = await aMonitor();
  await monitor.says("booted");
  await writeFile(monitor.paths.seen, "{ not");
  await using reader = await aReader(monitor.paths);
  expect(reader.told).toEqual(["booted"]);
});

test("a file that is not there yet is waited for", async () => {
  await using temp = await aTempFolder();
  const paths = { events: join(temp.path, "events.json"), seen: join(temp.path, "events.seen.json") };
  await using reader = await aReader(paths);
  await writeFile(paths.events, text("booted"));
  await until("it is told", () => reader.told.includes("booted"));
});

test("a process that a guest has taken over leads the reader to no other file", async () => {
  await using temp = await aTempFolder();
  const disk = join(temp.path, "disk-of-another-vm");
  const bytes = Buffer.alloc(64 * 1024, 1);
  await writeFile(disk, bytes);
  const paths = { events: join(temp.path, "events.json"), seen: join(temp.path, "events.seen.json") };
  await symlink(disk, paths.events);
  await symlink(disk, `${paths.seen}.tmp`);
  await using reader = await aReader(paths, { cutAfterBytes: 1024 });
  await reader.tail.noteIntent("vm.reboot");
  await reader.tail.drain();
  expect((await readFile(disk)).equals(bytes)).toBe(true);
  expect(JSON.parse(await readFile(paths.seen, "utf8"))).toMatchObject({ history: { intent: "vm.reboot" } });
});
