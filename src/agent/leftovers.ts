/**
 * Takes away what a guest that has ended left in its run folder: sockets, pid files.
 *
 * Invariant: a socket that answers is never removed. Whoever listens on it may be a guest that no record knows of any more
 * (another data folder, an older copy of it), and without its socket nobody could reach it again.
 */
import type { Dirent } from "node:fs";
import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { makeFolders } from "../platform/make-folders.ts";
import { isAnswered } from "../platform/unix-socket.ts";

/** Rejects with GUEST_UNEXPLAINED, and then all of them are there still. */
export async function removeLeftovers(name: string, files: readonly string[]): Promise<void> {
  const sockets: string[] = [];
  for (const file of files) if (await isSocket(file)) sockets.push(file);
  const answering = await firstAnswering(sockets);
  if (answering !== null) throw answers(name, answering);
  for (const file of files) await rm(file, { force: true });
}

/** With all that is below it; what is not there is gone. Rejects with GUEST_UNEXPLAINED. */
export async function removeRunFolder(name: string, folder: string): Promise<void> {
  const answering = await answeringSocket(folder);
  if (answering !== null) throw answers(name, answering);
  await rm(folder, { recursive: true, force: true });
}

/** Rejects with GUEST_UNEXPLAINED. */
export async function makeEmptyRunFolder(name: string, folder: string): Promise<void> {
  const madeNow = await makeFolders(folder);
  if (madeNow !== undefined) return;
  await removeRunFolder(name, folder);
  await mkdir(folder, { mode: 0o700 });
}

/** A socket in this folder, or in one below it, on which somebody listens; null: there is none. */
export async function answeringSocket(folder: string): Promise<string | null> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown): Dirent[] => {
    if (isErrno(error, "ENOENT") || isErrno(error, "ENOTDIR")) return [];
    throw error;
  });
  return firstAnswering(entries.filter((entry) => entry.isSocket()).map((entry) => join(entry.parentPath, entry.name)));
}

/** A serial line is asked last: it may have one place only, and who knocks there takes it for a moment. */
async function firstAnswering(sockets: readonly string[]): Promise<string | null> {
  const isLine = (path: string) => Number(basename(path).includes("console") || basename(path).includes("serial"));
  for (const path of sockets.toSorted((a, b) => isLine(a) - isLine(b) || (a < b ? -1 : 1)))
    if (await isAnswered(path)) return path;
  return null;
}

const isSocket = (path: string): Promise<boolean> =>
  lstat(path).then(
    (facts) => facts.isSocket(),
    () => false,
  );

const answers = (name: string, socket: string): OdoroboError =>
  new OdoroboError("GUEST_UNEXPLAINED", `somebody answers on ${socket}, so nothing of ${name} is started or removed`, {
    hint: `a guest of ${name} may run that this agent knows nothing of: look for its process on the node`,
  });
