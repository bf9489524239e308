import fc from "fast-check";
import { expect, test } from "vitest";
import { SeenOutput } from "../../../src/commands/cli/console/seen-output.ts";

const lines = (from: number, to: number) =>
  Buffer.from(Array.from({ length: to - from }, (_, index) => `line ${from + index} of the guest\r\n`).join(""));

const inPieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );

test("of what is said again after a cut, only the new is shown", () => {
  fc.assert(
    fc.property(
      fc.nat(400),
      fc.nat(400),
      fc.nat(400),
      fc.integer({ min: 200, max: 5_000 }),
      (start, more, fresh, size) => {
        const seen = new SeenOutput();
        const before = lines(0, start + more + 2);
        for (const piece of inPieces(before, size)) seen.add(piece);
        seen.expectRepetition();
        // The agent remembers the last lines that were seen, and what was said meanwhile.
        const remembered = lines(start, start + more + 2 + fresh);
        const shown = inPieces(remembered, size).map((piece) => seen.add(piece));
        expect(Buffer.concat([...shown, seen.release()]).toString()).toBe(
          lines(start + more + 2, start + more + 2 + fresh).toString(),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test("what has nothing to do with what was seen is shown whole, once nothing more is waited for", () => {
  const seen = new SeenOutput();
  seen.add(lines(0, 10));
  seen.expectRepetition();
  expect(Buffer.from(seen.add(Buffer.from("another guest"))).toString()).toBe("");
  expect(seen.isHolding).toBe(true);
  expect(Buffer.from(seen.release()).toString()).toBe("another guest");
  expect(seen.isHolding).toBe(false);
});

test("more than an agent can remember is not waited for", () => {
  const seen = new SeenOutput();
  seen.add(lines(0, 10));
  seen.expectRepetition();
  const flood = Buffer.alloc(129 * 1024, "x");
  expect(seen.add(flood)).toHaveLength(flood.length);
});

test("too little was seen to be recognised: it is shown again rather than something else left out", () => {
  const seen = new SeenOutput();
  seen.add(Buffer.from("login: "));
  seen.expectRepetition();
  expect(Buffer.from(seen.add(Buffer.from("login: "))).toString()).toBe("login: ");
});
