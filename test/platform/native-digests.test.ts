/** Agents keep digests for years: whoever works them out, they are the same. */
import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOfText } from "../../src/model/digest.ts";
import { useNativeDigests } from "../../src/platform/native-digests.ts";

test("the platform's digests are the core's own, of any text", () => {
  const pure = (text: string) => digestOfText(text);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "binary-ascii" })), (text) => {
      // Half of a pair of code units is no UTF-8: both must put the same in its place.
      for (const each of [text, `${text}\ud800`, `\udc00${text}`]) expect(hash("sha256", each, "hex")).toBe(pure(each));
    }),
  );
  useNativeDigests();
  expect(digestOfText("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
