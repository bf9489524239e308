/**
 * Lets the unprivileged user of the guests at the files of one VM: what it writes goes to its group, what it reads must be
 * readable already. Owners stay as they are, so the agent can take everything back.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isErrno, OdoroboError } from "../../../model/errors.ts";
import type { LaunchCommand } from "../../launch-command.ts";
import { isBelow } from "./sandbox.ts";

export interface GuestUser {
  readonly name: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

/** Rejects with STORAGE_FAILED when the user could not read what the VM needs, or when the system refuses. */
export async function grantAccess(
  command: Pick<LaunchCommand, "workingFolder" | "needs">,
  user: GuestUser,
  hidden: readonly string[],
): Promise<void> {
  for (const path of [command.workingFolder, ...command.needs.writes]) await share(path, user, WRITE);
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
async function share(given: string, user: GuestUser, access: Access): Promise<void> {
  try {
    // Names below /dev are udev's, and often links.
    const path = given.startsWith("/dev/") ? await realpath(given).catch(() => given) : given;
    if (!(await shareOne(path, user, access))) return;
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

async function requireReadable(path: string, user: GuestUser): Promise<void> {
  for (let at = path; at !== "/"; at = dirname(at)) {
    const isTheFile = at === path;
    const facts = await stat(at).catch(() => null);
    if (facts === null) return;
    const wanted = isTheFile && !facts.isDirectory() ? constants.R_OK : constants.X_OK;
    if ((bitsFor(facts, user) & wanted) !== 0) continue;
    throw new OdoroboError("STORAGE_FAILED", `guests run as ${user.name}, which may not read ${path}`, {
      hint: isTheFile ? `chmod o+r ${path}, or chgrp ${user.group} ${path}` : `chmod o+x ${at}`,
    });
  }
}

const bitsFor = (facts: { mode: number; uid: number; gid: number }, user: GuestUser): number => {
  if (facts.uid === user.uid) return (facts.mode >> 6) & 7;
  if (facts.gid === user.gid) return (facts.mode >> 3) & 7;
  return facts.mode & 7;
};
