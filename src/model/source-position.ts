/** A place in the manifests. `file` is relative to the source's root; line and column count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
