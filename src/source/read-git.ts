/** A commit of a git repository → Source: of one on this machine where it is, of another from a bare copy in the cache folder. */
import { existsSync } from "node:fs";
import { OdoroboError } from "../model/errors.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { Git } from "./git/git.ts";
import { gitRefusal } from "./git/refusal.ts";
import { refuseOption } from "./git/remote.ts";
import { isRemote } from "./git/remote-url.ts";
import { type KnownTexts, readCommit, readCommitOf, toFolder } from "./read-commit.ts";
import { Repository, refNotFound } from "./repository.ts";
import type { Source } from "./source.ts";

export interface GitLocation {
  /** A folder, or an address that git can fetch from. */
  readonly repo: string;
  /** A branch, tag or commit; null: the repository's default branch. */
  readonly ref: string | null;
  /** A folder in the repository; null: all of it. */
  readonly path: string | null;
}

/** Rejects with SOURCE_UNREADABLE or SOURCE_REF_NOT_FOUND. `cache`: where copies of remote repositories are kept. */
export async function readGit(
  location: GitLocation,
  signal: AbortSignal,
  cache = cacheFolder(),
  known: KnownTexts | null = null,
): Promise<Source> {
  signal.throwIfAborted();
  const { repo, path } = location;
  const ref = location.ref ?? "HEAD";
  toFolder(path ?? "");
  refuseOption("repository", repo);
  refuseOption("ref", ref);
  if (!isRemote(repo)) return await readLocal({ repo, ref, path }, signal, known);
  const repository = new Repository({ url: repo }, cache);
  const found = await repository.find(ref, signal);
  const { commit } = found;
  await repository.bring(found, signal);
  const source = await readCommitOf(repository, { commit, path, shownAs: shown(ref, found.hidesTag) }, signal, known);
  await repository.tidy(commit, signal);
  return source;
}

async function readLocal(
  { repo, ref, path }: Pick<GitLocation, "repo" | "path"> & { readonly ref: string },
  signal: AbortSignal,
  known: KnownTexts | null,
): Promise<Source> {
  if (!existsSync(repo))
    throw new OdoroboError("SOURCE_UNREADABLE", `there is no repository ${repo}`, {
      hint: "give a folder or an address such as https://…",
    });
  const git = new Git(repo, signal);
  try {
    await git.run("rev-parse", "--git-dir");
  } catch (cause) {
    signal.throwIfAborted();
    throw gitRefusal(repo, cause);
  }
  const commitAt = (name: string) =>
    git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`);
  const isExact = /^(HEAD|[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
  // git itself would take the tag.
  const branch = isExact ? null : await commitAt(`refs/heads/${ref}`);
  const commit = branch ?? (await commitAt(ref));
  if (commit !== null) {
    const hidesTag = branch !== null && (await commitAt(`refs/tags/${ref}`)) !== null;
    return await readCommit(git, { commit, path, shownAs: shown(ref, hidesTag) }, repo, known);
  }
  const names =
    (await git.ask("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes")) ?? "";
  throw refNotFound(repo, ref, names.split("\n"));
}

const shown = (ref: string, hidesTag: boolean): string => (hidesTag ? `${ref} (the branch, not the tag)` : ref);
