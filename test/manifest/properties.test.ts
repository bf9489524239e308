/** What holds for any fleet. */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { type ManifestReading, readManifests } from "../../src/manifest/read-manifests.ts";
import { FIELD_POINTERS } from "../../src/model/fields.ts";
import { anyFleetTexts } from "../support/any-fleet-texts.ts";
import { describe, memoryCache } from "../support/manifest-texts.ts";

// Many worlds on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const RUNS = { numRuns: 100 };

/** Everything that can be seen of a reading, places included. */
const seen = ({ desired, diagnostics }: ManifestReading) => ({
  diagnostics,
  digest: desired?.digest,
  vms: desired?.vms.map(({ whereIs, ...vm }) => ({ ...vm, places: FIELD_POINTERS.map(whereIs) })),
});

test("a valid fleet has no diagnostics, and all its VMs", () => {
  fc.assert(
    fc.property(anyFleetTexts, ({ texts, vms }) => {
      const { desired, diagnostics } = readManifests(texts);
      expect(diagnostics.map(describe)).toEqual([]);
      expect(desired?.vms).toHaveLength(vms);
    }),
    RUNS,
  );
});

test("the order of files means nothing", () => {
  fc.assert(
    fc.property(anyFleetTexts, fc.infiniteStream(fc.nat()), ({ texts }, dice) => {
      const shuffled = texts.map((text) => ({ text, key: dice.next().value ?? 0 })).sort((a, b) => a.key - b.key);
      expect(seen(readManifests(shuffled.map(({ text }) => text)))).toEqual(seen(readManifests(texts)));
    }),
    RUNS,
  );
});

test("what was parsed before and went through JSON means the same, mistakes and places included", () => {
  fc.assert(
    fc.property(anyFleetTexts, fc.nat(), fc.boolean(), ({ texts }, at, isBroken) => {
      const cut = texts.map((text, index) =>
        isBroken && index === at % texts.length ? { ...text, text: text.text.slice(0, at % 400) } : text,
      );
      const cold = memoryCache();
      const first = readManifests(cut, cold);
      const files = new Map(JSON.parse(JSON.stringify([...cold.files])) as [string, never][]);
      const warm = { get: (key: string) => files.get(key), set: () => expect.fail("parsed twice") };
      expect(seen(readManifests(cut, warm))).toEqual(seen(first));
      expect(seen(readManifests(cut))).toEqual(seen(first));
    }),
    RUNS,
  );
});

test("a planted typo is found where it stands", () => {
  fc.assert(
    fc.property(anyFleetTexts, fc.nat(), ({ texts }, choice) => {
      const keys = texts.flatMap(({ path, text }) =>
        path.endsWith(".yaml")
          ? [...text.matchAll(/(?<=^|[\s{,"])(shutdownGrace|runStrategy|hypervisor|metadata|protect)(?="?:)/gm)].map(
              (match) => ({ path, match }),
            )
          : [],
      );
      const planted = keys[choice % keys.length];
      if (planted === undefined) return;
      const { path, match } = planted;
      const typo = `${match[0].slice(0, -1)}x`;
      const broken = texts.map((text) =>
        text.path === path
          ? {
              ...text,
              text: `${text.text.slice(0, match.index)}${typo}${text.text.slice(match.index + match[0].length)}`,
            }
          : text,
      );
      const before = (texts.find((text) => text.path === path)?.text ?? "").slice(0, match.index);
      const line = before.split("\n").length;
      // In JSON the quote belongs to the key.
      const column = match.index - (before.lastIndexOf("\n") + 1) + 1 - (before.endsWith('"') ? 1 : 0);
      const found = readManifests(broken).diagnostics;
      expect(found).toContainEqual(
        expect.objectContaining({
          file: path,
          line,
          column,
          code: "unknown-field",
          hint: `did you mean "${match[0]}"?`,
        }),
      );
    }),
    RUNS,
  );
});

test("no text, however mangled, makes reading fail", () => {
  fc.assert(
    fc.property(
      anyFleetTexts,
      fc.nat(),
      fc.nat(),
      fc.string({
        unit: fc.constantFrom(
          "{",
          "}",
          "[",
          "]",
          ":",
          "-",
          " ",
          "\n",
          "\t",
          "'",
          '"',
          "&",
          "*",
          "!",
          "|",
          "#",
          "a",
          "%",
          "漢",
        ),
      }),
      ({ texts }, file, at, noise) => {
        const mangled = texts.map((text, index) => {
          if (index !== file % texts.length) return text;
          const place = at % (text.text.length + 1);
          return { ...text, text: text.text.slice(0, place) + noise + text.text.slice(place) };
        });
        const { desired, diagnostics } = readManifests(mangled);
        expect(desired === null).toBe(diagnostics.some(({ severity }) => severity === "error"));
        for (const { line, column, endColumn } of diagnostics) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(endColumn).toBeGreaterThan(column);
        }
      },
    ),
    { numRuns: 300 },
  );
});
