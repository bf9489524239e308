/**
 * Lets the unprivileged user of the guests at the files of one VM: what it writes goes to its group, what it reads must be
 * readable already. Owners stay as they are, so the agent can take everything back.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import { isBelow, PRIVATE_FOLDERS } from "./sandbox.ts";

export interface GuestUser {
  readonly name: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Rejects with STORAGE_FAILED when the user could not read or write what the VM needs, or when the system refuses. What lies in a
 * folder is given away only where it is this VM's alone; of others it is the folder itself, and nothing of one that is in use.
 */
export async function grantAccess(
  command: Pick<LaunchCommand, "workingFolder" | "outputFile" | "needs">,
  user: GuestUser,
  hidden: readonly string[],
): Promise<void> {
  const own = [command.workingFolder, dirname(command.outputFile)];
  for (const path of new Set([command.workingFolder, ...command.needs.writes])) {
    if (own.includes(path)) {
      await share(path, user, WRITE);
      continue;
    }
    if (own.some((folder) => isBelow(folder, [path]))) throw notItsAlone(path, user);
    // What lies below these is shown to the process in a place made for it.
    if (!isBelow(path, [...hidden, ...PRIVATE_FOLDERS])) await requirePassable(dirname(path), user);
    if (!isBelow(path, hidden) && (await isInUse(path, user))) await requireWritable(path, user);
    else await share(path, user, WRITE, { contents: false });
  }
  for (const path of command.needs.reads) {
    // The agent's own: what a VM reads of it is made for it.
    if (isBelow(path, hidden)) await share(path, user, READ);
    else await requireReadable(path, user);
  }
}

interface Access {
  /** Bits for the group. */
  readonly folder: number;
  readonly file: number;
}

const WRITE: Access = { folder: 0o070, file: 0o060 };
const READ: Access = { folder: 0o050, file: 0o040 };

/**
 * A file, or a folder and the files in it. The user may have been taken over by a guest and owns what lies in there: no
 * symbolic link is followed, no file is touched that has another name elsewhere, and no folder below is entered.
 */
async function share(given: string, user: GuestUser, access: Access, { contents } = { contents: true }): Promise<void> {
  try {
    // Names below /dev are udev's, and often links.
    const path = given.startsWith("/dev/") ? await realpath(given).catch(() => given) : given;
    if (!(await shareOne(path, user, access)) || !contents) return;
    for (const name of await readdir(path)) await shareOne(join(path, name), user, access);
  } catch (error) {
    throw new OdoroboError("STORAGE_FAILED", `could not give ${given} to the group ${user.group}`, {
      cause: error,
      hint: "guests run as an unprivileged user, which must be able to open their disks",
    });
  }
}

/** Says whether it is a folder. What is not there, and what is no file, is the hypervisor's to complain about. */
async function shareOne(path: string, user: GuestUser, access: Access): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENXIO", "ENODEV", "EROFS"].some((code) => isErrno(error, code))) return false;
    throw error;
  }
  try {
    const facts = await file.stat();
    const isFolder = facts.isDirectory();
    if (facts.uid === user.uid || (!isFolder && facts.nlink > 1)) return isFolder;
    const mode = (facts.mode & 0o7777) | (isFolder ? access.folder : access.file);
    if (facts.gid !== user.gid) await file.chown(facts.uid, user.gid);
    if (facts.gid !== user.gid || mode !== (facts.mode & 0o7777)) await file.chmod(mode);
    return isFolder;
  } finally {
    await file.close();
  }
}

/** A folder that has something in it, and was not given to the guests before. */
async function isInUse(path: string, user: GuestUser): Promise<boolean> {
  const facts = await stat(path).catch(() => null);
  if (facts?.isDirectory() !== true || facts.uid === user.uid || facts.gid === user.gid) return false;
  return (await readdir(path)).length > 0;
}

async function requireWritable(folder: string, user: GuestUser): Promise<void> {
  const wanted = constants.W_OK | constants.X_OK;
  if ((bitsFor(await stat(folder), user) & wanted) !== wanted) throw notItsAlone(folder, user);
}

const notItsAlone = (folder: string, user: GuestUser): OdoroboError =>
  new OdoroboError(
    "STORAGE_FAILED",
    `guests run as ${user.name}, which may not write to ${folder}, and others use it, too`,
    { hint: `use a folder of its own, or let its group in: chgrp ${user.group} FOLDER && chmod g+rwx FOLDER` },
  );

async function requireReadable(path: string, user: GuestUser): Promise<void> {
  await requirePassable(dirname(path), user);
  const facts = await stat(path).catch(() => null);
  if (facts === null) return;
  const [wanted, letter] = facts.isDirectory() ? [constants.X_OK, "x"] : [constants.R_OK, "r"];
  if ((bitsFor(facts, user) & wanted) !== 0) return;
  throw new OdoroboError("STORAGE_FAILED", `guests run as ${user.name}, which may not read ${path}`, {
    hint: `chmod o+${letter} ${path}, or chgrp ${user.group} ${path}`,
  });
}

/** Every folder from the root to this one. */
async function requirePassable(folder: string, user: GuestUser): Promise<void> {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const facts = await stat(at).catch(() => null);
    if (facts === null || (bitsFor(facts, user) & constants.X_OK) !== 0) continue;
    throw new OdoroboError("STORAGE_FAILED", `guests run as ${user.name}, which may not pass through ${at}`, {
      hint: `chmod o+x ${at}`,
    });
  }
}

const bitsFor = (facts: { mode: number; uid: number; gid: number }, user: GuestUser): number => {
  if (facts.uid === user.uid) return (facts.mode >> 6) & 7;
  if (facts.gid === user.gid) return (facts.mode >> 3) & 7;
  return facts.mode & 7;
};
