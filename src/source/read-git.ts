/**
 * A commit of a git repository → Source. No work tree is touched: objects are read where they are, for a remote repository
 * from a bare copy in the cache folder that only fetches what is new.
 */
import { hash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, posix } from "node:path";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { suggest } from "../manifest/text/suggest.ts";
import { OdoroboError } from "../model/errors.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { CommitView } from "./commit-view.ts";
import { type FoundFiles, readTexts } from "./find-files.ts";
import { Git, type ObjectFormat } from "./git.ts";
import { filtersOfCommit } from "./git-filters.ts";
import { gitRefusal } from "./git-refusal.ts";
import { isRemote, parseRemote, type RemoteUrl, withoutUserinfo } from "./remote-url.ts";
import { MAX_FILE_BYTES, type Source, tooLarge, toText } from "./source.ts";

export interface GitLocation {
  /** A folder, or an address that git can fetch from. */
  readonly repo: string;
  /** A branch, tag or commit; null: the repository's default branch. */
  readonly ref: string | null;
  /** A folder in the repository; null: all of it. */
  readonly path: string | null;
}

/** Rejects with SOURCE_UNREADABLE or SOURCE_REF_NOT_FOUND. `cache`: where copies of remote repositories are kept. */
export async function readGit(location: GitLocation, signal: AbortSignal, cache = cacheFolder()): Promise<Source> {
  signal.throwIfAborted();
  const { repo } = location;
  const ref = location.ref ?? "HEAD";
  const folder = toFolder(location.path ?? "");
  for (const [what, text] of [
    ["repository", repo],
    ["ref", ref],
  ] as const)
    if (text === "" || text.startsWith("-"))
      throw new OdoroboError("USAGE", `"${text}" is not a ${what}`, {
        hint: "such as --repo https://git.example.net/fleet.git --ref main",
      });
  const shown = isRemote(repo) ? parseRemote(repo).url : repo;
  const { git, commit } = isRemote(repo)
    ? await openRemote(repo, ref, signal, cache)
    : await openLocal(repo, ref, signal);
  const texts = await readTree(git, commit, folder, `${shown} at ${ref}`);
  return { description: `${shown}@${ref}${folder === "" ? "" : `:${folder}`}`, commit, isDirty: false, texts };
}

interface OpenedCommit {
  readonly git: Git;
  readonly commit: string;
}

