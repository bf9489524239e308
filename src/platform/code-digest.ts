/**
 * Which code this is: what is kept on disk was worked out by some code and is worth nothing to another, and two commits of one
 * version are different code.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PACKAGE_ROOT } from "./package-root.ts";
import { packageVersion } from "./package-version.ts";

/** A built package has no folders left to look at: `scripts/build.ts` puts the digest of all its sources here. */
declare const BUILT_FROM: string | undefined;

/** Of our version and all that these folders hold (relative to the package). Some milliseconds for a hundred files. */
export function codeDigest(...folders: readonly string[]): string {
  if (typeof BUILT_FROM === "string") return BUILT_FROM;
  const digest = createHash("sha256").update(packageVersion());
  for (const folder of folders)
    for (const entry of readdirSync(fileURLToPath(new URL(folder, PACKAGE_ROOT)), {
      recursive: true,
      withFileTypes: true,
    })
      .filter((each) => each.isFile())
      .sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1)))
      digest.update(`\0${entry.name}\0`).update(readFileSync(join(entry.parentPath, entry.name)));
  return digest.digest("hex");
}
