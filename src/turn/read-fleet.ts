/**
 * From a place to a fleet: where the manifests are → their texts → what they say.
 *
 *   source/ → manifest/ → [read-fleet.ts] → plan-fleet.ts, commands
 */
import { resolve } from "node:path";
import type { Diagnostic } from "../manifest/diagnostic.ts";
import { readManifests } from "../manifest/read-manifests.ts";
import { renderDiagnostics } from "../manifest/render-diagnostics.ts";
import type { ManifestText } from "../manifest/source-document.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { OdoroboError } from "../model/errors.ts";
import { packageVersion } from "../platform/package-version.ts";
import { openParseCache, type ParseCacheFile } from "../source/parse-cache-file.ts";
import { readFolder } from "../source/read-folder.ts";
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
}

export interface FleetReading {
  readonly texts: readonly ManifestText[];
  readonly source: string;
  readonly commit: string | null;
  /** Null exactly when a diagnostic is an error. */
  readonly desired: DesiredState | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Rejects with SOURCE_UNREADABLE, SOURCE_REF_NOT_FOUND or SOURCE_EMPTY; mistakes in the manifests are in the reading. */
export async function readFleet(location: FleetLocation, signal: AbortSignal): Promise<FleetReading> {
  const [source, cache] = await Promise.all([readSource(location, signal), openCache(location)]);
  refuseEmpty(source);
  const { desired, diagnostics } = readManifests(source.texts, cache);
  await cache.save();
  const { texts, commit, isDirty, description } = source;
  return { texts, commit, source: isDirty ? `${description} (edited)` : description, desired, diagnostics };
}

const readSource = async (location: FleetLocation, signal: AbortSignal): Promise<Source> => {
  if (location.kind === "folder") return await readFolder(location.path, signal);
  const { url, ref, path } = location;
  // Only who reads a repository pays for loading what reads repositories.
  const { readGit } = await import("../source/read-git.ts");
  return await readGit({ repo: url, ref, path }, signal);
};

/** One for each place: what was parsed there once is not parsed again while the file is the same. */
const openCache = (location: FleetLocation): Promise<ParseCacheFile> =>
  openParseCache(
    JSON.stringify(location.kind === "folder" ? { ...location, path: resolve(location.path) } : location),
    packageVersion(),
  );

/** As `readFleet`; rejects with MANIFEST_INVALID, too. */
export async function loadFleet(location: FleetLocation, signal: AbortSignal): Promise<Fleet> {
  const { desired, diagnostics, texts, source, commit } = await readFleet(location, signal);
  if (desired === null) throw invalid(diagnostics, texts, source);
  return {
    desired,
    source,
    commit,
    warnings: diagnostics,
    warningsText: renderDiagnostics(diagnostics, texts).trimEnd(),
  };
}

function invalid(diagnostics: readonly Diagnostic[], texts: readonly ManifestText[], source: string): OdoroboError {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const count = `${errors.length} ${errors.length === 1 ? "mistake" : "mistakes"} in the manifests of ${source}`;
  return new OdoroboError("MANIFEST_INVALID", `${count}\n\n${renderDiagnostics(errors, texts).trimEnd()}`);
}
