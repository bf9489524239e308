/** The manifests of one commit, from the objects of a repository on this machine. No work tree is touched. */
import { posix } from "node:path";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { isOdoroboError, OdoroboError } from "../model/errors.ts";
import { CommitView } from "./commit-view.ts";
import { type FoundFiles, readTexts } from "./find-files.ts";
import { Git } from "./git/git.ts";
import { damage, isDamage } from "./git/refusal.ts";
import { filtersOfCommit } from "./git-filters.ts";
import type { Repository } from "./repository.ts";
import { MAX_FILE_BYTES, type Source, tooLarge, toText } from "./source.ts";

export interface CommitPlace {
  readonly commit: string;
  /** A folder in the repository; null: all of it. */
  readonly path: string | null;
  /** How people know the commit: a branch, or some digits of it. */
  readonly shownAs: string;
}

/** The commit is brought here when it is not. Rejects with SOURCE_UNREADABLE or SOURCE_REF_NOT_FOUND. */
export async function readCommitOf(
  repository: Repository,
  place: CommitPlace,
  signal: AbortSignal,
  known: KnownTexts | null = null,
): Promise<Source> {
  const { commit } = place;
  const read = async () =>
    await readCommit(new Git(await repository.folderWith(commit, signal), signal), place, repository.url, known);
  try {
    return await read();
  } catch (error) {
    signal.throwIfAborted();
    if (!isOdoroboError(error, "SOURCE_UNREADABLE") || !isDamage(error)) throw error;
    if (!(await repository.removeIfDamaged(commit, signal))) throw error;
    return await read();
  }
}

/** Texts by the ids of their objects: what is known is not read again. */
export interface KnownTexts {
  textOf(blobId: string): string | undefined;
}

/** `git` is bound to a repository that has the commit; `shown`: how people know it. Rejects with SOURCE_UNREADABLE. */
export async function readCommit(
  git: Git,
  { commit, path, shownAs }: CommitPlace,
  shown: string,
  known: KnownTexts | null = null,
): Promise<Source> {
  const folder = toFolder(path ?? "");
  const view = await CommitView.open(git, commit, folder);
  if (view.entries.size === 0 && folder !== "")
    throw new OdoroboError("SOURCE_UNREADABLE", `there is no folder ${folder} in ${shown} at ${shownAs}`, {
      hint: "is the path right? it begins at the repository's root",
    });
  view.refuseSubmodules();
  await using filters = await filtersOfCommit(git, commit, folder, view);
  const { texts, files } = await readTexts(view, async (batch) => {
    await filters.refuse(batch);
    return await readEntries(git, view, batch, known);
  });
  await filters.refuse(files, texts);
  return { description: `${shown}@${shownAs}${folder === "" ? "" : `:${folder}`}`, commit, isDirty: false, texts };
}

/** In the order of files, whatever is wrong with them: a folder of the same files says the same. */
async function readEntries(
  git: Git,
  view: CommitView,
  files: FoundFiles,
  known: KnownTexts | null,
): Promise<ManifestText[]> {
  const wanted = [...files].map(([path, real]) => {
    const blobId = view.entries.get(real)?.blobId ?? "";
    return { path, blobId, text: known?.textOf(blobId) };
  });
  const missing = wanted.filter(({ text }) => text === undefined);
  const sizes = await git.sizesOf(missing.map(({ blobId }) => blobId));
  const isFit = (index: number): boolean => (sizes[index] ?? Number.POSITIVE_INFINITY) <= MAX_FILE_BYTES;
  const blobs = await git.readBlobs(missing.filter((_, index) => isFit(index)).map(({ blobId }) => blobId));
  let index = 0;
  return wanted.map(({ path, blobId, text }) => {
    if (text !== undefined) return { path, text, blobId: sha1Only(blobId) };
    const bytes = sizes[index] ?? null;
    if (bytes === null) throw damage(`the repository lacks ${path} (object ${blobId})`);
    const blob = isFit(index++) ? blobs.shift() : undefined;
    if (blob === undefined) throw tooLarge(path, bytes);
    return toText(path, blob, sha1Only(blobId));
  });
}

/** Caches know a text by the id that a repository of SHA-1 gives it. */
const sha1Only = (blobId: string): string | null => (blobId.length === 40 ? blobId : null);

/** Without slashes around it. Throws USAGE. */
export function toFolder(path: string): string {
  const folder = posix.normalize(`./${path}`).replace(/\/$/, "");
  if (folder.startsWith("../") || folder === "..")
    throw new OdoroboError("USAGE", `${path} leads out of the repository`, { hint: "give a folder of the repository" });
  return folder === "." ? "" : folder;
}
