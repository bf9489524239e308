/** One text for one value, whoever made it: digests of specs and plans stand in records and files for years. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson } from "../../src/model/digest.ts";

/** As it is said, piece by piece. */
function bySaying(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(bySaying).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const record = value as Record<string, unknown>;
  const keys = Object.keys(record).filter((key) => record[key] !== undefined);
  keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${bySaying(record[key])}`).join(",")}}`;
}

/** Numbers among the keys, and names that objects have by themselves. */
const anyKey = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("10", "9", "01", "-1", "__proto__", "toJSON", "constructor", ""),
);
const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(null, undefined),
    tie("list"),
    tie("record"),
  ),
  list: fc.array(tie("value")),
  record: fc.dictionary(anyKey, tie("value"), { noNullPrototype: false }),
})).value;

test("keys in code-unit order, no white space, nothing that is undefined", () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      expect(canonicalJson(value)).toBe(bySaying(value));
    }),
    { numRuns: 2_000 },
  );
});

test("however much of it there is", () => {
  const many = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, index) => [`vm-${2_000 - index}`, { b: [index, undefined], a: { 9: 1, 10: 2 } }]),
  );
  for (const value of [many, { few: 1, specs: many }, [{ specs: many }], Object.values(many)])
    expect(canonicalJson(value)).toBe(bySaying(value));
});
