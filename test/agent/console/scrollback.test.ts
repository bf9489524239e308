import fc from "fast-check";
import { expect, test } from "vitest";
import { Scrollback, withoutOverlap } from "../../../src/agent/console/scrollback.ts";

test("scrollback is the end of everything that was said, in whatever pieces", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.array(fc.uint8Array({ maxLength: 6_000 }), { maxLength: 12 }),
      (limit, pieces) => {
        const scrollback = new Scrollback(limit);
        for (const piece of pieces) scrollback.push(Buffer.from(piece));
        const all = Buffer.concat(pieces);
        expect(scrollback.bytes().equals(all.subarray(Math.max(0, all.length - limit)))).toBe(true);
      },
    ),
  );
});

test("an overlap of log and line is seen once", () => {
  const join = (earlier: string, live: string) => withoutOverlap(Buffer.from(earlier), Buffer.from(live)).toString();
  expect(join("abc", "bcd")).toBe("d");
  expect(join("abc", "abc")).toBe("");
  expect(join("abc", "xyz")).toBe("xyz");
  expect(join("", "a")).toBe("a");
  expect(join("c", "cde")).toBe("de");
});
