/** Folders, with all that they lie in, or why not. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isErrno, OdoroboError } from "../model/errors.ts";
import type { Logger } from "./logger.ts";

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

export interface OwnFolder {
  readonly path: string;
  /** What it is said with: `--data`. */
  readonly flag: string;
  /** Of the error when it cannot be made. */
  readonly code: "AGENT_CONFIG" | "FILE_UNWRITABLE";
}

/** For this user only: what is in there is nobody else's to read. A folder that is there already is left as it is, and a loose one is said. */
export async function makeOwnFolder({ path, flag, code }: OwnFolder, log: Logger): Promise<void> {
  try {
    await makeFolders(path);
    const { mode } = await stat(path);
    if ((mode & 0o007) !== 0)
      log.warn({ folder: path }, "everybody on this machine can look into this folder: chmod 700 would keep them out");
  } catch (cause) {
    throw new OdoroboError(code, `cannot make the folder ${path}`, {
      cause,
      hint: `give a folder that this user may write to: ${flag} FOLDER`,
    });
  }
}
