/** What an installation changes on its host: files, folders, users. Each says what it did, or, in a dry run, would do. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { isErrno, OdoroboError } from "../../model/errors.ts";
import { writeFileAtomically } from "../../platform/atomic-write.ts";

export interface InstallOptions {
  /** The folder that stands for `/`. With another one files are written, and systemd is left alone. */
  readonly root: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface Change {
  readonly what: "file" | "folder" | "user" | "unit";
  readonly name: string;
  readonly action: "create" | "change" | "keep" | "remove" | "enable" | "disable" | "start" | "restart" | "stop";
  readonly note: string | null;
}

export interface Installed {
  readonly changes: readonly Change[];
  /** Null: nobody looked. */
  readonly isRunning: boolean | null;
}

/** `usersFile`: of sysusers, below the root. */
export async function makeUser(user: string, usersFile: string, { root, dryRun }: InstallOptions): Promise<Change> {
  if (await hasUser(user, root)) return change("user", user, "keep", null);
  if (!dryRun) {
    const where = root === "/" ? [] : [`--root=${root}`];
    try {
      await promisify(execFile)("systemd-sysusers", [...where, join(root, usersFile)]);
    } catch (cause) {
      throw new OdoroboError("FILE_UNWRITABLE", `could not make the user ${user}`, {
        cause,
        hint: `is this root, and systemd-sysusers there? useradd --system --shell /usr/sbin/nologin ${user} does the same`,
      });
    }
  }
  return change("user", user, "create", null);
}

export async function hasUser(user: string, root: string): Promise<boolean> {
  const users = await readFile(join(root, "/etc/passwd"), "utf8").catch(() => "");
  return users.split("\n").some((line) => line.startsWith(`${user}:`));
}

/** `mark`: what is in each that we wrote; one without it is somebody else's. Rejects with FILE_UNWRITABLE, then too. */
export async function putFile(
  path: string,
  content: string,
  { root, dryRun }: InstallOptions,
  mark: string | null = null,
): Promise<Change> {
  const target = join(root, path);
  const before = await readFile(target, "utf8").catch(() => null);
  refuseForeign(path, before, mark);
  if (before === content) return change("file", path, "keep", null);
  if (!dryRun)
    await attempt(path, async () => {
      await mkdir(dirname(target), { recursive: true });
      await writeFileAtomically(target, content, 0o644);
    });
  return change("file", path, before === null ? "create" : "change", null);
}

/** One that is there keeps its permissions: an admin may have given them. */
export async function putFolder(path: string, mode: number, { root, dryRun }: InstallOptions): Promise<Change> {
  const target = join(root, path);
  if ((await readdir(target).catch(() => null)) !== null) return change("folder", path, "keep", null);
  if (!dryRun) await attempt(path, () => mkdir(target, { recursive: true, mode }));
  return change("folder", path, "create", null);
}

export const NOT_THERE = "not there";

export async function removeFile(
  path: string,
  { root, dryRun }: InstallOptions,
  mark: string | null = null,
): Promise<Change> {
  const target = join(root, path);
  const before = await readFile(target, "utf8").catch(() => null);
  refuseForeign(path, before, mark);
  if (before === null) return change("file", path, "keep", NOT_THERE);
  if (!dryRun) await attempt(path, () => rm(target));
  return change("file", path, "remove", null);
}

/** `ours`: what is removed from it before. */
export async function removeEmpty(
  path: string,
  ours: readonly string[],
  { root, dryRun }: InstallOptions,
): Promise<Change> {
  const target = join(root, path);
  const contents = await readdir(target).catch(() => null);
  if (contents === null) return change("folder", path, "keep", NOT_THERE);
  // Of a dry run, what would be gone is still there.
  if (contents.filter((name) => !dryRun || !ours.includes(name)).length > 0)
    return change("folder", path, "keep", "it is not empty");
  if (!dryRun) await attempt(path, () => rmdir(target));
  return change("folder", path, "remove", null);
}

export const change = (what: Change["what"], name: string, action: Change["action"], note: string | null): Change => ({
  what,
  name,
  action,
  note,
});

async function attempt<Value>(path: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (cause) {
    throw new OdoroboError("FILE_UNWRITABLE", `could not change ${path}`, {
      cause,
      hint: isErrno(cause, "EACCES") ? "run this as root" : "look at the folder",
    });
  }
}

function refuseForeign(path: string, before: string | null, mark: string | null): void {
  if (before === null || mark === null || before.includes(mark)) return;
  throw new OdoroboError("FILE_UNWRITABLE", `${path} was not written by odorobo, and is left alone`, {
    hint: "move it away if it may go",
  });
}
