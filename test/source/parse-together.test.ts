import { expect, test } from "vitest";
import { parseFile } from "../../src/manifest/text/parse-file.ts";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";
import { parseTogether } from "../../src/source/parse-together.ts";
import { aVm, memoryCache } from "../support/manifest-texts.ts";

const NEVER = new AbortController().signal;

/** More than are worth a worker, with mistakes in some. */
const TEXTS: readonly ManifestText[] = Array.from({ length: 1_200 }, (_, index) => ({
  path: `vm-${index}.yaml`,
  text: index % 50 === 0 ? "kind: [" : aVm(`vm-${index}`, index % 7 === 0 ? "cpu: 2" : "cpus: 2"),
  blobId: `id-${index}`,
}));

test("several threads parse what one would, mistakes included", async () => {
  const cache = memoryCache();
  await parseTogether(TEXTS, cache, NEVER, 2);
  expect(cache.files.size).toBe(TEXTS.length);
  for (const { text, blobId } of TEXTS) expect(cache.files.get(blobId ?? "")).toEqual(parseFile(text));
});

test("a few texts, or a single core, are nobody's business but the reader's", async () => {
  const cache = memoryCache();
  await parseTogether(TEXTS.slice(0, 900), cache, NEVER, 2);
  await parseTogether(TEXTS, cache, NEVER, 0);
  expect(cache.files.size).toBe(0);
});

test("who gives up leaves no worker behind", async () => {
  const controller = new AbortController();
  const cache = memoryCache();
  const set = (...entry: Parameters<typeof cache.set>) => {
    cache.set(...entry);
    controller.abort();
  };
  await expect(parseTogether(TEXTS, { get: cache.get, set }, controller.signal, 2)).rejects.toMatchObject({
    name: "AbortError",
  });
  expect(process.getActiveResourcesInfo().filter((name) => name === "Worker")).toEqual([]);
});
