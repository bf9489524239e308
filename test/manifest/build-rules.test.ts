/** What no label can be is told, and nothing else: held against trying every value that could matter. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { buildRules } from "../../src/manifest/vm/build-rules.ts";
import type { LabelExpression } from "../../src/model/documents.ts";
import { describeMatch, meets } from "../../src/model/may-live-on.ts";
import { ENOUGH_DRAWS } from "../support/enough-draws.ts";

const VALUES = ["1", "2", "3", "4", "x"];
const anExpression: fc.Arbitrary<LabelExpression> = fc.oneof(
  fc.record({
    key: fc.constant("k"),
    operator: fc.constantFrom("In", "NotIn"),
    values: fc.uniqueArray(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key: fc.constant("k"), operator: fc.constantFrom("Exists", "DoesNotExist") }),
  fc.record({
    key: fc.constant("k"),
    operator: fc.constantFrom("Gt", "Lt"),
    values: fc.constantFrom(["1"], ["2"], ["4"]),
  }),
) as fc.Arbitrary<LabelExpression>;

test("a rule that nothing can meet is told, and one that something can meet is not", () => {
  let told = 0;
  fc.assert(
    fc.property(
      fc.array(anExpression, { minLength: 1, maxLength: 4 }),
      fc.option(fc.constantFrom(...VALUES), { nil: undefined, freq: 2 }),
      (matchExpressions, must) => {
        const found: string[] = [];
        const match = must === undefined ? {} : { match: { k: must } };
        const { nodeAffinity } = buildRules({ nodeAffinity: [{ ...match, matchExpressions }] }, (_, { code }) => {
          found.push(code);
        });
        const rule = nodeAffinity[0]!;
        const tried = [{}, ...[...VALUES, "0", "-1", "5", "6", "7", "y"].map((k) => ({ k }))];
        const isPossible = tried.some((labels) => meets(labels, rule));
        expect([describeMatch(rule), found]).toEqual([describeMatch(rule), isPossible ? [] : ["conflicting-fields"]]);
        if (!isPossible) told++;
      },
    ),
    { numRuns: 3_000 },
  );
  if (ENOUGH_DRAWS) expect(told).toBeGreaterThan(300);
});

test.each([
  [{ match: { app: "web" } }, "app=web"],
  [{ match: {}, expressions: [{ key: "a", operator: "In", values: ["x", "y"] }] }, "a in (x,y)"],
  [{ match: {}, expressions: [{ key: "a", operator: "NotIn", values: ["x"] }] }, "a!=x"],
  [{ match: {}, expressions: [{ key: "a", operator: "Exists", values: [] }] }, "a"],
  [{ match: { b: "c" }, expressions: [{ key: "a", operator: "DoesNotExist", values: [] }] }, "b=c,!a"],
  [{ match: {}, expressions: [{ key: "a", operator: "Gt", values: ["8"] }] }, "a>8"],
] as const)("%o is told as %s", (rule, text) => {
  expect(describeMatch(rule)).toBe(text);
});
