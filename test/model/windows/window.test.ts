/** Windows of the week, across midnight, zones, and the days on which clocks are changed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instant } from "../../../src/model/names.ts";
import { describeWindow, openingAt, WEEKDAYS, type Window } from "../../../src/model/windows/window.ts";
import { isTimeZone, momentOf, wallTimeOf } from "../../../src/model/windows/zoned-time.ts";

const aWindow = (over: Partial<Window> = {}): Window => ({
  days: ["sun"],
  from: "02:00",
  until: "04:00",
  timezone: "UTC",
  source: null,
  ...over,
});

function opening(at: string, ...windows: Window[]): string {
  const found = openingAt(windows, instant(at));
  if (found === null) return "none";
  const [opens, closes] = [found.opens, found.closes].map((each) => each.slice(0, 16));
  return `${found.isOpen ? "open" : "closed"} ${opens} ${closes}`;
}

describe("when it is open", () => {
  // 2026-11-29 is a Sunday.
  test.each([
    ["2026-11-28T12:00:00.000Z", "closed 2026-11-29T02:00 2026-11-29T04:00"],
    ["2026-11-29T01:59:59.999Z", "closed 2026-11-29T02:00 2026-11-29T04:00"],
    ["2026-11-29T02:00:00.000Z", "open 2026-11-29T02:00 2026-11-29T04:00"],
    ["2026-11-29T03:59:59.999Z", "open 2026-11-29T02:00 2026-11-29T04:00"],
    ["2026-11-29T04:00:00.000Z", "closed 2026-12-06T02:00 2026-12-06T04:00"],
  ])("at %s", (at, said) => {
    expect(opening(at, aWindow())).toBe(said);
  });

  test("until a time that is not after its beginning: into the next day", () => {
    const night = aWindow({ days: ["sat"], from: "22:00", until: "02:00" });
    expect(opening("2026-11-29T01:00:00.000Z", night)).toBe("open 2026-11-28T22:00 2026-11-29T02:00");
    const allDay = aWindow({ from: "00:00", until: "00:00" });
    expect(opening("2026-11-29T23:59:00.000Z", allDay)).toBe("open 2026-11-29T00:00 2026-11-30T00:00");
  });

  test("of several, the open one that closes last, else the first to open", () => {
    const late = aWindow({ until: "05:00" });
    expect(opening("2026-11-29T03:00:00.000Z", aWindow(), late)).toBe("open 2026-11-29T02:00 2026-11-29T05:00");
    const monday = aWindow({ days: ["mon"] });
    expect(opening("2026-11-29T12:00:00.000Z", aWindow(), monday)).toBe("closed 2026-11-30T02:00 2026-11-30T04:00");
    expect(opening("2026-11-29T12:00:00.000Z")).toBe("none");
  });

  test("the day is the zone's, not UTC's", () => {
    const auckland = aWindow({ timezone: "Pacific/Auckland" });
    expect(opening("2026-11-28T13:30:00.000Z", auckland)).toBe("open 2026-11-28T13:00 2026-11-28T15:00");
    const angeles = aWindow({ days: ["sat"], from: "20:00", until: "21:00", timezone: "America/Los_Angeles" });
    expect(opening("2026-11-29T04:30:00.000Z", angeles)).toBe("open 2026-11-29T04:00 2026-11-29T05:00");
  });
});

describe("when clocks are changed", () => {
  const berlin = (over: Partial<Window>) => aWindow({ timezone: "Europe/Berlin", ...over });

  test("in spring the hour that is skipped opens as much later", () => {
    // 2026-03-29: 02:00 becomes 03:00.
    expect(opening("2026-03-28T12:00:00.000Z", berlin({}))).toBe("closed 2026-03-29T01:00 2026-03-29T02:00");
    expect(opening("2026-03-28T12:00:00.000Z", berlin({ from: "02:15", until: "02:45" }))).toBe(
      "closed 2026-03-29T01:15 2026-03-29T01:45",
    );
  });

  test("one that lies in the skipped hour, up to its very end, is as long as on other days", () => {
    expect(opening("2026-03-28T12:00:00.000Z", berlin({ until: "03:00" }))).toBe(
      "closed 2026-03-29T01:00 2026-03-29T02:00",
    );
    expect(opening("2026-03-28T12:00:00.000Z", berlin({ from: "02:30", until: "03:15" }))).toBe(
      "closed 2026-03-29T01:30 2026-03-29T02:15",
    );
  });

  test("in autumn it opens once, at the first of two, and the hour more is part of it", () => {
    // 2026-10-25: 03:00 becomes 02:00.
    expect(opening("2026-10-24T12:00:00.000Z", berlin({}))).toBe("closed 2026-10-25T00:00 2026-10-25T03:00");
    expect(opening("2026-10-25T01:30:00.000Z", berlin({ until: "02:30" }))).toBe(
      "closed 2026-11-01T01:00 2026-11-01T01:30",
    );
  });

  test("half an hour, on Lord Howe, and before midnight of a day that begins at one", () => {
    // 2026-04-05: 02:00 becomes 01:30.
    const lordHowe = aWindow({ from: "01:45", timezone: "Australia/Lord_Howe" });
    expect(opening("2026-04-03T00:00:00.000Z", lordHowe)).toBe("closed 2026-04-04T14:45 2026-04-04T17:30");
    // Beirut has no midnight on 2026-03-29.
    const beirut = aWindow({ from: "00:00", until: "01:00", timezone: "Asia/Beirut" });
    expect(opening("2026-03-28T12:00:00.000Z", beirut)).toBe("closed 2026-03-28T22:00 2026-03-28T23:00");
  });
});

const zones = Intl.supportedValuesOf("timeZone");

test("every local time there is comes back, whatever the zone", () => {
  const ms = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2035, 0) });
  fc.assert(
    fc.property(fc.constantFrom(...zones), ms, (zone, now) => {
      const moment = Math.floor(now / 60_000) * 60_000;
      const back = momentOf(wallTimeOf(moment, zone), zone);
      // The first of two: at most the few hours earlier that clocks go back.
      expect(moment - back).toBeGreaterThanOrEqual(0);
      expect(moment - back).toBeLessThanOrEqual(3 * 3_600_000);
      expect(wallTimeOf(back, zone)).toBe(wallTimeOf(moment, zone));
    }),
    { seed: 37, numRuns: 2_000 },
  );
});

test("what is open closes later, what is closed opens later, and it is open from its opening on", () => {
  const time = fc.tuple(fc.nat(23), fc.nat(59)).map((each) => each.map((part) => `${part}`.padStart(2, "0")).join(":"));
  const windows = fc.record({
    days: fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }),
    from: time,
    until: time,
    timezone: fc.constantFrom(...zones),
    source: fc.constant(null),
  });
  const at = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2030, 0) });
  fc.assert(
    fc.property(fc.array(windows, { minLength: 1, maxLength: 3 }), at, (some, ms) => {
      const now = instant(new Date(ms).toISOString());
      const found = openingAt(some, now);
      expect(found).not.toBeNull();
      if (found === null) return;
      expect(Date.parse(found.closes)).toBeGreaterThan(Math.max(ms, Date.parse(found.opens)));
      expect(Date.parse(found.opens) <= ms).toBe(found.isOpen);
      expect(Date.parse(found.opens) - ms).toBeLessThanOrEqual(9 * 86_400_000);
      expect(openingAt(some, found.opens)?.isOpen).toBe(true);
    }),
    { seed: 37, numRuns: 1_000 },
  );
});

test("its words", () => {
  expect(describeWindow(aWindow({ days: ["sat", "sun"] }))).toBe("Sun, Sat 02:00-04:00 UTC");
  expect(describeWindow(aWindow({ days: WEEKDAYS }))).toBe("daily 02:00-04:00 UTC");
  expect([isTimeZone("Europe/Berlin"), isTimeZone("Berlin/Mitte")]).toEqual([true, false]);
});
