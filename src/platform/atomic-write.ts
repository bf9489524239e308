/** Files that are either the old or the new, also after a power cut. */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { isErrno } from "../model/errors.ts";

/*
 * Numbers instead of `fs/promises`' handles: a record is written three times for each VM that is created and booted, and a handle
 * costs as much as what is done with it.
 */
const open = promisify(fs.open);
const writeFile = promisify(fs.writeFile);
const sync = promisify(fs.fsync);
const chown = promisify(fs.fchown);
const close = promisify(fs.close);
const rename = promisify(fs.rename);
const unlink = promisify(fs.unlink);

/**
 * Writes beside the file, syncs, renames over it, syncs the folder. A crash at any moment leaves the old or the new content.
 * Two writers of the same file must take turns. Rejects with the system's error (ENOSPC, EROFS …) and leaves no temporary file.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
  /** Whose it is to be, if not ours. */
  owner: { readonly uid: number; readonly gid: number } | null = null,
): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await openNew(temporary, mode);
    try {
      if (owner !== null) await chown(file, owner.uid, owner.gid);
      await writeFile(file, content);
      await sync(file);
    } finally {
      await close(file);
    }
    await rename(temporary, path);
  } catch (error) {
    // The first error is the one that says why.
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Made anew, and not where a link leads to: some folders belong to guests' processes, too. One that a crash left goes first. */
async function openNew(path: string, mode: number): Promise<number> {
  try {
    return await open(path, "wx", mode);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    await unlink(path);
    return await open(path, "wx", mode);
  }
}

/** Makes creations, renames and removals in this folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await sync(folder);
  } finally {
    await close(folder);
  }
}
