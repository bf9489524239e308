/** Commits that touched some files, and what those files said then: of a repository on this machine, and of nothing else in it. */
import type { ManifestText } from "../manifest/text/source-document.ts";
import { type Instant, instant } from "../model/names.ts";
import type { Git } from "./git/git.ts";
import { MAX_FILE_BYTES, toText } from "./source.ts";

export interface LoggedCommit {
  readonly commit: string;
  readonly at: Instant;
  readonly author: string;
  readonly subject: string;
}

/** Latest first, from `commit` on; `paths` from the root. At most so many. */
export async function commitsThatTouch(
  git: Git,
  commit: string,
  paths: readonly string[],
  most: number,
): Promise<readonly LoggedCommit[]> {
  const format = "--format=%H%x00%cI%x00%an%x00%s%x00";
  const names = paths.map((path) => `:(top,literal)${path}`);
  const output = await git.read("log", `--max-count=${most}`, "--no-show-signature", format, commit, "--", ...names);
  const fields = output.split("\0");
  const commits: LoggedCommit[] = [];
  for (let at = 0; at + 3 < fields.length; at += 4) {
    const [id = "", time = "", author = "", subject = ""] = fields.slice(at, at + 4);
    commits.push({ commit: id.trim(), at: instant(new Date(time).toISOString()), author, subject });
  }
  return commits;
}

/** By the ids of their objects: what is the same in another commit is not read again. */
export type KnownBlobs = Map<string, ManifestText>;

/**
 * Those of `paths` that were files then; `folder` is taken from the beginning of their names. Too large ones are left out. Rejects with
 * SOURCE_UNREADABLE, also for one that is no text.
 */
export async function textsAt(
  git: Git,
  commit: string,
  { paths, folder }: { readonly paths: readonly string[]; readonly folder: string },
  known: KnownBlobs,
): Promise<readonly ManifestText[]> {
  const entries = (await git.listTree(commit, paths)).filter(({ mode }) => mode.startsWith("100"));
  const missing = [...new Set(entries.map(({ blobId }) => blobId))].filter((id) => !known.has(id));
  const sizes = await git.sizesOf(missing);
  const fit = missing.filter((_, index) => (sizes[index] ?? Number.POSITIVE_INFINITY) <= MAX_FILE_BYTES);
  const blobs = await git.readBlobs(fit);
  for (const [index, id] of fit.entries()) known.set(id, toText(id, blobs[index] ?? Buffer.alloc(0)));
  return entries.flatMap(({ path, blobId }) => {
    const text = known.get(blobId);
    return text === undefined ? [] : [{ ...text, path: path.slice(folder.length) }];
  });
}
