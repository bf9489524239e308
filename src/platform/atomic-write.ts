/** Files that are either the old or the new, also after a power cut. */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

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
    // Made anew, and not where a link leads to: some folders belong to guests' processes, too.
    await rm(temporary, { force: true });
    const file = await open(temporary, "wx", mode);
    try {
      if (owner !== null) await file.chown(owner.uid, owner.gid);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // The first error is the one that says why.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes creations, renames and removals in this folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
