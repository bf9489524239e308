/** The block of a watch: whatever stands in it and however small the window, it fits, and a question is never what goes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { instant } from "../../src/model/names.ts";
import type { WatchEvent } from "../../src/report/watch/watch-event.ts";
import { renderWatchBlock, renderWatchEvent, type WatchView } from "../../src/report/watch/watch-text.ts";
import { clip, rowsTaken, widthOf } from "../../src/report/words/width.ts";

const QUIET: WatchView = {
  fleet: "home",
  inForce: "r1 applied",
  newer: null,
  vms: [],
  silent: [],
  progress: null,
  doing: null,
  question: null,
};
const vm = (name: string, phase = "running") => ({ name, node: "local", phase });
const ASKED = {
  changes: [{ name: "db", node: "local", action: "reboot" as const, impact: "a restart" }],
  elsewhere: "odorobo runs approve 20260101-000000-abcd",
  typed: "ye",
};

test("a class that says no more than the action is left out", () => {
  const changes = [
    { name: "web", node: "n1", action: "reboot", class: "reboot" },
    { name: "db", node: "n1", action: "update", class: "live" },
  ] as const;
  const at = instant("2026-01-01T12:00:00.000Z");
  const event: WatchEvent = { kind: "WatchEvent", version: 1, at, event: "drift", reverted: changes, left: [] };
  expect(renderWatchEvent(event, { colour: false })).toContain("! web reboot, ~ db update (live)");
});

test("on 40 columns and a few rows: what asks is kept, and what is not well comes first", () => {
  const view = { ...QUIET, vms: [..."abcdef"].map((name) => vm(name)).concat(vm("z", "crashed")), question: ASKED };
  expect(renderWatchBlock(view, { colour: false, rows: 7, width: 40 })).toEqual([
    "home: 6 of 7 VMs running, r1 applied",
    "  z on local: crashed",
    "  a on local: running",
    "  b on local: running",
    "  and 4 more",
    "  ! db reboot: a restart for its users,…",
    "Apply it, yes or no? ye",
  ]);
  expect(renderWatchBlock(view, { colour: false, rows: 12, width: 80 }).slice(-3)).toEqual([
    "  ! db reboot: a restart for its users, on local",
    "  or elsewhere: odorobo runs approve 20260101-000000-abcd",
    'Apply this plan? Type "yes" or "no": ye',
  ]);
  expect(renderWatchBlock(view, { colour: false, rows: 2, width: 20 }).at(-1)).toBe("yes or no? ye");
});

test("it fits into any window, colours or not", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.constant("機械の名前がとても長い場合には".repeat(4)),
  );
  const views = fc.record<WatchView>({
    fleet: text,
    inForce: fc.option(text),
    newer: fc.option(text),
    vms: fc.array(fc.record({ name: text, node: text, phase: fc.constantFrom("running", "stopped") }), {
      maxLength: 12,
    }),
    silent: fc.array(text, { maxLength: 3 }),
    progress: fc.option(
      fc.record({
        steps: fc.nat(),
        done: fc.nat(),
        failed: fc.nat(),
        skipped: fc.nat(),
        inFlight: fc
          .array(text, { maxLength: 6 })
          .map((titles) => new Map(titles.map((title, id) => [`${id}`, title]))),
      }),
    ),
    doing: fc.option(text),
    question: fc.option(
      fc.record({
        changes: fc.array(
          fc.record({ name: text, node: text, action: fc.constantFrom("reboot", "destroy"), impact: text }),
          { maxLength: 5 },
        ),
        elsewhere: fc.option(text),
        typed: text,
      }),
    ),
  });
  fc.assert(
    fc.property(
      views,
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 16, max: 200 }),
      fc.boolean(),
      (view, rows, width, colour) => {
        const lines = renderWatchBlock(view, { colour, rows, width });
        expect(lines.length).toBeLessThanOrEqual(rows);
        expect(lines.filter((line) => widthOf(line) > width)).toEqual([]);
        if (view.question !== null) expect(lines.at(-1)).toContain("yes");
      },
    ),
  );
});

test("how wide a text is, and how many rows it takes", () => {
  expect(["a", "機", "e\u0301", "\u001b[1mbold\u001b[0m"].map(widthOf)).toEqual([1, 2, 1, 4]);
  expect([clip("機械機械", 8), clip("機械機械", 7), clip("機械機械", 6), clip("", 0)]).toEqual([
    "機械機械",
    "機械機…",
    "機械…",
    "",
  ]);
  expect(rowsTaken(["", "12345678", "123456789"], 8)).toBe(4);
});
