/** Files that are written into a folder of their own: never over one that is there. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";

export interface NewFile {
  readonly path: string;
  readonly text: string;
}

/** Names in it; none when there is no such folder. Rejects with FILE_UNWRITABLE. */
export async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    throw new OdoroboError("FILE_UNWRITABLE", `${folder} cannot be used as a folder`, { cause: error });
  }
}

/**
 * A folder that already holds manifests has its own idea of a fleet: one more file in it would be a surprise. Throws FILE_UNWRITABLE
 * before anything is written. `instead`: the command that names another one.
 */
export function refuseToMix(
  folder: string,
  there: readonly string[],
  files: readonly NewFile[],
  instead: string,
): void {
  const manifests = there.filter((name) => /\.ya?ml$/.test(name));
  const ours = there.filter((name) => files.some((file) => file.path === name || file.path.startsWith(`${name}/`)));
  const inTheWay = [...new Set([...manifests, ...ours])].sort();
  if (inTheWay.length === 0) return;
  throw new OdoroboError("FILE_UNWRITABLE", `${folder} already holds ${inTheWay.join(", ")}; nothing was written`, {
    hint: `name a new folder: ${instead}`,
  });
}

export async function writeNew(folder: string, files: readonly NewFile[]): Promise<void> {
  for (const { path, text } of files) {
    const full = join(folder, path);
    try {
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, text, { flag: "wx" });
    } catch (error) {
      throw new OdoroboError("FILE_UNWRITABLE", `${full} could not be written`, { cause: error });
    }
  }
}

/** A name for the fleet that is kept in it. */
export const toFleetName = (folder: string): string =>
  folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "") || "fleet";
