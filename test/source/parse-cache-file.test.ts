import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";
import { cacheFolder } from "../../src/platform/cache-folder.ts";
import { openParseCache } from "../../src/source/parse-cache-file.ts";
import { aFleetDocument, aVm, textsOf } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

/** Plain YAML is read again faster than from any cache. */
const notPlain = (text: string): string => `${text}# a tab:\t\n`;

const TEXTS = textsOf({
  "f.yaml": notPlain(aFleetDocument()),
  "a.yaml": notPlain(aVm("a")),
  "b.yaml": notPlain(aVm("b")),
});

/** Reads with the cache of this folder; answers how many files were parsed. */
async function parsedWith(folder: string, texts: readonly ManifestText[], version = "1.0.0"): Promise<number> {
  const cache = await openParseCache("a fleet", version, folder);
  let parsed = 0;
  const counting = {
    get: cache.get,
    set: (...args: Parameters<typeof cache.set>) => {
      parsed++;
      cache.set(...args);
    },
  };
  expect(readManifests(texts, counting).diagnostics).toEqual([]);
  await cache.save();
  return parsed;
}

async function cacheFile(folder: string): Promise<string> {
  const [name, ...others] = await readdir(join(folder, "parsed"));
  expect(others).toEqual([]);
  return join(folder, "parsed", name ?? "");
}

test("an unchanged file is never parsed twice by the library", async () => {
  await using folder = await aTempFolder();
  expect(await parsedWith(folder.path, TEXTS)).toBe(3);
  expect(await parsedWith(folder.path, TEXTS)).toBe(0);
  expect(
    await parsedWith(folder.path, [...TEXTS, ...textsOf({ "c.yaml": notPlain(aVm("c")), "d.yaml": aVm("d") })]),
  ).toBe(1);
  // Moved, not changed.
  expect(
    await parsedWith(
      folder.path,
      TEXTS.map((text) => ({ ...text, path: `moved/${text.path}` })),
    ),
  ).toBe(0);
});

test("what is no longer asked for is dropped", async () => {
  await using folder = await aTempFolder();
  await parsedWith(folder.path, TEXTS);
  await parsedWith(folder.path, TEXTS.slice(0, 2));
  expect(await parsedWith(folder.path, TEXTS)).toBe(1);
});

test("of another version, cut, changed or foreign: as good as not there, and replaced", async () => {
  await using folder = await aTempFolder();
  await parsedWith(folder.path, TEXTS);
  expect(await parsedWith(folder.path, TEXTS, "1.0.1")).toBe(3);
  const file = await cacheFile(folder.path);
  const whole = await readFile(file, "utf8");
  const spoilt = [
    "",
    "\n\n",
    "{}",
    whole.slice(0, -20),
    whole.replace('"name":"a"', '"name":"z"'),
    whole.replace("cache", "heap"),
    `${whole} `,
    "\0".repeat(100),
  ];
  for (const content of spoilt) {
    expect(content).not.toBe(whole);
    await writeFile(file, content);
    expect(await parsedWith(folder.path, TEXTS, "1.0.1")).toBe(3);
    expect(await parsedWith(folder.path, TEXTS, "1.0.1")).toBe(0);
  }
});

test("only its owner may read it: manifests may hold cloud-init texts", async () => {
  await using folder = await aTempFolder();
  await parsedWith(folder.path, TEXTS);
  expect((await stat(await cacheFile(folder.path))).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder.path, "parsed"))).mode & 0o777).toBe(0o700);
});

test("two at once leave a whole file, and nothing beside it", async () => {
  await using folder = await aTempFolder();
  await Promise.all(Array.from({ length: 8 }, (_, i) => parsedWith(folder.path, TEXTS.slice(0, 1 + (i % 3)))));
  await cacheFile(folder.path);
  expect(await parsedWith(folder.path, TEXTS.slice(0, 1))).toBe(0);
});

test("a place that cannot be written to costs time, not success", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "parsed"), "a file where the folder should be");
  expect(await parsedWith(folder.path, TEXTS)).toBe(3);
  await mkdir(join(folder.path, "other"));
  expect(await parsedWith(join(folder.path, "other"), TEXTS)).toBe(3);
});

test("where caches are", () => {
  expect(cacheFolder({ XDG_CACHE_HOME: "/var/cache/x" })).toBe("/var/cache/x/odorobo");
  expect(cacheFolder({ XDG_CACHE_HOME: "relative" })).toMatch(/\/\.cache\/odorobo$/);
  expect(cacheFolder({})).toMatch(/\/\.cache\/odorobo$/);
});
