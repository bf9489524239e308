/** A folder of manifests → Source. */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join, sep } from "node:path";
import { isManifestPath } from "../manifest/read-manifests.ts";
import type { ManifestText } from "../manifest/source-document.ts";
import { isErrno, OdoroboError } from "../model/errors.ts";
import { byName } from "../model/names.ts";
import { describeWorkTree } from "./git.ts";
import { referredPaths } from "./referred-paths.ts";
import { isSkipped, MAX_FILE_BYTES, type Source, tooLarge, toText } from "./source.ts";

/**
 * Files are read synchronously, a batch at a time: for thousands of small files that is several times faster than one
 * promise each, and between batches everybody else has a turn.
 */
const BATCH = 256;

/** Rejects with SOURCE_UNREADABLE, naming the file or folder. */
export async function readFolder(path: string, signal: AbortSignal): Promise<Source> {
  signal.throwIfAborted();
  const root = openRoot(path);
  const workTree = describeWorkTree(root, signal);
  // Waited for below; until then its failure must not count as unhandled.
  workTree.catch(() => {});
  const manifests = await readAll(root, findManifests(root), signal);
  const read = new Set(manifests.map((text) => text.path));
  const referred = referredPaths(manifests).filter((each) => !read.has(each) && isThere(root, each));
  const texts = [...manifests, ...(await readAll(root, referred, signal))].sort((a, b) => byName(a.path, b.path));
  return { description: path, ...(await workTree), texts };
}

function openRoot(path: string): string {
  try {
    const root = realpathSync(path);
    if (statSync(root).isDirectory()) return root;
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new OdoroboError("SOURCE_UNREADABLE", `${path} is not a folder`, {
    hint: "give the folder that holds the manifests",
  });
}

/** Relative paths of everything that is named like a manifest. */
function findManifests(root: string): string[] {
  const found: string[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of list(root, folder)) {
      if (isSkipped(entry.name)) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isSymbolicLink()) {
        if (isLinkToManifest(root, path)) found.push(path);
      } else if (isManifestPath(entry.name)) found.push(path);
    }
  }
  return found.sort(byName);
}

function list(root: string, folder: string): Dirent[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    throw unreadable(folder === "" ? root : folder, error);
  }
}

/** Links stay inside: a manifest repository must not be able to name /etc/shadow. A folder linked inside is read where it is. */
function isLinkToManifest(root: string, path: string): boolean {
  let target: string;
  try {
    target = realpathSync(join(root, path));
  } catch (error) {
    if (isErrno(error, "ENOENT") && !isManifestPath(path)) return false;
    throw unreadable(path, error);
  }
  const isFolder = statSync(target).isDirectory();
  if (!isFolder && !isManifestPath(path)) return false;
  if (!target.startsWith(root + sep))
    throw new OdoroboError("SOURCE_UNREADABLE", `${path} is a symbolic link that leaves the folder`, {
      hint: "links are followed only within the folder: put the file itself there",
    });
  return !isFolder;
}

function isThere(root: string, path: string): boolean {
  try {
    const target = realpathSync(join(root, path));
    return target.startsWith(root + sep) && statSync(target).isFile();
  } catch {
    return false;
  }
}

async function readAll(root: string, paths: readonly string[], signal: AbortSignal): Promise<ManifestText[]> {
  const texts: ManifestText[] = [];
  for (let start = 0; start < paths.length; start += BATCH) {
    for (const path of paths.slice(start, start + BATCH)) texts.push(readOne(root, path));
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  return texts;
}

function readOne(root: string, path: string): ManifestText {
  let file: number;
  try {
    // Not blocking: a pipe that is named like a manifest would keep us waiting for somebody to write to it.
    file = openSync(join(root, path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile())
      throw new OdoroboError("SOURCE_UNREADABLE", `${path} is not a regular file`, { hint: "remove or rename it" });
    if (stat.size > MAX_FILE_BYTES) throw tooLarge(path, stat.size);
    return toText(path, readBytes(file, stat.size));
  } catch (error) {
    throw error instanceof OdoroboError ? error : unreadable(path, error);
  } finally {
    closeSync(file);
  }
}

function readBytes(file: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const count = readSync(file, bytes, length, size - length, length);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function unreadable(path: string, cause: unknown): OdoroboError {
  const [reason, hint] = isErrno(cause, "ENOENT")
    ? ["is not there", "is the path right?"]
    : isErrno(cause, "EACCES") || isErrno(cause, "EPERM")
      ? ["may not be read by this user", "give this user the right to read it"]
      : isErrno(cause, "ENOTDIR")
        ? ["is not a folder", "give the folder that holds the manifests"]
        : isErrno(cause, "ELOOP")
          ? ["is a symbolic link to itself", "remove it"]
          : ["cannot be read", "is the disk or mount in order?"];
  return new OdoroboError("SOURCE_UNREADABLE", `${path} ${reason}`, { cause, hint });
}
