/** The fast reader of plain YAML says what the yaml library says, at the same places, or nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { Composer, Parser } from "yaml";
import { readPlainYaml } from "../../src/manifest/text/plain-yaml.ts";
import { type ReadValue, toValue } from "../../src/manifest/text/to-value.ts";
import { HOSTILE } from "../support/hostile-texts.ts";

vi.setConfig({ testTimeout: 15_000 });

function readByLibrary(text: string): (ReadValue | string)[] {
  const composer = new Composer({ version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false });
  return [...composer.compose(new Parser().parse(text), false, text.length)].flatMap((document) => {
    const complaints = [...document.errors, ...document.warnings].map(({ code }) => code);
    return [toValue(document.contents, document.range[0]), ...complaints];
  });
}

/** Also the order of the keys: places stand in it. */
const asText = (read: unknown): string => JSON.stringify(read);

/** Answers whether it was read. */
function readsAlike(text: string): boolean {
  const plain = readPlainYaml(text);
  if (plain !== null) expect(asText(plain), JSON.stringify(text)).toBe(asText(readByLibrary(text)));
  return plain !== null;
}

/** What manifests are made of, whole or in pieces, and what looks like it. */
const PIECES = [
  ..."a b k1 name null true ~ 1 0.5 10GiB 10.0.0.1/16 http://x:80/y it's a#b $x /p é 日本 . .a (x) _a -1 007 0x1 1e3 .5 1. .inf".split(
    " ",
  ),
  ...['"q"', "'s'", '""', "''", "'it''s'", '"a\\nb"', '"\\q"', "\\", '"', "'", "x y"],
  ...["-", "- ", "- - ", ": ", ":", "? ", ", ", ",", "{", "}", "[", "]", "{ ", " }", " ", "  ", "\n", "\n  ", "\n    "],
  ...[
    "\n- ",
    "\n  - ",
    "\n\n",
    "# c",
    " # c",
    "|\n",
    "|-\n",
    "|\n  ",
    "> ",
    "&x ",
    "*x",
    "!t ",
    "---\n",
    "\n---\n",
    "...",
  ],
  ...[
    "\t",
    "\r\n",
    "\u00a0",
    "\ufeff",
    "\u2028",
    "%",
    "@",
    "`",
    "<<: ",
    "__proto__: ",
    "1: ",
    "null: ",
    "=",
    "<<<<<<< ",
  ],
  ...[
    "a: b",
    "b: 1\n",
    "a:\n  b: 1\n",
    "l:\n- x\n",
    "l:\n  - n: 1\n    m: 2\n",
    "c: |\n  t\n   u\n\n  v\n",
    "f: { a: [1, { b: ~ }] }\n",
  ],
];

const anySoup = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 14 }).map((pieces) => pieces.join(""));

const anyWord = fc.constantFrom("a", "b", "c-1", "d.e/f", "true", "x");
const anyInline: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("1", "0.5", "10GiB", "two words", '"q: u"', "'it''s'", "http://x:80/y", "~", "no", "é"),
    fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
    fc
      .uniqueArray(fc.tuple(anyWord, tie("value")), { maxLength: 3, selector: ([key]) => key })
      .map((entries) => `{ ${entries.map(([key, value]) => `${key}: ${value}`).join(", ")} }`),
  ),
})).value;

const indented = (text: string, by: string): string =>
  text
    .split("\n")
    .map((line) => (line === "" ? line : by + line))
    .join("\n");

/** As people write it: maps, lists, literal texts, comments, blank lines. */
const anyBlock: fc.Arbitrary<string> = fc.letrec<{ map: string; value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    anyInline.map((value) => ` ${value}\n`),
    fc.constantFrom(
      "\n",
      " # nothing\n",
      " x # comment\n",
      " |\n  text\n\n    more\n",
      " |-\n  # no comment\n\n",
      "\n\n  # alone\n",
    ),
    tie("map").map((map) => `\n${indented(map, "  ")}`),
    tie("map").map((map) => ` # why\n# at the margin\n${indented(map, "    ")}`),
    fc
      .tuple(fc.constantFrom("", "  "), fc.array(fc.oneof(anyInline, tie("map")), { minLength: 1, maxLength: 3 }))
      .map(
        ([by, items]) =>
          `\n${items.map((each) => `${by}- ${indented(each.trimEnd(), `${by}  `).trimStart()}\n`).join("")}`,
      ),
  ),
  map: fc
    .uniqueArray(fc.tuple(anyWord, tie("value")), { minLength: 1, maxLength: 4, selector: ([key]) => key })
    .map((entries) => entries.map(([key, value]) => `${key}:${value}`).join("")),
})).map;

const anyDocuments = fc.array(anyBlock, { minLength: 1, maxLength: 3 }).map((blocks) => blocks.join("---\n"));

/** A slip of the hand. */
const anySlip = fc
  .tuple(anyDocuments, fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom("", ...PIECES)), { maxLength: 3 }))
  .map(([text, slips]) =>
    slips.reduce((now, [at, length, piece]) => {
      const place = at % (now.length + 1);
      return now.slice(0, place) + piece + now.slice(place + length);
    }, text),
  );

test("a soup of what YAML is made of", () => {
  let [drawn, read] = [0, 0];
  fc.assert(
    fc.property(anySoup, (text) => {
      drawn++;
      if (readsAlike(text)) read++;
    }),
    { numRuns: 5_000 },
  );
  // One in a few hundred, also of fewer draws.
  expect(read).toBeGreaterThanOrEqual(Math.floor(drawn / 400));
});

test("documents as people write them, with slips", () => {
  let [drawn, read] = [0, 0];
  fc.assert(
    fc.property(anySlip, (text) => {
      drawn++;
      if (readsAlike(text)) read++;
    }),
    { numRuns: 500 },
  );
  expect(read).toBeGreaterThanOrEqual(Math.floor(drawn / 7));
});

test("what is written as people write it is read here, and not by the library", () => {
  fc.assert(
    fc.property(anyDocuments, (text) => {
      expect(readPlainYaml(text), text).not.toBeNull();
    }),
    { numRuns: 100 },
  );
});

test("the examples are plain", () => {
  const folder = join(import.meta.dirname, "../../examples");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) =>
    name.endsWith(".yaml"),
  );
  const others = files
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => !readFileSync(file, "utf8").startsWith("#cloud-config"))
    .filter((file) => !readsAlike(readFileSync(file, "utf8")));
  expect(others).toEqual([]);
});

test.each(Object.entries(HOSTILE))("hostile: %s", (_, make) => void readsAlike(make(2_000)));
