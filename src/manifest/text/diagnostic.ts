/**
 * A mistake in the manifests, as a value: what, where, and what to do about it. All of them are found in one reading;
 * none is thrown. `render-diagnostics.ts` shows them.
 */
import { byName } from "../../model/names.ts";

/** Which rule was broken: stable, for tools that read `--json`. */
export type DiagnosticCode =
  // The text
  | "yaml-syntax"
  | "duplicate-key"
  | "unsupported-yaml"
  | "not-a-manifest"
  // One document
  | "unknown-version"
  | "unknown-kind"
  | "unknown-field"
  | "missing-field"
  | "wrong-type"
  | "bad-value"
  | "bad-name"
  | "bad-size"
  | "bad-duration"
  | "conflicting-fields"
  // Documents among each other
  | "missing-fleet"
  | "duplicate-name"
  | "duplicate-address"
  | "duplicate-mac"
  | "shared-disk"
  | "unknown-reference"
  | "profile-cycle"
  | "file-not-found"
  | "unsafe-file"
  | "impossible-placement"
  | "no-effect"
  | "nothing-to-boot";

export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** Relative to the source's root. */
  readonly file: string;
  /** Line and columns count from 1, in UTF-16 units, as editors do; `endColumn` is one past the last, on the same line. */
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
  readonly code: DiagnosticCode;
  /** Never quotes what may be a secret. */
  readonly message: string;
  readonly hint: string | null;
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some(({ severity }) => severity === "error");

/** In the order a person reads them, each once: a mistake in a profile is found by all the VMs that use it. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const sorted = [...diagnostics].sort(
    (a, b) =>
      byName(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      byName(a.code, b.code) ||
      byName(a.message, b.message),
  );
  return sorted.filter((each, index) => index === 0 || !isSame(each, sorted[index - 1] as Diagnostic));
}

const isSame = (a: Diagnostic, b: Diagnostic): boolean =>
  a.file === b.file && a.line === b.line && a.column === b.column && a.code === b.code && a.message === b.message;
