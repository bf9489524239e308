/** Texts with far more in them than anybody writes: each ends, with what is wrong or with nothing. */
import { expect, test } from "vitest";
import { aVm, mistakesIn } from "../support/manifest-texts.ts";

test("a hundred thousand brackets", () => {
  expect(mistakesIn({ "a.yaml": "[".repeat(100_000) })).toEqual([
    "a.yaml:1:1 yaml-syntax: nested too deeply (at most 64 levels)",
  ]);
});

test("a key written two hundred thousand times is told each time, as what it is", () => {
  const { length, 0: first } = mistakesIn({
    "a.yaml": `${aVm("a", "size: 1GiB\ncloudHypervisor:")}${"    a:\n".repeat(200_000)}`,
  });
  expect(first).toBe("a.yaml:9:5 duplicate-key: this key is written twice here (keep one of them)");
  expect(length).toBeGreaterThan(199_998);
});

test("a map of very many keys", () => {
  const keys = Array.from({ length: 50_000 }, (_, i) => `    k${i}: 1`).join("\n");
  expect(mistakesIn({ "a.yaml": `${aVm("a", "hypervisor: noop\nsize: 1GiB\nqemu:")}${keys}\n` })).toEqual([]);
  // What nobody knows is told of the first few only.
  expect(mistakesIn({ "a.yaml": `${aVm("a", "size: 1GiB\ncloudHypervisor:")}${keys}\n` }).length).toBeLessThan(30);
});
