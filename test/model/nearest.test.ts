/** What somebody who wrote a word that nobody knows may have meant. */
import { expect, test } from "vitest";
import { nearest } from "../../src/model/nearest.ts";

test.each([
  ["one letter more", "cpuss", "cpus"],
  ["one letter less", "imge", "image"],
  ["another letter", "imade", "image"],
  ["two in each other's place, at the end", "cpsu", "cpus"],
  ["two in each other's place, at the beginning", "iamge", "image"],
  ["capitals", "ShutdownGrace", "shutdownGrace"],
  ["a mistake in every third letter, and no more", "shutdwnGracee", "shutdownGrace"],
  ["nothing that is near", "watchdog", null],
  ["one letter of a short word", "sise", "size"],
  ["more than a third", "imaxx", null],
])("%s: %s", (_, word, meant) => {
  expect(nearest(word, ["shutdownGrace", "cpus", "image", "size"])).toBe(meant);
});

test("the nearest is taken, and of those that are as near the first by name, in whatever order they are asked about", () => {
  expect(nearest("web-11", ["web-2", "web-1", "web-112"])).toBe("web-1");
  expect(nearest("web-3", ["web-2", "web-1"])).toBe("web-1");
  // A swap counts as much as another letter, not less.
  expect(nearest("ab-1", ["ba-1", "aa-1"])).toBe("aa-1");
  expect(nearest("ba-1", ["ab-1", "xy-1"])).toBe("ab-1");
  expect(nearest("x", [])).toBeNull();
});
