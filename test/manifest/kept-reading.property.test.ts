/** What is kept of a reading never shows: with whatever is kept, a reading is what it would be without. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";
import { type KeptReading, restoreReading } from "../../src/manifest/vm/kept-reading.ts";
import { FIELD_POINTERS } from "../../src/model/fields.ts";
import { anyFleetTexts } from "../support/any-fleet-texts.ts";
import { aFleetDocument, aVm, textsOf } from "../support/manifest-texts.ts";

vi.setConfig({ testTimeout: 120_000 });

type Seen = Pick<ReturnType<typeof readManifests>, "desired" | "diagnostics">;

/** Everything that can be seen of a reading, places and texts included, as the very same text. */
function seen({ desired, diagnostics }: Seen): string {
  if (desired === null) return JSON.stringify(diagnostics);
  const { files, vms, fleet, nodes, groups, digest } = desired;
  const places = vms.map((vm) => FIELD_POINTERS.map(vm.whereIs));
  return JSON.stringify({ diagnostics, fleet, nodes, groups, digest, files: [...files], vms, places });
}

const throughJson = (kept: KeptReading | null): KeptReading | null => JSON.parse(JSON.stringify(kept));

/** As people edit: a word of one file, a file away, a text cut short. */
const anyEdit = fc.record({
  at: fc.nat(),
  how: fc.constantFrom(
    (text: string) => text.replace("64MiB", "96MiB"),
    (text: string) => text.replace(/app: \w+/, "app: other"),
    (text: string) => text.replace(/eth0/g, "eth9"),
    (text: string) => text.slice(0, text.length >> 1),
    (text: string) => `${text}\n# only said`,
    () => "",
  ),
});

const edited = (texts: readonly ManifestText[], { at, how }: { at: number; how: (text: string) => string }) =>
  texts.map((text, index) => (index === at % texts.length ? { ...text, text: how(text.text), blobId: null } : text));

test("the same texts give the same state back, and other texts do not", () => {
  fc.assert(
    fc.property(anyFleetTexts, anyEdit, ({ texts }, edit) => {
      const first = readManifests(texts);
      const kept = throughJson(first.keep());
      if (kept === null) return;
      const restored = restoreReading(kept, texts.toReversed());
      expect(restored && seen(restored)).toBe(seen(first));
      const others = edited(texts, edit);
      if (others.some(({ text }, index) => text !== texts[index]?.text))
        expect(restoreReading(kept, others)).toBe(null);
    }),
    { numRuns: 60 },
  );
});

test("after an edit, and with what is kept of another fleet, a reading is what it would be", () => {
  fc.assert(
    fc.property(anyFleetTexts, anyFleetTexts, anyEdit, ({ texts }, { texts: foreign }, edit) => {
      const others = edited(texts, edit);
      const without = seen(readManifests(others));
      for (const earlier of [texts, foreign]) {
        const kept = throughJson(readManifests(earlier).keep());
        expect(seen(readManifests(others, undefined, kept))).toBe(without);
      }
    }),
    { numRuns: 100 },
  );
});

test("a VM that is made from the same is taken over, one that is not is resolved again", () => {
  const files = { "f.yaml": aFleetDocument(), "a.yaml": aVm("a"), "b.yaml": aVm("b") };
  const kept = readManifests(textsOf(files)).keep() as KeptReading;
  // Not what the manifests say: only what was taken over can show it.
  const marked = { ...kept, vms: kept.vms.map((vm) => ({ ...vm, spec: { ...vm.spec, onDrain: "stop" as const } })) };
  const changed = { ...files, "b.yaml": aVm("b").replace("kind: VirtualMachine", "kind: VirtualMachine\n# said") };
  const drains = (texts: readonly ManifestText[]) =>
    readManifests(texts, undefined, marked).desired?.vms.map(({ spec }) => spec.onDrain);
  expect(drains(textsOf(changed))).toEqual(["stop", "stop"]);
  expect(drains(textsOf({ ...files, "b.yaml": aVm("b", "boot: { kernel: 'builtin:tiny' }\ncpus: 3") }))).toEqual([
    "stop",
    "migrate",
  ]);
});
