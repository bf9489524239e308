/** What is shared on disk is what it was, in the same order, whatever the records hold. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { SharingWriter, unpackShared } from "../../src/source/shared-values.ts";

const anyKey = fc.constantFrom("a", "b", "$", "name", "10");
const anyJson = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(null, true, 0, 7, "", "x", [], {}),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(anyKey, tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;
const anyRecord = fc.dictionary(anyKey, anyJson, { maxKeys: 4, noNullPrototype: true });

test("records come back as they were", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 5 }), (records) => {
      const writer = new SharingWriter();
      const packed = records.map((record) => JSON.stringify(writer.pack(record)));
      const table = writer.table.map((text) => JSON.parse(text));
      const back = packed.map((text) => unpackShared(JSON.parse(text), table));
      expect(JSON.stringify(back)).toBe(JSON.stringify(records));
    }),
    { numRuns: 500 },
  );
});

test("what two have in common becomes one object", () => {
  const writer = new SharingWriter();
  const packed = [1, 2].map((at) =>
    JSON.stringify(writer.pack({ at, boot: { kernel: "k" }, nics: [{ at, on: { bridge: "b" } }] })),
  );
  const table = writer.table.map((text) => JSON.parse(text));
  const [a, b] = packed.map((text) => unpackShared(JSON.parse(text), table)) as unknown as {
    boot: object;
    nics: { on: object }[];
  }[];
  expect(a?.boot).toBe(b?.boot);
  expect(a?.nics[0]?.on).toBe(b?.nics[0]?.on);
  expect(writer.table).toHaveLength(2);
});
