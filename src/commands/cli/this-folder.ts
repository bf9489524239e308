/** The folder that is read when nobody named one: this one, if a fleet is in it. `/tmp`, or somebody's home, is not searched for YAML. */
import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { isManifestPath } from "../../manifest/read-manifests.ts";
import { OdoroboError } from "../../model/errors.ts";
import { isSkipped, MAX_FILE_BYTES } from "../../source/source.ts";
import { repositoryAround } from "../../source/work-tree.ts";

/** One folder deeper a Fleet is looked for among so many files at most: this is to be said at once, also of a home full of checkouts. */
const MOST_FILES = 2_000;
const FLEET = /\bkind["']?\s*:\s*["']?Fleet\b/;

/** Returns "." or throws SOURCE_EMPTY. Whoever is in a repository may keep the fleet deeper in it. */
export function thisFolder(): string {
  const here = process.cwd();
  const isCrowded = here === "/" || here === homedir() || here === tmpdir();
  if (!isCrowded && repositoryAround(here) !== null) return ".";
  const entries = list(here);
  if (entries.some(saysFleet)) return ".";
  const deeper = here === "/" ? null : folderOfFleet(here, entries);
  if (deeper !== null && !isCrowded) return ".";
  const told = deeper === null ? "name the folder that the manifests are in" : `is it ${deeper}? name the folder`;
  throw new OdoroboError("SOURCE_EMPTY", `no folder was named, and there is no fleet in this one, ${here}`, {
    hint: `${told}, or say it once for all commands: export ODOROBO_FLEET=${deeper ?? "FOLDER"}. odorobo init FOLDER writes the first ones`,
  });
}

/** The first folder in this one with a fleet in it. */
function folderOfFleet(here: string, entries: readonly Dirent[]): string | null {
  let left = MOST_FILES;
  for (const { name } of entries.filter((entry) => !entry.isFile() && !isSkipped(entry.name)))
    for (const entry of list(join(here, name))) {
      if (left-- === 0) return null;
      if (saysFleet(entry)) return name;
    }
  return null;
}

/** Nothing of what is no folder, or may not be read. */
function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function saysFleet({ parentPath, name }: Dirent): boolean {
  if (!isManifestPath(name)) return false;
  const path = join(parentPath, name);
  try {
    const stat = statSync(path);
    // A pipe would keep us waiting for somebody to write to it.
    return stat.isFile() && stat.size <= MAX_FILE_BYTES && FLEET.test(readFileSync(path, "utf8"));
  } catch {
    return false;
  }
}
