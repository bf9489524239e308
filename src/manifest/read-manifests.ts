/**
 * The texts of a fleet → its DesiredState, or everything that is wrong with them.
 *
 *   texts → parse-file.ts → catalog.ts → resolve-vms.ts, build-fleet.ts → [read-manifests.ts] → DesiredState
 *
 * Pure: the same texts, in whatever order, give the same answer, with a cache and without.
 */
import type { DesiredState, DesiredVm } from "../model/desired-state.ts";
import { digestOf, digestOfText } from "../model/digest.ts";
import { byName, type Digest } from "../model/names.ts";
import { referencedFiles, type VmSpec } from "../model/vm-spec.ts";
import { buildFleet, buildGroups, buildNodes, checkNetworksAndImages } from "./build-fleet.ts";
import { type Diagnostic, hasErrors, sortDiagnostics } from "./text/diagnostic.ts";
import { API_VERSION, parseFile, parsePlain } from "./text/parse-file.ts";
import type { ParseCache, ParsedFile } from "./text/parsed-file.ts";
import type { ManifestText } from "./text/source-document.ts";
import { Catalog } from "./vm/catalog.ts";
import { type KeptReading, keepReading, resolvedBefore } from "./vm/kept-reading.ts";
import { type ReadingMemory, readFile } from "./vm/reading-memory.ts";
import { resolveVms, toDesired } from "./vm/resolve-vms.ts";
import { UserTexts } from "./vm/user-texts.ts";

export interface ManifestReading {
  /** Null exactly when a diagnostic is an error. */
  readonly desired: DesiredState | null;
  /** By file, line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** What is worth keeping of it for the next reading; null when there are mistakes. */
  readonly keep: () => KeptReading | null;
  /** Of the desired VMs, by the digest of their JSON. */
  readonly specs: () => ReadonlyMap<Digest, VmSpec>;
}

export const isManifestPath = (path: string): boolean => /\.ya?ml$/.test(path);

/** `kept`: of an earlier reading, by the same code, of whatever texts. `memory`: of who reads a fleet again and again. */
export function readManifests(
  texts: readonly ManifestText[],
  cache?: ParseCache,
  kept: KeptReading | null = null,
  memory: ReadingMemory | null = null,
): ManifestReading {
  const files = [...texts].sort((a, b) => byName(a.path, b.path)).filter(({ path }) => isManifestPath(path));
  const parsedFiles =
    memory?.files(files, texts, (text) => parse(text, cache)) ??
    files.map((text) => readFile(text, parse(text, cache)));
  const found: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic) => void found.push(diagnostic);

  const isIncomplete = parsedFiles.some(({ parsed }) => parsed.isIncomplete);
  const documents = parsedFiles.flatMap((each) => each.documents);
  const catalog = new Catalog(documents, isIncomplete, report);
  const userTexts = new UserTexts(texts);
  const fleet = buildFleet(catalog, report);
  // What is missing because it could not be read may be what a VM was checked against.
  const before = kept === null || isIncomplete ? () => undefined : resolvedBefore(kept);
  const built = resolveVms(catalog, fleet?.name ?? "", { texts: userTexts, report, before, memory });
  const vms = built.map((vm) => (memory === null ? toDesired(vm) : memory.desired(vm, () => toDesired(vm))));
  const nodes = buildNodes(catalog, report);
  const groups = buildGroups(catalog, report);
  checkNetworksAndImages(catalog, report);

  for (const { file, parsed } of parsedFiles) {
    // Network configurations and templates are YAML too, and none of our business.
    if (parsed.documents.length === 0 && userTexts.isReferred(file.path)) continue;
    for (const problem of parsed.problems) report(file.toDiagnostic(problem));
  }
  if (fleet === null && !isIncomplete) report(missingFleet(files[0]?.path ?? "."));

  const diagnostics = sortDiagnostics(found);
  if (fleet === null || hasErrors(diagnostics))
    return { desired: null, diagnostics, keep: () => null, specs: () => new Map() };
  const content = { fleet, nodes, groups, files: filesOf(vms, userTexts) };
  const desired = { ...content, vms, digest: digestAll(content, vms, memory) };
  const digestOfSpec = (spec: VmSpec) => memory?.digestOfSpec(spec) ?? digestOfText(JSON.stringify(spec));
  return {
    desired,
    diagnostics,
    keep: () => keepReading(texts, desired, built, userTexts, diagnostics),
    specs: () => new Map(vms.map(({ spec }) => [digestOfSpec(spec), spec])),
  };
}

function parse(text: ManifestText, cache: ParseCache | undefined): ParsedFile {
  const plain = parsePlain(text.text);
  if (plain !== null) return plain;
  if (cache === undefined) return parseFile(text.text);
  const key = text.blobId ?? digestOfText(text.text);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const parsed = parseFile(text.text);
  cache.set(key, parsed);
  return parsed;
}

/** A default name would make two repositories one fleet, and each would delete the other's VMs. */
const missingFleet = (file: string): Diagnostic => ({
  severity: "error",
  file,
  line: 1,
  column: 1,
  endColumn: 2,
  code: "missing-fleet",
  message: "no document says which fleet this is",
  hint: `add one, unique among your repositories: { apiVersion: ${API_VERSION}, kind: Fleet, metadata: { name: home } }`,
});

function filesOf(vms: readonly DesiredVm[], texts: UserTexts): ReadonlyMap<Digest, string> {
  const digests = new Set(vms.flatMap(({ spec }) => referencedFiles(spec)));
  return new Map([...digests].sort(byName).map((digest) => [digest, texts.text(digest) ?? ""]));
}

/** One VM at a time, because a text of all of them would be large. Files are in it by the digests in the specs. Specs are built with their keys in one order, so plain JSON is canonical. */
function digestAll(
  content: Omit<DesiredState, "vms" | "digest">,
  vms: readonly DesiredVm[],
  memory: ReadingMemory | null,
): Digest {
  const ofVms = vms.map((vm) => (memory === null ? digestOfVm(vm) : memory.digestOfVm(vm, () => digestOfVm(vm))));
  const { fleet, nodes, groups } = content;
  return digestOf({ ...withoutPlaces({ fleet, nodes, groups }), vms: ofVms });
}

const digestOfVm = ({ name, spec, placement, windows, ignore }: DesiredVm): Digest =>
  digestOfText(JSON.stringify([name, spec, placement, ignore, ...(windows === undefined ? [] : [windows])]));

/** The same content on another line is the same content. A label may be called source: that is a text. */
const withoutPlaces = (content: object): object =>
  JSON.parse(
    JSON.stringify(content, (key, value: unknown) =>
      key === "source" && typeof value === "object" ? undefined : value,
    ),
  ) as object;
