/** Manifests for tests: what a test does not say is there and right. */

import { type ManifestReading, readManifests } from "../../src/manifest/read-manifests.ts";
import type { Diagnostic } from "../../src/manifest/text/diagnostic.ts";
import type { ParseCache, ParsedFile } from "../../src/manifest/text/parsed-file.ts";
import type { ManifestText } from "../../src/manifest/text/source-document.ts";
import type { DesiredState, DesiredVm } from "../../src/model/desired-state.ts";

export const API = "apiVersion: odorobo.dev/v1";

export const aFleetDocument = (spec = ""): string => aDocument("Fleet", "test", spec);

/** `spec`: the lines below `spec:`, without indentation of their own. */
export function aDocument(kind: string, name: string, spec = "", metadata = ""): string {
  const more = metadata === "" ? "" : `\n${indent(metadata)}`;
  return `${API}\nkind: ${kind}\nmetadata:\n  name: ${name}${more}\n${spec === "" ? "" : `spec:\n${indent(spec)}\n`}`;
}

export const aVm = (name: string, spec = "boot: { kernel: 'builtin:tiny' }", metadata = ""): string =>
  aDocument("VirtualMachine", name, spec, metadata);

export const aNode = (name: string, labels = ""): string =>
  aDocument("Node", name, `address: http://${name}:8890`, labels === "" ? "" : `labels: ${labels}`);

export const textsOf = (files: Readonly<Record<string, string>>): ManifestText[] =>
  Object.entries(files).map(([path, text]) => ({ path, text, blobId: null }));

/** A fleet document is added. */
export const read = (files: Readonly<Record<string, string>>, cache?: ParseCache): ManifestReading =>
  readManifests(textsOf({ "_fleet.yaml": aFleetDocument(), ...files }), cache);

export function readWell(files: Readonly<Record<string, string>>): DesiredState {
  const { desired, diagnostics } = read(files);
  if (desired === null) throw new Error(`unexpected: ${diagnostics.map(describe).join("; ")}`);
  return desired;
}

export function vmOf(desired: DesiredState, name: string): DesiredVm {
  const vm = desired.vms.find((each) => each.name === name);
  if (vm === undefined) throw new Error(`no VM ${name}`);
  return vm;
}

/** `a.yaml:6:3 unknown-field: unknown field "cpu" (did you mean "cpus"?)`. */
export const describe = ({ file, line, column, code, message, hint }: Diagnostic): string =>
  `${file}:${line}:${column} ${code}: ${message}${hint === null ? "" : ` (${hint})`}`;

export const mistakesIn = (files: Readonly<Record<string, string>>): string[] => read(files).diagnostics.map(describe);

export function memoryCache(): ParseCache & { readonly files: Map<string, ParsedFile> } {
  const files = new Map<string, ParsedFile>();
  return { files, get: (key) => files.get(key), set: (key, file) => void files.set(key, file) };
}

const indent = (lines: string): string =>
  lines
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
