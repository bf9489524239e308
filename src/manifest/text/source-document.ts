/** A document with the text it came from: what can still say where each of its values stands, long after parsing. */
import type { ManifestDocument } from "../../model/documents.ts";
import type { Diagnostic, DiagnosticCode } from "./diagnostic.ts";
import type { ParsedDocument, ParsedFile, Problem } from "./parsed-file.ts";
import { findPlace, type Place, type Segments } from "./places.ts";

export interface ManifestText {
  /** Relative to the source's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Git blob id or another digest of the text; null: not known. */
  readonly blobId: string | null;
}

const BLANKS_AT_MOST = 1000;

export class SourceFile {
  readonly path: string;
  readonly #text: string;
  #lineStarts: readonly number[] | undefined;

  constructor({ path, text }: ManifestText) {
    this.path = path;
    this.#text = text;
  }

  get length(): number {
    return this.#text.length;
  }

  /** Counted only for files that are asked: of ten thousand, a handful. */
  position(offset: number): { readonly line: number; readonly column: number } {
    this.#lineStarts ??= lineStartsOf(this.#text);
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#lineStarts[low] ?? 0) + 1 };
  }

  /** The end on the line where the span begins: carets do not go over lines. What has no end ends with the line. */
  endColumn(start: number, end: number): number {
    const { line, column } = this.position(start);
    const next = this.#lineStarts?.[line];
    const lineEnd = next === undefined ? this.#text.length : next - 1;
    let last = end <= start ? lineEnd : Math.min(end, lineEnd);
    // What has an end of its own has no blanks there, but for a few.
    for (let left = BLANKS_AT_MOST; left > 0 && last > start + 1 && /\s/.test(this.#text[last - 1] ?? "x"); left--)
      last--;
    return column + Math.max(1, last - start);
  }

  /** A block below its key is better pointed at by the key. */
  startsOnKeyLine({ keyEnd, start }: Place): boolean {
    return start <= keyEnd || !this.#text.slice(keyEnd, start).includes("\n");
  }

  toDiagnostic(problem: Problem, severity: Diagnostic["severity"] = "error"): Diagnostic {
    const { code, message, hint, start, end } = problem;
    const position = this.position(start);
    return { severity, file: this.path, ...position, endColumn: this.endColumn(start, end), code, message, hint };
  }
}

export interface SourceDocument<Content extends ManifestDocument = ManifestDocument> {
  readonly file: SourceFile;
  /** Among the documents of its file. */
  readonly index: number;
  readonly content: Content;
  readonly parsed: ParsedDocument;
  /** Parts of it were refused: what seems to be missing may be one of them. */
  readonly isBroken: boolean;
}

export const toDocuments = (file: SourceFile, { documents }: ParsedFile): SourceDocument[] =>
  documents.map((parsed, index) => ({
    file,
    index,
    parsed,
    content: (parsed.usable ?? parsed.value) as ManifestDocument,
    isBroken: parsed.usable !== null,
  }));

/** What is wrong with a document in the light of the others. */
export interface Finding {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string | null;
  readonly severity?: Diagnostic["severity"];
}

/** Points at the value, or, for blocks below their key and when asked, at the key. Falls back to what is around it. */
export function diagnose(
  document: SourceDocument,
  at: Segments,
  finding: Finding,
  points: "key" | "value" = "value",
): Diagnostic {
  const place = placeOf(document, at);
  const isKey = place.keyEnd > place.keyStart && (points === "key" || !document.file.startsOnKeyLine(place));
  const [start, end] = isKey ? [place.keyStart, place.keyEnd] : [place.start, place.end];
  return document.file.toDiagnostic({ ...finding, start, end }, finding.severity);
}

/** Of a value, or of the nearest thing around it that is written. */
export function placeOf({ parsed }: SourceDocument, at: Segments): Place {
  for (let length = at.length; length >= 0; length--) {
    const place = findPlace(parsed.value, parsed.places, at.slice(0, length));
    if (place !== null) return place;
  }
  return { keyStart: 0, keyEnd: 0, start: 0, end: 1 };
}

/** `web.yaml:12`, for messages that name the other place. */
export function whereNamed(document: SourceDocument): string {
  const { start } = placeOf(document, ["metadata", "name"]);
  return `${document.file.path}:${document.file.position(start).line}`;
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let index = text.indexOf("\n"); index !== -1; index = text.indexOf("\n", index + 1)) starts.push(index + 1);
  return starts;
}

/** Takes a finding about a value of the merged spec: `["disks", "root", "size"]`. */
export type ReportField = (at: Segments, finding: Finding) => void;