async function openLocal(repo: string, ref: string, signal: AbortSignal): Promise<OpenedCommit> {
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
  const commit = await git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`);
  if (commit) return { git, commit };
  const names =
    (await git.ask("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", "refs/tags", "refs/remotes")) ?? "";
  throw refNotFound(repo, ref, names.split("\n"));
}

async function openRemote(repo: string, ref: string, signal: AbortSignal, cache: string): Promise<OpenedCommit> {
  const remote = parseRemote(repo);
  const refs = await reach(() => new Git("/", signal).remoteRefs(remote), remote, signal);
  const objectFormat = [...refs.values()].some((id) => id.length === 64) ? "sha256" : "sha1";
  const suffix = objectFormat === "sha1" ? "" : `-${objectFormat}`;
  const folder = join(cache, "git", `${hash("sha256", remote.url, "hex").slice(0, 32)}${suffix}`);
  if (!existsSync(folder)) await makeCopy(folder, objectFormat, signal);
  const git = new Git(folder, signal);
  const name = [ref, `refs/heads/${ref}`, `refs/tags/${ref}`].find((each) => refs.has(each));
  const commit = name === undefined ? null : (refs.get(`${name}^{}`) ?? refs.get(name) ?? null);
  if (name === undefined || commit === null) {
    if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(ref))
      return { git, commit: await fetchLoneCommit(git, remote, ref, refs, signal) };
    throw refNotFound(remote.url, ref, shortNames(refs));
  }
  if (await isKnown(git, commit)) return { git, commit };
  // A ref of its own for each commit: two processes that fetch at once do not get in each other's way.
  await reach(
    () => git.fetch(remote, `${name}:refs/odorobo/${commit}`),
    remote,
    signal,
    () => isKnown(git, commit),
  );
  if (await isKnown(git, commit)) return { git, commit };
  throw new OdoroboError("SOURCE_UNREADABLE", `${remote.url} did not give the commit it named for ${ref}`, {
    hint: "try again",
  });
}

/** Made beside and moved into place whole: of several processes that begin at once, one wins and all go on. */
async function makeCopy(folder: string, objectFormat: ObjectFormat, signal: AbortSignal): Promise<void> {
  const temporary = `${folder}.${randomUUID()}.tmp`;
  try {
    mkdirSync(temporary, { recursive: true, mode: 0o700 });
    await new Git(temporary, signal).initBare(objectFormat);
    renameSync(temporary, folder);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    if (existsSync(folder)) return;
    signal.throwIfAborted();
    if (cause instanceof OdoroboError) throw cause;
    throw new OdoroboError("FILE_UNWRITABLE", `${folder} cannot be made`, {
      cause,
      hint: "is there room, and the right to write? XDG_CACHE_HOME chooses another place",
    });
  }
}

const isKnown = async (git: Git, commit: string): Promise<boolean> =>
  (await git.ask("cat-file", "-t", commit)) !== null;

/** A commit that no ref names: servers give it when they hold it. */
async function fetchLoneCommit(
  git: Git,
  remote: RemoteUrl,
  commit: string,
  refs: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<string> {
  if (await isKnown(git, commit)) return commit;
  try {
    await git.fetch(remote, `${commit}:refs/odorobo/${commit}`);
  } catch {
    signal.throwIfAborted();
  }
  if (await isKnown(git, commit)) return commit;
  throw refNotFound(remote.url, commit, shortNames(refs));
}

/** `orElse`: another process may have fetched the same while we were refused the lock. */
async function reach<Result>(
  ask: () => Promise<Result>,
  remote: RemoteUrl,
  signal: AbortSignal,
  orElse: () => Promise<boolean> = async () => false,
): Promise<Result> {
  try {
    return await ask();
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof OdoroboError) throw cause;
    if (await orElse()) return undefined as Result;
    const said = cause instanceof Error ? new Error(withoutUserinfo(cause.message).trim()) : undefined;
    if (/dubious ownership/.test(said?.message ?? "")) throw gitRefusal(remote.url, said);
    throw new OdoroboError("SOURCE_UNREADABLE", `the repository ${remote.url} cannot be read`, {
      cause: said,
      hint: "is the address right, and does git ls-remote reach it?",
    });
  }
}

const shortNames = (refs: ReadonlyMap<string, string>): string[] =>
  [...refs.keys()].filter((name) => !name.endsWith("^{}")).map((name) => name.replace(/^refs\/(heads|tags)\//, ""));

function refNotFound(repo: string, ref: string, names: readonly string[]): OdoroboError {
  const known = names.filter((name) => name !== "" && name !== "HEAD" && !name.startsWith("refs/"));
  const hint = suggest(ref, known, "the repository has no branch and no tag yet");
  return new OdoroboError("SOURCE_REF_NOT_FOUND", `${repo} has no branch, tag or commit ${ref}`, { hint });
}

async function readTree(git: Git, commit: string, folder: string, shown: string): Promise<readonly ManifestText[]> {
  const view = await CommitView.open(git, commit, folder);
  if (view.entries.size === 0 && folder !== "")
    throw new OdoroboError("SOURCE_UNREADABLE", `there is no folder ${folder} in ${shown}`, {
      hint: "is the path right? it begins at the repository's root",
    });
  view.refuseSubmodules();
  await using filters = await filtersOfCommit(git, commit, folder, view);
  const { texts, files } = await readTexts(view, async (batch) => {
    await filters.refuse(batch);
    return await readEntries(git, view, batch);
  });
  await filters.refuse(files, texts);
  return texts;
}

/** In the order of files, whatever is wrong with them: a folder of the same files says the same. */
async function readEntries(git: Git, view: CommitView, files: FoundFiles): Promise<ManifestText[]> {
  const wanted = [...files].map(([path, real]) => ({ path, blobId: view.entries.get(real)?.blobId ?? "" }));
  const sizes = await git.sizesOf(wanted.map(({ blobId }) => blobId));
  const isFit = (index: number): boolean => (sizes[index] ?? Number.POSITIVE_INFINITY) <= MAX_FILE_BYTES;
  const blobs = await git.readBlobs(wanted.filter((_, index) => isFit(index)).map(({ blobId }) => blobId));
  return wanted.map(({ path, blobId }, index) => {
    const bytes = sizes[index] ?? null;
    if (bytes === null)
      throw new OdoroboError("SOURCE_UNREADABLE", `the repository lacks ${path} (object ${blobId})`, {
        hint: "is the clone whole? git fsck tells, git fetch brings what is missing",
      });
    const blob = isFit(index) ? blobs.shift() : undefined;
    if (blob === undefined) throw tooLarge(path, bytes);
    return toText(path, blob, sha1Only(blobId));
  });
}

/** Caches know a text by the id that a repository of SHA-1 gives it. */
const sha1Only = (blobId: string): string | null => (blobId.length === 40 ? blobId : null);

function toFolder(path: string): string {
  const folder = posix.normalize(`./${path}`).replace(/\/$/, "");
  if (folder.startsWith("../") || folder === "..")
    throw new OdoroboError("USAGE", `${path} leads out of the repository`, { hint: "give a folder of the repository" });
  return folder === "." ? "" : folder;
}
