import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEscapeReader, parseEscapeKey } from "../../../src/commands/cli/console/escape-keys.ts";

/** What becomes of these keys, typed in these pieces: `ls`, `<leave>`. */
function typed(key: string, ...pieces: string[]): string {
  const read = createEscapeReader(parseEscapeKey(key));
  return pieces
    .flatMap((piece) => read(Buffer.from(piece, "latin1")))
    .map((act) => (act.kind === "send" ? Buffer.from(act.bytes).toString("latin1") : `<${act.kind}>`))
    .join("");
}

describe("a control key", () => {
  test("followed by a dot leaves; Ctrl-C and all else goes to the guest", () => {
    expect(typed("^]", "\u0003ls\r\u001d.")).toBe("\u0003ls\r<help><leave>");
  });
  test("typed twice is sent once", () => {
    expect(typed("^]", "a\u001d\u001db")).toBe("a<help>\u001db");
  });
  test("works in pieces, however the keys come", () => {
    expect(typed("^]", "a\u001d", ".")).toBe("a<help><leave>");
    expect(typed("^a", "\u0001", "s", "x")).toBe("<help><tell-size>x");
  });
  test("followed by what means nothing sends nothing, and helps", () => {
    expect(typed("^]", "\u001dx")).toBe("<help><help>");
    expect(typed("^]", "\u001dr")).toBe("<help><reset>");
  });
});

describe("a character", () => {
  test("counts where a line begins, as with ssh", () => {
    expect(typed("~", "~.")).toBe("<leave>");
    expect(typed("~", "ls ~.\r~.")).toBe("ls ~.\r<leave>");
  });
  test("typed twice is sent once; with what means nothing it is sent as it is", () => {
    expect(typed("~", "~~/x\r~/y\r~root")).toBe("~/x\r~/y\r~root");
    expect(typed("~", "~R\n~?")).toBe("<reset>\n<help>");
  });
});

test("with no key every byte is the guest's", () => {
  expect(typed("none", "\u001d.~.")).toBe("\u001d.~.");
});

test("what is not the key reaches the guest whole and in order, in whatever pieces it comes", () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((all) => all.filter((byte) => byte !== 0x1d));
  fc.assert(
    fc.property(fc.array(bytes), (pieces) => {
      const read = createEscapeReader(parseEscapeKey("^]"));
      const sent = pieces.flatMap((piece) => read(piece)).map((act) => (act.kind === "send" ? act.bytes : []));
      expect(Buffer.concat(sent.map((each) => Buffer.from(each)))).toEqual(Buffer.concat(pieces));
    }),
  );
});

test.each(["^M", "^J"])("%s is the Enter key and no escape", (key) => {
  expect(() => parseEscapeKey(key)).toThrow(/is the Enter key/);
});
test.each(["", "^1", "ab", "é", " "])("%j is no key", (key) => {
  expect(() => parseEscapeKey(key)).toThrow(/is not a key/);
});
