/** A folder of manifests → Source. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { OdoroboError } from "../model/errors.ts";
import { type FoundFiles, type FoundTexts, readTexts } from "./find-files.ts";
import { FolderView, unreadable } from "./folder-view.ts";
import { MAX_FILE_BYTES, type Source, tooLarge, toText } from "./source.ts";
import { repositoryAround, WorkTree } from "./work-tree.ts";

/**
 * Files are read synchronously, a batch at a time: for thousands of small files that is several times faster than one
 * promise each, and between batches everybody else has a turn.
 */
const BATCH = 256;

/** Rejects with SOURCE_UNREADABLE, naming the file or folder. */
export async function readFolder(path: string, signal: AbortSignal): Promise<Source> {
  signal.throwIfAborted();
  const root = openRoot(path);
  const repository = repositoryAround(root);
  const opening = repository === null ? Promise.resolve(null) : WorkTree.open(root, signal);
  // Waited for below; until then its failure must not count as unhandled.
  opening.catch(() => {});
  const view = new FolderView(root, repository ?? root);
  const found = await readOrSayWhy(view, root, opening, signal);
  const workTree = await opening;
  const { texts } = found;
  if (workTree === null) return { description: path, commit: null, isDirty: false, texts };
  return { description: path, commit: workTree.commit, isDirty: await workTree.isEdited(view, found), texts };
}

async function readOrSayWhy(
  view: FolderView,
  root: string,
  opening: Promise<WorkTree | null>,
  signal: AbortSignal,
): Promise<FoundTexts> {
  let reading: FoundFiles = new Map();
  try {
    return await readTexts(view, (files) => {
      reading = files;
      return readAll(root, files, signal);
    });
  } catch (error) {
    signal.throwIfAborted();
    const workTree = await opening;
    await workTree?.refuseWhatMisleads(reading);
    throw error;
  }
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

async function readAll(root: string, files: FoundFiles, signal: AbortSignal): Promise<ManifestText[]> {
  const texts: ManifestText[] = [];
  const paths = [...files];
  for (let start = 0; start < paths.length; start += BATCH) {
    for (const [path, real] of paths.slice(start, start + BATCH)) texts.push(readOne(root, path, real));
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  return texts;
}

/** `path` names it, `real` is where it is. */
function readOne(root: string, path: string, real: string): ManifestText {
  let file: number;
  try {
    // Not blocking: a pipe that is named like a manifest would keep us waiting for somebody to write to it. And no link:
    // links were followed, and one that took the file's place since may lead anywhere.
    file = openSync(join(root, real), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
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
