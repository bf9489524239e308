/** A reading that remembers the one before is a reading from scratch, whatever was edited in between; and what was not is the same object. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ManifestReading, readManifests } from "../../src/manifest/read-manifests.ts";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";
import { ReadingMemory } from "../../src/manifest/vm/reading-memory.ts";
import { FIELD_POINTERS } from "../../src/model/fields.ts";
import { anyFleetTexts } from "../support/any-fleet-texts.ts";

type Texts = readonly ManifestText[];
type Edit = (texts: Texts, which: number, value: number, other: Texts) => Texts;

const edited = (texts: Texts, which: number, edit: (text: string) => string): Texts =>
  texts.map((each, index) => (index === which % texts.length ? { ...each, text: edit(each.text) } : each));

/** A line of one document that says this, to say that. */
const says =
  (from: RegExp, to: (value: number) => string): Edit =>
  (texts, which, value) =>
    edited(texts, which, (text) => text.replace(from, to(value)));

const EDITS: Readonly<Record<string, Edit>> = {
  nothing: (texts) => texts,
  "the same texts as new objects": (texts) => texts.map((each) => ({ ...each })),
  "a comment above": (texts, which) =>
    edited(texts, which, (text) => (text.startsWith("{") ? text : `# more\n${text}`)),
  "a size": says(/1GiB|64MiB|2GiB/, (value) => `${1 + (value % 2)}GiB`),
  "a rack": says(/rack: a\b|"rack": "a"/g, () => "rack: b"),
  "a name of a VM": says(/vm-0/, (value) => `vm-${value}`),
  "a profile": says(/p0|p1/, (value) => `p${value % 4}`),
  "a bridge": says(/br0/, (value) => `br${value}`),
  "a label": says(/app: (web|db)/, (value) => (value % 2 === 0 ? "app: web" : "app: db")),
  "the text of a file": (texts, _which, value) =>
    texts.map((each) => (each.path === "u.txt" ? { ...each, text: `#cloud-config\nn: ${value % 3}\n` } : each)),
  "a file is gone": (texts, which) => texts.filter((_, index) => index !== which % texts.length),
  "a file has another name": (texts, which) =>
    texts.map((each, index) => (index === which % texts.length ? { ...each, path: `z/${each.path}` } : each)),
  "a copy of a file": (texts, which) => [...texts, { ...texts[which % texts.length]!, path: "copy.yaml" }],
  "half a file": (texts, which) => edited(texts, which, (text) => text.slice(0, Math.floor(text.length / 2))),
  "a file that is none": (texts, which) => edited(texts, which, (text) => `${text}\n: [`),
  "another fleet's file": (texts, which, _value, other) =>
    edited(texts, which, () => other[which % other.length]!.text),
  "another fleet": (_texts, _which, _value, other) => other,
};

const anyEdits = fc.array(
  fc.record({
    what: fc.constantFrom(...Object.keys(EDITS)),
    which: fc.nat(20),
    value: fc.nat(5),
    /** It is taken back at once. */
    isTakenBack: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

/** All that anybody can see of a reading. */
function shown({ desired, diagnostics, specs, keep }: ManifestReading): string {
  const places = desired?.vms.map(({ name, whereIs }) => [name, FIELD_POINTERS.map((pointer) => whereIs(pointer))]);
  const files = desired === null ? [] : [...desired.files];
  return JSON.stringify([desired, places, files, diagnostics, [...specs()], keep()]);
}

test("remembering shows in no reading", () => {
  fc.assert(
    fc.property(anyFleetTexts, anyFleetTexts, anyEdits, (fleet, other, edits) => {
      const memory = new ReadingMemory();
      const check = (texts: Texts) =>
        expect(shown(readManifests(texts, undefined, null, memory))).toBe(shown(readManifests(texts)));
      let texts: Texts = fleet.texts;
      check(texts);
      for (const { what, which, value, isTakenBack } of edits) {
        if (texts.length === 0) return;
        const next = EDITS[what]!(texts, which, value, other.texts);
        check(next);
        if (isTakenBack) check(texts);
        else texts = next;
      }
    }),
    { numRuns: 60 },
  );
});

test("a VM that nobody touched is the same object, and so is its spec", () => {
  const document = (kind: string, name: string, spec: string) =>
    `apiVersion: odorobo.dev/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  const vm = (name: string, cpus: number) => ({
    path: `${name}.yaml`,
    text: document(
      "VirtualMachine",
      name,
      `{ cpus: ${cpus}, boot: { kernel: "builtin:tiny" }, nics: [{ name: eth0 }] }`,
    ),
    blobId: null,
  });
  const fleet = {
    path: "fleet.yaml",
    text: document("Fleet", "test", "{ defaults: { hypervisor: noop, memory: 64MiB, nics: [] } }"),
    blobId: null,
  };
  const memory = new ReadingMemory();
  const read = (...texts: ManifestText[]) => readManifests(texts, undefined, null, memory).desired;
  const first = read(fleet, vm("a", 1), vm("b", 1));
  const second = read(fleet, { ...vm("a", 1) }, vm("b", 2));
  expect(first?.vms[0]?.spec.nics[0]?.mac).toMatch(/:/);
  expect(second?.vms[0]).toBe(first?.vms[0]);
  expect(second?.vms[1]).not.toBe(first?.vms[1]);
  expect(second?.vms[1]?.spec.cpus.count).toBe(2);
});
