/**
 * From a place to a fleet: where the manifests are → their texts → what they say.
 *
 *   source/ → manifest/ → [read-fleet.ts] → plan-fleet.ts, commands
 */
import { resolve } from "node:path";
import { readManifests } from "../manifest/read-manifests.ts";
import type { Diagnostic } from "../manifest/text/diagnostic.ts";
import { renderDiagnostics } from "../manifest/text/render-diagnostics.ts";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { type KeptReading, restoreReading } from "../manifest/vm/kept-reading.ts";
import type { ReadingMemory } from "../manifest/vm/reading-memory.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import type { Digest } from "../model/names.ts";
import type { VmSpec } from "../model/vm-spec.ts";
import { codeDigest } from "../platform/code-digest.ts";
import { type KeptReadingFile, openKeptReading } from "../source/kept-reading-file.ts";
import { openParseCache } from "../source/parse-cache-file.ts";
import { readFolder } from "../source/read-folder.ts";
import type { Repository } from "../source/repository.ts";
import { refuseEmpty, type Source } from "../source/source.ts";

export type FleetLocation =
  | { readonly kind: "folder"; readonly path: string }
  /** `ref` null: the repository's default branch. `path` null: its root. */
  | { readonly kind: "git"; readonly url: string; readonly ref: string | null; readonly path: string | null };

/** Manifests without errors. */
export interface Fleet {
  readonly desired: DesiredState;
  /** For people: the folder, or repository and ref. */
  readonly source: string;
  readonly commit: string | null;
  readonly warnings: readonly Diagnostic[];
  readonly warningsText: string;
  readonly specs: FleetReading["specs"];
  readonly texts: FleetReading["texts"];
}

export interface FleetReading {
  readonly texts: readonly ManifestText[];
  readonly source: string;
  readonly commit: string | null;
  /** Null exactly when a diagnostic is an error. */
  readonly desired: DesiredState | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Those of the desired VMs, by the digest of their JSON: what agents report of them can be the same objects. */
  readonly specs: ReadonlyMap<Digest, VmSpec>;
}

/** Rejects with SOURCE_UNREADABLE, SOURCE_REF_NOT_FOUND or SOURCE_EMPTY; mistakes in the manifests are in the reading. */
export async function readFleet(
  location: FleetLocation,
  signal: AbortSignal,
  memory: ReadingMemory | null = null,
): Promise<FleetReading> {
  return await readTexts(readSource(location, signal, memory), placeOf(location), memory);
}

/** `place`: what is kept of a fleet goes by. */
async function readTexts(reading: Promise<Source>, place: string, memory: ReadingMemory | null): Promise<FleetReading> {
  if (memory !== null) return await readRemembering(reading, place, memory);
  const code = codeDigest("src/manifest", "src/model");
  const [source, kept] = await Promise.all([reading, openKeptReading(place, code)]);
  refuseEmpty(source);
  const { texts, commit, isDirty, description } = source;
  const restored = kept.reading && restoreReading(kept.reading, texts);
  const read = restored === null ? await readAnew(texts, place, code, kept) : { ...restored, kept: kept.reading };
  const specs = new Map(read.kept?.vms.map(({ specDigest, spec }) => [specDigest, spec]));
  const { desired, diagnostics } = read;
  return { texts, commit, source: isDirty ? `${description} (edited)` : description, desired, diagnostics, specs };
}

/** What is kept on disk is for other processes, and for the next one: once is enough. */
async function readRemembering(reading: Promise<Source>, place: string, memory: ReadingMemory): Promise<FleetReading> {
  const source = await reading;
  refuseEmpty(source);
  const { texts, commit, isDirty, description } = source;
  const code = memory.isEmpty ? codeDigest("src/manifest", "src/model") : null;
  const file = code === null ? null : openKeptReading(place, code);
  const parsed = code === null ? undefined : openParseCache(place, code);
  const { desired, diagnostics, keep, specs } = readManifests(texts, parsed, file?.reading ?? null, memory);
  await parsed?.save();
  const kept = file === null ? null : keep();
  if (kept !== null) await file?.save(kept);
  return {
    texts,
    commit,
    source: isDirty ? `${description} (edited)` : description,
    desired,
    diagnostics,
    specs: specs(),
  };
}

/** Parses what was never parsed here, resolves what is made from something else than last time, and keeps both for the next time. */
async function readAnew(
  texts: readonly ManifestText[],
  place: string,
  code: string,
  file: KeptReadingFile,
): Promise<Pick<FleetReading, "desired" | "diagnostics"> & { readonly kept: KeptReading | null }> {
  const parsed = openParseCache(place, code);
  const { desired, diagnostics, keep } = readManifests(texts, parsed, file.reading);
  await parsed.save();
  const kept = keep();
  if (kept !== null) await file.save(kept);
  return { desired, diagnostics, kept };
}

/** Credentials are no part of it. */
const placeOf = (location: FleetLocation): string =>
  JSON.stringify(location.kind === "folder" ? { ...location, path: resolve(location.path) } : location);

const readSource = async (
  location: FleetLocation,
  signal: AbortSignal,
  memory: ReadingMemory | null,
): Promise<Source> => {
  if (location.kind === "folder") return await readFolder(location.path, signal);
  const { url, ref, path } = location;
  // Only who reads a repository pays for loading what reads repositories.
  const { readGit } = await import("../source/read-git.ts");
  return await readGit({ repo: url, ref, path }, signal, undefined, memory);
};

/** As `readFleet`; rejects with MANIFEST_INVALID, too. `memory`: of who reads a fleet again and again. */
export async function loadFleet(
  location: FleetLocation,
  signal: AbortSignal,
  memory: ReadingMemory | null = null,
): Promise<Fleet> {
  return toFleet(await readFleet(location, signal, memory));
}

/**
 * As `loadFleet`, of a commit that is brought here when it is not. `path`: a folder in the repository; null: all of it. `shownAs`:
 * how people know the commit, such as its branch.
 */
export async function loadFleetAt(
  repository: Repository,
  commit: string,
  path: string | null,
  signal: AbortSignal,
  shownAs = commit.slice(0, 12),
  memory: ReadingMemory | null = null,
): Promise<Fleet> {
  const { readCommitOf } = await import("../source/read-commit.ts");
  const place = JSON.stringify({ kind: "commits", url: repository.url, path });
  return toFleet(await readTexts(readCommitOf(repository, { commit, path, shownAs }, signal, memory), place, memory));
}

function toFleet({ desired, diagnostics, texts, source, commit, specs }: FleetReading): Fleet {
  if (desired === null) throw invalid(diagnostics, texts, source);
  return {
    desired,
    source,
    commit,
    warnings: diagnostics,
    warningsText: renderDiagnostics(diagnostics, texts).trimEnd(),
    specs,
    texts,
  };
}

function invalid(diagnostics: readonly Diagnostic[], texts: readonly ManifestText[], source: string): OdoroboError {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const count = `${errors.length} ${errors.length === 1 ? "mistake" : "mistakes"} in the manifests of ${source}`;
  return new OdoroboError("MANIFEST_INVALID", `${count}\n\n${renderDiagnostics(errors, texts).trimEnd()}`);
}
