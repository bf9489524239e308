/**
 * Files that manifests refer to, found before the manifests are understood: a source must be read at once, and reading is
 * not the business of those who understand. Names too many rather than too few; what is not there, `manifest/` will say.
 */
import { posix } from "node:path";
import type { ManifestText } from "../manifest/text/source-document.ts";

/**
 * The path stands on the line of its key, or on its own line when an alias or a folded text brings it there. Names of anchors
 * have an end: looked for without one, `userData:|` again and again would be read to its end from each of its beginnings.
 */
const REFERENCE =
  /\b(?:userData|networkConfig)\b["']?\s*:[^\S\n]*(?:[|>&][^\s]{0,64}\s+)?(?:"(\.{1,2}\/[^"\n]+)"|'(\.{1,2}\/[^'\n]+)'|(\.{1,2}\/[^\s,}#]+))/g;

/** Paths below the root, each once, sorted. Those that lead out of it are left out: they are never read. */
export function referredPaths(texts: readonly Pick<ManifestText, "path" | "text">[]): string[] {
  const paths = new Set<string>();
  for (const { path, text } of texts) {
    for (const match of text.matchAll(REFERENCE)) {
      const referred = posix.join(posix.dirname(path), match[1] ?? match[2] ?? match[3] ?? "");
      if (!referred.startsWith("../")) paths.add(referred);
    }
  }
  return [...paths].sort();
}
