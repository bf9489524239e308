/**
 * The text of a gateway's file → what it says, or everything that is wrong with it.
 *
 *   text → text/parse-file.ts → schema → [read-gateway-file.ts], cross-checks.ts → GatewayFile
 *
 * Pure. Whether the files that it names are there is looked at by `gateway/service/file/`.
 */
import type { ValidateFunction } from "ajv/dist/2020.js";
import { explain } from "../text/check-schema.ts";
import { compileDocument } from "../text/compile-documents.ts";
import { type Diagnostic, hasErrors, sortDiagnostics } from "../text/diagnostic.ts";
import type { GatewayFile } from "../text/gateway-schema.ts";
import { readDocuments } from "../text/parse-file.ts";
import { findPlace, type Segments } from "../text/places.ts";
import { SourceFile } from "../text/source-document.ts";
import { crossChecks } from "./cross-checks.ts";
import type { GatewayFinding } from "./gateway-finding.ts";

export interface GatewayReading {
  /** Null exactly when a diagnostic is an error. */
  readonly file: GatewayFile | null;
  /** As written, mistakes and all. */
  readonly written: unknown;
  /** By line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** A finding about one of its values, as a diagnostic; about the nearest one around it when there is none. */
  readonly diagnose: (at: Segments, finding: GatewayFinding) => Diagnostic;
}

/** `path`: as people know it. */
export function readGatewayFile(text: string, path: string): GatewayReading {
  const source = new SourceFile({ path, text, blobId: null });
  const { documents, problems } = readDocuments(text);
  const found = problems.map((problem) => source.toDiagnostic(problem));
  const [first, second] = documents.filter(({ value }) => value !== null);
  const nowhere = () => source.toDiagnostic({ ...EMPTY, start: 0, end: 1 });
  if (first === undefined) {
    const diagnostics = found.length > 0 ? found : [nowhere()];
    return { file: null, written: null, diagnostics, diagnose: nowhere };
  }

  const { value, places } = first;
  const diagnose = (at: Segments, { severity = "error", ...finding }: GatewayFinding): Diagnostic => {
    const place = nearestPlace(value, places, at);
    const isKey = place.keyEnd > place.keyStart && !source.startsOnKeyLine(place);
    const [start, end] = isKey ? [place.keyStart, place.keyEnd] : [place.start, place.end];
    return source.toDiagnostic({ ...finding, start, end }, severity);
  };
  for (const problem of first.problems) found.push(source.toDiagnostic(problem));
  if (second !== undefined) {
    const start = findPlace(second.value, second.places, [])?.start ?? 0;
    found.push(source.toDiagnostic({ ...SECOND, start, end: start }));
  }
  const validate = validator();
  if (!validate(value)) {
    for (const problem of explain(validate.errors ?? [], value, places)) found.push(source.toDiagnostic(problem));
  } else {
    for (const { at, ...finding } of crossChecks(value as GatewayFile)) found.push(diagnose(at, finding));
  }
  const diagnostics = sortDiagnostics(found);
  return { file: hasErrors(diagnostics) ? null : (value as GatewayFile), written: value, diagnostics, diagnose };
}

const EMPTY = {
  code: "missing-field",
  message: "this says nothing",
  hint: "kind: Gateway, and fleets with a name and a repository: odorobo schema --of gateway says what there is",
} as const;

const SECOND = {
  code: "conflicting-fields",
  message: "a second document",
  hint: "a gateway's file is one document: move its fleets into the first one",
} as const;

function nearestPlace(value: unknown, places: string, at: Segments) {
  for (let length = at.length; length >= 0; length--) {
    const place = findPlace(value, places, at.slice(0, length));
    if (place !== null) return place;
  }
  return { keyStart: 0, keyEnd: 0, start: 0, end: 1 };
}

let compiled: ValidateFunction | null = null;

function validator(): ValidateFunction {
  compiled ??= compileDocument("gateway");
  return compiled;
}
