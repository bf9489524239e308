/**
 * What one text says on its own, before documents are looked at together: a function of the text alone, and plain JSON,
 * so that a process can keep it under the text's digest and never parse an unchanged file again.
 */
import type { ManifestDocument } from "../../model/documents.ts";
import type { DiagnosticCode } from "./diagnostic.ts";
import { DOCUMENT_SCHEMAS_DIGEST } from "./document-schemas.ts";

export interface ParsedFile {
  readonly documents: readonly ParsedDocument[];
  readonly problems: readonly Problem[];
  /** Some document could not be read so far as to know its name: what refers to nothing may mean that one. */
  readonly isIncomplete: boolean;
}

export type Kind = ManifestDocument["kind"];

export interface ParsedDocument {
  readonly kind: Kind;
  /** As written. */
  readonly value: unknown;
  /** What is left when what the schema refuses is taken away; null: nothing was refused, `value` is it. */
  readonly usable: unknown;
  /** Of `value`, packed by `places.ts`. */
  readonly places: string;
}

/** A diagnostic that does not know its file yet; offsets into the text. */
export interface Problem {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string | null;
  readonly start: number;
  readonly end: number;
}

/** Keyed by git blob id or another digest of the content. May forget; may not answer with what was set for another content. */
export interface ParseCache {
  get(contentDigest: string): ParsedFile | undefined;
  set(contentDigest: string, file: ParsedFile): void;
}

/** Raised when the shape of ParsedFile or the meaning of parsing changes: caches of another format are worth nothing. */
export const PARSE_FORMAT = `2-${DOCUMENT_SCHEMAS_DIGEST}`;
