/** Changes of one document in its text: what is not changed keeps every byte. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { editSpec, type SpecEdit } from "../../src/manifest/text/edit-spec.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

const N1 = { kind: "Node", name: "n1" };
const edit = (text: string, ...edits: SpecEdit[]) => editSpec(text, N1, edits);
const set = (key: string, value: SpecEdit["value"]): SpecEdit => ({ key, value });

const FILE = `# Our nodes.
apiVersion: odorobo.dev/v1
kind: Node
metadata: {name:   n0}
spec: {address: 'http://n0'}   # flow
---
kind: "Node"    # quoted
apiVersion: odorobo.dev/v1
metadata:
    name: 'n1'
spec:
    # where it is
    address:   "http://n1"    # by name

    overcommit:
        cpus: 2     # careful
# what follows is another's
---
apiVersion: odorobo.dev/v1
kind: VirtualMachine
metadata: { name: n1 }
spec: { cordoned: no }
`;

test("a key is added behind the last one, with its indentation, and nothing else changes", () => {
  expect(edit(FILE, set("cordoned", true))).toBe(
    FILE.replace("        cpus: 2     # careful\n", "        cpus: 2     # careful\n    cordoned: true\n"),
  );
  expect(editSpec(FILE, { kind: "Node", name: "n0" }, [set("fenced", true)])).toBe(
    FILE.replace("'http://n0'}", "'http://n0', fenced: true}"),
  );
});

test("added and taken out again, it is the file that it was", () => {
  for (const name of ["n0", "n1"])
    for (const value of [true, { until: "2026-12-01T22:00:00.000Z", reason: 'new "disks", #2: a {b}' }]) {
      const added = editSpec(FILE, { kind: "Node", name }, [set("maintenance", value)]) ?? "";
      expect(added).not.toBe(FILE);
      expect(editSpec(added, { kind: "Node", name }, [set("maintenance", null)])).toBe(FILE);
    }
});

test("times stand without quotes, as people write them, and every other text in quotes", () => {
  const written = (reason: string) =>
    editSpec(FILE, { kind: "Node", name: "n0" }, [set("maintenance", { reason })])?.match(
      /maintenance: \{ reason: (.*) \}\}/,
    )?.[1];
  expect(["2026-12-01T22:00:00.000Z", "2026-12-01T22:00:00Z"].map(written)).toEqual([
    "2026-12-01T22:00:00.000Z",
    "2026-12-01T22:00:00Z",
  ]);
  for (const other of [
    "x2026-12-01T22:00:00Z",
    "2026-12-01T22:00:00Z # x",
    "26-12-01T22:00:00Z",
    "2026-12-01Tx:Z",
    "true",
  ])
    expect(written(other)).toBe(JSON.stringify(other));
});

test("what is there already is replaced in its place, whatever it was", () => {
  const node = (lines: string) => `kind: Node\nmetadata: { name: n1 }\nspec:\n  address: x\n${lines}  labels: 1\n`;
  for (const was of ["  cordoned: false # why\n", "  cordoned:\n", "  cordoned: !!bool false\n"])
    expect(edit(node(was), set("cordoned", true)), was).toBe(
      node(was.includes("#") ? "  cordoned: true # why\n" : "  cordoned: true\n"),
    );
  const block = "  maintenance:\n    # later\n    reason: x\n    until: 2026-12-01T22:00:00Z\n";
  expect(edit(node(block), set("maintenance", true))).toBe(node("  maintenance: true\n"));
  expect(edit(node(block), set("maintenance", null), set("cordoned", null))).toBe(node(""));
  expect(edit(node("  fenced: true # it burnt\n"), set("fenced", null))).toBe(node(""));
  expect(
    edit("kind: Node\nmetadata: { name: n1 }\nspec: { cordoned: true, address: x }\n", set("cordoned", null)),
  ).toBe("kind: Node\nmetadata: { name: n1 }\nspec: { address: x }\n");
});

test("line ends and a missing last one stay as they are", () => {
  const crlf = "kind: Node\r\nmetadata: { name: n1 }\r\nspec:\r\n  address: x\r\n";
  expect(edit(crlf, set("cordoned", true))).toBe(`${crlf}  cordoned: true\r\n`);
  const open = "kind: Node\nmetadata: { name: n1 }\nspec:\n  address: x";
  expect(edit(open, set("cordoned", true))).toBe(`${open}\n  cordoned: true`);
  expect(edit(`${open}\n  cordoned: true`, set("cordoned", null))).toBe(`${open}\n`);
});

test("what was so already is the same text; what cannot be done in a text is left to people", () => {
  expect(edit(FILE, set("cordoned", null))).toBe(FILE);
  for (const text of [
    "kind: Node\nmetadata: { name: other }\nspec: { address: x }\n",
    "kind: Node\nmetadata: { name: n1 }\nspec: *a\n",
    "base: &a { address: x }\nkind: Node\nmetadata: { name: n1 }\nspec: *a\n",
    "kind: Node\nmetadata: { name: n1 }\n",
    "kind: Node\nmetadata: { name: n1 }\nspec:\n",
  ])
    expect(edit(text, set("cordoned", true)), text).toBeNull();
});

const anyLine = fc.constantFrom(
  "  address: http://n1",
  "  address: |\n    folded\n\n",
  "  reserved: { cpus: 1 } # x",
  "  overcommit:\n    cpus: 2\n    # inside\n",
  "",
  "  # a comment",
  "  'quoted key': \"a # b\"",
  "  list:\n  - 1\n  - 2",
  "  list2:\n    - a: 1\n      b: 2",
  "  text: >-\n    a\n    b",
);

test("whatever stands around: it reads as meant and the rest stands where it was, or it is not done", () => {
  const anyValue = fc.oneof(
    fc.constant(true),
    fc.record({ reason: fc.string({ unit: "binary", maxLength: 20 }) }),
    fc.constant({ from: "2026-12-01T22:00:00.000Z", reason: "a: b # c" }),
  );
  let done = 0;
  fc.assert(
    fc.property(fc.array(anyLine, { minLength: 1, maxLength: 6 }), anyValue, fc.boolean(), (lines, value, isTwo) => {
      const other = "kind: Node\nmetadata: { name: n2 }\nspec: { address: y } # stays\n";
      const text = `kind: Node\nmetadata: { name: n1 }\nspec:\n${lines.join("\n")}\n${isTwo ? `---\n${other}` : ""}`;
      const edited = edit(text, set("maintenance", value));
      if (edited === null) return;
      done++;
      const [before, after] = [text, edited].map(
        (each) => parseAllDocuments(each, { uniqueKeys: false })[0]?.toJS().spec,
      );
      expect(after).toEqual({ ...before, maintenance: value });
      if (isTwo) expect(edited.endsWith(other)).toBe(true);
      // One line more, and every other line as it was.
      const kept = edited.split("\n").filter((line) => !line.startsWith("  maintenance: "));
      expect(kept.join("\n")).toBe(text);
    }),
    { numRuns: 150 },
  );
  if (ENOUGH_DRAWS) expect(done).toBeGreaterThan(70);
});
