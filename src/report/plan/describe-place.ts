/** Where the manifests say so, at the end of a line. */
import type { SourcePosition } from "../../model/desired-state.ts";
import { safeLine } from "../words/safe-text.ts";

export function describePlace(source: SourcePosition | null, elsewhereToo = false): string {
  return source === null ? "" : `  ${safeLine(source.file)}:${source.line}${elsewhereToo ? " and others" : ""}`;
}
