/** Events out of a stream that nobody guards: cut, glued together, full of holes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EventParser, type MonitorEvent } from "../../../src/agent/hypervisor/cloud-hypervisor/event-parser.ts";

/** As the event monitor writes one. */
const written = (event: string, properties: Readonly<Record<string, string>> | null = null): string =>
  `${JSON.stringify({ timestamp: { secs: 1, nanos: 500_000_000 }, source: "vm", event, properties }, null, 2)}\n\n`;

const read = (...chunks: readonly (string | Buffer)[]) => {
  const parser = new EventParser();
  const events: MonitorEvent[] = [];
  let gaps = 0;
  for (const chunk of chunks) {
    const parsed = parser.push(Buffer.from(chunk));
    events.push(...parsed.events);
    if (parsed.gap) gaps++;
  }
  return { names: events.map(({ event }) => event), events, gaps, pending: parser.pendingBytes };
};

test("events are read as they were written, with their properties and their time", () => {
  const { events, gaps, pending } = read(
    written("booting") + written("device-removed", { id: "data", bdf: "0000:00:09.0" }),
  );
  expect(events).toEqual([
    { seconds: 1.5, source: "vm", event: "booting", properties: {} },
    { seconds: 1.5, source: "vm", event: "device-removed", properties: { id: "data", bdf: "0000:00:09.0" } },
  ]);
  expect({ gaps, pending }).toEqual({ gaps: 0, pending: 0 });
});

test("however the bytes arrive, the same events come out", () => {
  const names = fc.array(fc.constantFrom("booted", "paused", "rebooted", "a{b", 'q"uote', "bräce}", "back\\slash"));
  fc.assert(
    fc.property(names, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (given, steps) => {
      const bytes = Buffer.from(given.map((name) => written(name, { text: name })).join(""));
      const chunks: Buffer[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = steps[turn % steps.length] as number;
        chunks.push(bytes.subarray(at, at + size));
        at += size;
      }
      const { names: found, events, gaps } = read(...chunks);
      expect(found).toEqual(given);
      expect(events.map(({ properties }) => properties.text)).toEqual(given);
      expect(gaps).toBe(0);
    }),
  );
});

test("an event that was cut anywhere costs itself, and nothing behind it", () => {
  const whole = written("cut", { id: "x{y", text: 'a"b' });
  for (let at = 1; at < whole.trimEnd().length; at++) {
    const { names, gaps } = read(written("before") + whole.slice(0, at) + written("after"));
    expect(names, `cut at ${at}`).toEqual(["before", "after"]);
    expect(gaps, `cut at ${at}`).toBe(1);
  }
});

test("one that was cut in front costs itself, too", () => {
  const whole = written("cut", { id: "x" }).trimEnd();
  for (let at = 1; at < whole.length; at++) {
    const { names, gaps } = read(`${whole.slice(at)}\n\n${written("after")}`);
    expect(names, `cut before ${at}`).toEqual(["after"]);
    expect(gaps).toBe(1);
  }
});

test("zeros, as a hole in the file reads, are a gap", () => {
  const { names, gaps } = read(Buffer.concat([Buffer.alloc(300), Buffer.from(written("after"))]));
  expect(names).toEqual(["after"]);
  expect(gaps).toBe(1);
});

test("what is JSON and no event is a gap", () => {
  expect(read(`{"a": 1}\n${written("after")}`)).toMatchObject({ names: ["after"], gaps: 1 });
  expect(read(`{"timestamp": {}, "source": 1, "event": []}${written("after")}`)).toMatchObject({
    names: ["after"],
    gaps: 1,
  });
});

test("half an event is waited for, and known to be", () => {
  const whole = written("booted");
  const parser = new EventParser();
  expect(parser.push(Buffer.from(whole.slice(0, 20)))).toEqual({ events: [], gap: false });
  expect(parser.pendingBytes).toBe(20);
  expect(parser.push(Buffer.from(whole.slice(20))).events).toHaveLength(1);
});

test("an event without an end is given up, so that memory stays bounded", () => {
  const parser = new EventParser();
  const endless = Buffer.from(`{"timestamp": "${"x".repeat(40_000)}`);
  expect(parser.push(endless).gap).toBe(false);
  expect(parser.push(Buffer.from("x".repeat(40_000))).gap).toBe(true);
  expect(parser.pendingBytes).toBe(0);
  expect(parser.push(Buffer.from(`"}\n${written("after")}`)).events).toMatchObject([{ event: "after" }]);
});

test("whatever comes, the parser neither throws nor keeps more than one event", () => {
  const pieces = fc.oneof(
    fc.string(),
    fc.constantFrom("{", "}", '"', '{\n  "timestamp"', "\\", "\0", written("booted")),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (texts) => {
      const parser = new EventParser();
      for (const text of texts) parser.push(Buffer.from(text));
      expect(parser.pendingBytes).toBeLessThanOrEqual(64 * 1024 + 1024);
      // Two whole ones, because the first may end a string that was open.
      const last = [
        ...parser.push(Buffer.from(written("one"))).events,
        ...parser.push(Buffer.from(written("two"))).events,
      ];
      expect(last.at(-1)).toMatchObject({ event: "two" });
    }),
  );
});
