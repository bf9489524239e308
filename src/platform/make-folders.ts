/** Folders, with all that they lie in, or why not. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno } from "../model/errors.ts";

/**
 * Returns the first folder that had to be made. Rejects with the system's error. Node itself says ENOENT of a read-only file system when
 * it is to make the folders above, too: then the first one that is missing is asked for by itself.
 */
export async function makeFolders(path: string, mode = 0o700): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: true, mode });
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    const first = await firstMissing(path);
    await mkdir(first, { mode });
    await mkdir(path, { recursive: true, mode });
    return first;
  }
}

async function firstMissing(path: string): Promise<string> {
  const above = dirname(path);
  if (above === path) return path;
  const isThere = await stat(above).then(
    () => true,
    () => false,
  );
  return isThere ? path : firstMissing(above);
}
