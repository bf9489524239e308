/**
 * Opens files in folders that others may write to: what a guest that broke out of its hypervisor leaves there must lead nobody
 * elsewhere (a link), and hold nobody up (a pipe).
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** Of the agent's own small files beside a guest's sockets: the largest, with hundreds of devices, has some 100 KiB. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** Rejects with the system's error; with ELOOP for a link, and also for whatever else is no file. */
export async function openPlainFile(path: string, flags = constants.O_RDONLY): Promise<FileHandle> {
  const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if ((await file.stat()).isFile()) return file;
    throw Object.assign(new Error(`${path} is not a plain file`), { code: "ELOOP" });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Rejects as `openPlainFile` does; with EFBIG for a file that is none of ours. */
export async function readPlainText(path: string): Promise<string> {
  const file = await openPlainFile(path);
  try {
    if ((await file.stat()).size > MAX_TEXT_BYTES)
      throw Object.assign(new Error(`${path} is too large`), { code: "EFBIG" });
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
