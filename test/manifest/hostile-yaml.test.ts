/** Texts that are meant to hurt: each ends soon, with a diagnostic. */
import { expect, test } from "vitest";
import { aVm, mistakesIn } from "../support/manifest-texts.ts";

const withSpec = (more: string) => ({ "a.yaml": aVm("a", `size: 1GiB\n${more}`) });

test("a billion laughs", () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `x${i}: &x${i} [${
        i === 0
          ? "lol"
          : Array(10)
              .fill(`*x${i - 1}`)
              .join(", ")
      }]`,
  );
  const [mistake] = mistakesIn(withSpec(`cloudHypervisor: { ${levels.join(", ")} }`));
  expect(mistake).toContain("unsupported-yaml: aliases make this document too large");
});

test("an alias of itself", () => {
  expect(mistakesIn(withSpec("cloudHypervisor: &a { b: *a }"))[0]).toContain("unsupported-yaml: nested too deeply");
});

test("an alias of nothing", () => {
  expect(mistakesIn(withSpec("group: *nobody"))[0]).toContain("yaml-syntax: this alias refers to no anchor");
});

test("more brackets than a stack holds", () => {
  const brackets = "[".repeat(5_000);
  expect(mistakesIn({ "a.yaml": brackets, "b.yaml": aVm("b", "cpu: 1\nsize: 1GiB") })).toEqual([
    "a.yaml:1:1 yaml-syntax: nested too deeply (at most 64 levels)",
    expect.stringContaining("b.yaml:6:3 unknown-field"),
  ]);
});

test.each([
  ["__proto__: { polluted: true }", "unsupported-yaml: a key must be a plain text"],
  ["? [a, b]\n: c", "unsupported-yaml: a key must be a plain text"],
  ["protect: true\nprotect: false", "duplicate-key: protect is written twice here"],
  ["cloudHypervisor: { n: 12345678901234567890 }", "unsupported-yaml: this number cannot be kept exactly"],
  ["cloudHypervisor: { n: .inf }", "unsupported-yaml: this number cannot be kept exactly"],
  ["group: !secret x", "tags have no meaning in manifests"],
  ["<<: { protect: true }", "unsupported-yaml: merge keys (<<) are not read"],
  ["group: [a", "yaml-syntax"],
  ["group: 'a", "yaml-syntax"],
  ["\tgroup: a", "yaml-syntax"],
  ["group: a: b", "yaml-syntax"],
])("%s", (more, said) => {
  expect(mistakesIn(withSpec(more)).join("\n")).toContain(said);
});

test("a tree that is not a map", () => {
  for (const text of ["- a\n", "just words\n", "42\n", "'x'\n"])
    expect(mistakesIn({ "a.yaml": text })[0]).toContain("not-a-manifest");
});

test("yes, no, on and off are words, and a port is no sexagesimal number", () => {
  expect(mistakesIn(withSpec("hypervisor: noop\nqemu: { on: yes, off: no, t: 22:30, o: 010 }"))).toEqual([]);
});
