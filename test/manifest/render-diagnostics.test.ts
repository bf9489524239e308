import { expect, test } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { renderDiagnostics } from "../../src/manifest/text/render-diagnostics.ts";
import { showLine } from "../../src/manifest/text/secret-lines.ts";
import { SourceFile } from "../../src/manifest/text/source-document.ts";
import { aFleetDocument, aVm, textsOf } from "../support/manifest-texts.ts";

function screen(text: string): string {
  const texts = textsOf({ "_fleet.yaml": aFleetDocument(), "web.yaml": text });
  return renderDiagnostics(readManifests(texts).diagnostics, texts);
}

test("the line, a caret below the mistake, and what to do", () => {
  expect(
    screen(aVm("web", "size: 1GiB\nmemory: 64\ncpu: 2")),
  ).toBe(`web.yaml:7:11  error  memory must be a size such as 512MiB or 4GiB or a map, not a number
 7 │   memory: 64
   │           ^^
   hint: write a unit: 64MiB or 64GiB

web.yaml:8:3  error  unknown field "cpu"
 8 │   cpu: 2
   │   ^^^
   hint: did you mean "cpus"?
`);
});

test("the caret stands right below what was meant, also behind what is not shown, and behind tabs", () => {
  expect(screen(aVm("web", "size: 1GiB\nnics: [{ name: a, mac: '漢字é', network: front }] # x"))).toContain(`
 7 │   nics: [{ name: a, mac: …, network: front }] …
   │                                      ^^^^^\n`);
  expect(screen(aVm("web", "size: 1GiB\nready: { serial: '👍',\ttimeout: 1 }"))).toContain(`
 7 │   ready: { serial: …,\ttimeout: 1 }
   │                      \t         ^\n`);
});

test("a very long line does not fill the screen", () => {
  expect(screen(aVm("web", `size: 1GiB\nfoo: ${"x".repeat(5000)}`)).length).toBeLessThan(800);
});

const secrets = [
  ["text with a wrong indentation", "cloudInit:\n  userData: |\n  #cloud-config\n  password: hunter2"],
  ["text at the margin", "cloudInit:\n  userData: |\npassword: hunter2"],
  ["a wrong type", "cloudInit:\n  userData: { password: hunter2 }"],
  ["text on the line of the key", "cloudInit: { userData: hunter2, foo: 1 }"],
  ["broken quotes", 'cloudInit:\n  userData: "hunter2\n    hunter2'],
  ["an unknown field in cloudInit", "cloudInit:\n  password: hunter2"],
  ["an alias", "cloudInit:\n  userData: *hunter2"],
  ["a tag", "cloudInit:\n  userData: !hunter2 x"],
  ["keys in a list", "cloudInit:\n  networkConfig:\n    - hunter2"],
  ["the password of a disk's source", "disks:\n  - { name: data, source: 'iscsi://user%25hunter2@host/target/1' }"],
] as const;

test.each(secrets)("never shows cloud-init data or passwords: %s", (_, spec) => {
  const shown = screen(aVm("web", `size: 1GiB\n${spec}`));
  expect(shown).toMatch(/error/);
  expect(shown).not.toContain("hunter2");
});

test("still shows paths, keys and what stands after", () => {
  const shown = screen(aVm("web", "size: 1GiB\ncloudInit:\n  userData: ./none\n  sshKeys:\n    - ssh-foo\ngrup: x"));
  expect(shown).toContain("│     userData: ./none");
  expect(shown).toContain("│       - ssh-foo");
  expect(shown).toContain("│   grup: x");
});

test("nothing is shown of files that are not ours", () => {
  expect(screen("password: hunter2\n")).not.toContain("hunter2");
  expect(screen("password: [hunter2\n")).not.toContain("hunter2");
});

test.each(["---", "--- ", "...", "--- # next"])(
  "a line belongs to its own document: after %j nothing above counts",
  (mark) => {
    const lines = [
      "apiVersion: odorobo.dev/v1",
      "cloudInit:",
      "  userData: |",
      mark,
      "  kind: Node",
      "spec:",
      "  cpus: 2",
    ];
    const shown = (index: number) => showLine(lines, index, { code: "bad-value" })?.text ?? null;
    expect(shown(4)).toBe("  kind: Node");
    // What only looks like a mark is text of the document above.
    for (const text of ["---x", `    a ${mark}`]) {
      const within = lines.with(3, text).with(4, "    kind: Node");
      expect(showLine(within, 4, { code: "bad-value" }), text).toBeNull();
    }
  },
);

test.each([
  ["one line without an end", "abc", 1, 1, 4],
  ["one line without an end, beyond it", "abc", 1, 99, 4],
  ["the last of two lines", "ab\ncdef", 4, 99, 5],
  ["a line that has an end, over it", "ab\ncdef", 0, 5, 3],
  ["a line that has an end, nothing meant", "ab\ncdef", 0, 0, 3],
  ["blanks before the end", "ab  \ncd", 0, 4, 3],
  ["an empty line", "\n\nx", 1, 1, 2],
] as const)("where a span ends on its line: %s", (_, text, start, end, column) => {
  expect(new SourceFile({ path: "a", text, blobId: null }).endColumn(start, end)).toBe(column);
});
