/**
 * Parses, on more than one core, what no cache knows: reading YAML is most of the first plan of a large fleet, and each text says
 * what it says by itself. What is not parsed here, for whatever reason, `readManifests` parses.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { isManifestPath } from "../manifest/read-manifests.ts";
import { parseFile } from "../manifest/text/parse-file.ts";
import type { ParseCache, ParsedFile } from "../manifest/text/parsed-file.ts";
import type { ManifestText } from "../manifest/text/source-document.ts";

/** Below that a worker has only just begun when all is done. */
const WORTH_IT = 1_000;
/** Each has a copy of the code and a heap of its own. */
const WORKERS_AT_MOST = 3;
const TEXTS_AT_A_TIME = 50;

/** `helpers`: workers beside this thread. Rejects with the signal's reason only. */
export async function parseTogether(
  texts: readonly ManifestText[],
  cache: ParseCache,
  signal: AbortSignal,
  helpers = Math.min(WORKERS_AT_MOST, availableParallelism() - 1),
): Promise<void> {
  const unknown = texts.filter(
    ({ path, blobId }) => isManifestPath(path) && blobId !== null && cache.get(blobId) === undefined,
  );
  if (unknown.length < WORTH_IT || helpers < 1) return;
  const left = [...unknown];
  const take = () => left.splice(0, TEXTS_AT_A_TIME);
  const keep = (done: readonly ManifestText[], parsed: readonly ParsedFile[]) => {
    for (const [index, { blobId }] of done.entries()) {
      const file = parsed[index];
      if (blobId !== null && file !== undefined) cache.set(blobId, file);
    }
  };
  const ended = Promise.withResolvers<void>();
  const workers = Array.from({ length: helpers }, () => help(take, keep, ended.promise));
  try {
    for (let mine = take(); mine.length > 0; mine = take()) {
      signal.throwIfAborted();
      keep(
        mine,
        mine.map(({ text }) => parseFile(text)),
      );
      await nextTurn();
    }
    await Promise.all(workers);
  } finally {
    ended.resolve();
    await Promise.all(workers);
  }
}

/** Resolves when nothing is left to take, or when the worker cannot go on: then what it was given is parsed by who misses it. */
async function help(
  take: () => readonly ManifestText[],
  keep: (done: readonly ManifestText[], parsed: readonly ParsedFile[]) => void,
  ended: Promise<void>,
): Promise<void> {
  // Sources run as they are, and compiled.
  const file = import.meta.url.endsWith(".ts") ? "./parse-worker.ts" : "./parse-worker.js";
  const worker = new Worker(new URL(file, import.meta.url));
  try {
    for (let given = take(); given.length > 0; given = take()) {
      worker.postMessage(given.map(({ text }) => text));
      const answer = await Promise.race([once(worker, "message"), ended]);
      if (answer === undefined) return;
      keep(given, JSON.parse(answer[0] as string) as ParsedFile[]);
    }
  } catch {
    // It died. Nothing is lost but time.
  } finally {
    await worker.terminate();
  }
}
