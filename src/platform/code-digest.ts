/**
 * Which code this is: what is kept on disk was worked out by some code and is worth nothing to another, and two commits of one
 * version are different code.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageVersion } from "./package-version.ts";

const SOURCES = fileURLToPath(new URL("..", import.meta.url));

/** Of our version and all that these folders of the sources hold. Some milliseconds for a hundred files. */
export function codeDigest(...folders: readonly string[]): string {
  const digest = createHash("sha256").update(packageVersion());
  for (const folder of folders)
    for (const entry of readdirSync(join(SOURCES, folder), { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1)))
      digest.update(`\0${entry.name}\0`).update(readFileSync(join(entry.parentPath, entry.name)));
  return digest.digest("hex");
}
