/** What may be a secret is in no message, hint or line, wherever it was put and however the file was mangled. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { renderDiagnostics } from "../../src/manifest/text/render-diagnostics.ts";
import { KIND_SCHEMAS, placesIn, valueAt, wholeDocument, withValue } from "../support/any-place.ts";
import { aFleetDocument, textsOf } from "../support/manifest-texts.ts";

vi.setConfig({ testTimeout: 120_000 });

/** A capital, so that it is no name: names are in every plan. */
const secret = fc.constantFrom(
  "Hunter2hunter2",
  "Zq7#kP!xW9",
  "ghp_S3cretS3cretS3cret",
  "correct Horse battery",
  "AKIA0123456789ABCDEF",
  "c2VjcmV0LVNlY3JldA==",
  "Tr0ub4dor&3",
  "S3cret/With/Slashes",
  "host.S3cret.example",
);

type Plant = (value: unknown, secret: string, random: number) => unknown;

const typo = (value: unknown, random: number): string => {
  const keys = Object.keys((value ?? {}) as object);
  const key = keys[random % Math.max(1, keys.length)] ?? "userData";
  const word = [key.toLowerCase(), key.slice(0, -1), `${key}x`, key.toUpperCase()][random % 4] ?? key;
  // A word of ours: who a guest is may be shown.
  return word === "instance" ? `${key}x` : word;
};

/** What is put at a place, or beside what is there. */
const PLANTS: readonly Plant[] = [
  (_, word) => word,
  (_, word) => [word],
  (_, word) => ({ [word]: 1 }),
  (_, word) => ({ name: word, id: word, path: word }),
  (_, word) => ({ password: word }),
  (_, word) => [[{ list: [word] }]],
  (_, word) => `#cloud-config\npassword: ${word}\nchpasswd: { list: "root:${word}" }\n`,
  (_, word) => `tag ${word} and more`,
  (_, word) => `./${word} --password`,
  (value, word) => (isMap(value) ? { ...value, [word]: word } : { [word]: value }),
  (value, word, random) => (isMap(value) ? { ...value, [typo(value, random)]: word } : word),
  (value, word, random) => (isMap(value) ? { ...value, [typo(value, random)]: { [word]: word } } : [word]),
  (value, word) =>
    Array.isArray(value) ? [...value, word, word] : { userdata: word, userData: word, annotations: word },
];

const isMap = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);

const WAYS: readonly ((value: unknown) => string)[] = [
  (value) => stringify(value),
  (value) => stringify(value, { indent: 4, indentSeq: false }),
  (value) => stringify(value, { collectionStyle: "flow" }),
  (value) => stringify(value, { defaultStringType: "QUOTE_DOUBLE" }),
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, null, 2),
];

type Mangle = (text: string, random: number) => string;

const onLine =
  (change: (line: string, random: number) => string): Mangle =>
  (text, random) => {
    const lines = text.split("\n");
    return lines.map((line, index) => (index === random % lines.length ? change(line, random) : line)).join("\n");
  };

const MANGLES: readonly Mangle[] = [
  (text) => text,
  onLine((line) => ` ${line}`),
  onLine((line) => line.slice(2)),
  onLine((line) => line.trimStart()),
  onLine((line) => `\t${line}`),
  onLine((line) => line.replace(":", "")),
  onLine((line) => line.replace(/["']/, "")),
  onLine((line) => `${line}"`),
  onLine((line) => line.replace(": ", ": *")),
  onLine((line) => line.replace(": ", ": !")),
  onLine((line) => line.replace(": ", ": &")),
  onLine((line) => line.replace(": ", ": @")),
  onLine((line) => line.replace(": ", ": ? ")),
  onLine((line) => `${line} # comment`),
  onLine((line) => `<<<<<<< ${line}`),
  onLine((line) => `${line}\n${line}`),
  onLine((line) => line.replace(/[|>].*$/, "")),
  (text, random) => text.slice(0, random % (text.length + 1)),
  (text, random) => text.slice(0, random % (text.length + 1)) + text.slice((random % (text.length + 1)) + 1),
  (text) => text.replaceAll(/^ +/gm, "  "),
  (text) => text.replace("odorobo.dev/v1", "odorobo.dev/v2"),
];

function told(text: string): string {
  const texts = textsOf({ "_fleet.yaml": aFleetDocument(), "a.yaml": text });
  const { diagnostics } = readManifests(texts);
  return `${renderDiagnostics(diagnostics, texts)}\n${JSON.stringify(diagnostics)}`;
}

const DOCUMENTS = KIND_SCHEMAS.map((file) => wholeDocument(file));

test("a secret anywhere, in a file that is mangled in some way, is shown nowhere", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...DOCUMENTS),
      fc.nat(),
      fc.constantFrom(...PLANTS),
      secret,
      fc.constantFrom(...WAYS),
      fc.constantFrom(...MANGLES),
      fc.nat(),
      (document, where, plant, word, write, mangle, random) => {
        const places = placesIn(document);
        const place = places[where % places.length] ?? [];
        const planted = withValue(document, place, plant(valueAt(document, place), word, random));
        const text = mangle(write(planted), random);
        const shown = told(text).toLowerCase();
        // The whole would fill the screen, and say it all again.
        const lines = shown.split("\n").filter((line) => line.includes(word.toLowerCase()));
        expect(lines).toEqual([]);
      },
    ),
    { numRuns: 3_000 },
  );
});

test.each([
  ["a typo in userData's key", "cloudInit: { userdata: Hunter2 }"],
  ["a text for the whole section", 'cloudInit: "#cloud-config\\npassword: Hunter2"'],
  ["a block for the whole section", "cloudInit: |\n  #cloud-config\n  password: Hunter2"],
  ["a list of texts", "cloudInit:\n  userData:\n    - name: hunter2"],
  ["a key in the wrong case around it", "cloudinit:\n  userdata: |\n    #cloud-config\n    password: Hunter2"],
  ["a wrong type in a passthrough", "cloudHypervisor: { rng: Hunter2, platform: { oem_strings: Hunter2 } }"],
  ["an unknown value in a passthrough", "cloudHypervisor: { serial: { mode: Hunter2 } }"],
])("%s", (_, spec) => {
  const text = `apiVersion: odorobo.dev/v1\nkind: VirtualMachine\nmetadata: { name: a }\nspec:\n  size: 1GiB\n${spec
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n")}\n`;
  const shown = told(text);
  expect(shown).toMatch(/error/);
  expect(shown.toLowerCase()).not.toContain("hunter2");
});
