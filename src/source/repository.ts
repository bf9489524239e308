/**
 * A repository of somebody else, through a bare copy on this machine that only fetches what is new. Made for those who ask again and
 * again: what is here is not asked for, and nothing is held between two questions, so the copy may vanish and is made anew.
 *
 * Invariant: a commit has a ref of its own here, so that processes that fetch at once do not get in each other's way.
 */
import { hash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suggest } from "../manifest/text/suggest.ts";
import { OdoroboError } from "../model/errors.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { Git, type ObjectFormat } from "./git.ts";
import { gitEnvironment } from "./git-environment.ts";
import { type Deadlines, type GitExit, runGit } from "./git-process.ts";
import { GitRemote, type RepositoryLocation, refuseOption } from "./git-remote.ts";

export interface FoundRef {
  /** As the repository calls it: `refs/heads/main`; null: it is a commit's id. */
  readonly name: string | null;
  readonly commit: string;
  /** A tag of that name is passed over for the branch. */
  readonly hidesTag: boolean;
}

/** What git does alone on this machine. */
const LOCAL: Deadlines = { quietMs: 300_000, totalMs: 300_000 };

const COMMIT_ID = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

export class Repository {
  readonly #remote: GitRemote;
  readonly #cache: string;

  /** `cache`: where copies of repositories are kept. Throws USAGE when the address is none. */
  constructor(location: RepositoryLocation, cache = cacheFolder(), deadlines: Partial<Deadlines> = {}) {
    refuseOption("repository", location.url);
    this.#remote = new GitRemote(location, deadlines);
    this.#cache = cache;
  }

  /** For people: without passwords and tokens. */
  get url(): string {
    return this.#remote.url;
  }

  /** Asked of the server: name → object, `NAME^{}` → the commit that a tag names. Rejects with SOURCE_UNREADABLE. */
  async refs(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    return await this.#remote.refs(signal);
  }

  /** A branch comes before a tag, and a commit's id is always that commit. Rejects with SOURCE_REF_NOT_FOUND, too. */
  async find(ref: string, signal: AbortSignal): Promise<FoundRef> {
    refuseOption("ref", ref);
    if (COMMIT_ID.test(ref)) return { name: null, commit: ref, hidesTag: false };
    const refs = await this.refs(signal);
    const name = [ref, `refs/heads/${ref}`, `refs/tags/${ref}`].find((each) => refs.has(each));
    const commit = name === undefined ? undefined : (refs.get(`${name}^{}`) ?? refs.get(name));
    if (name === undefined || commit === undefined) throw refNotFound(this.url, ref, shortNames(refs));
    return { name, commit, hidesTag: name === `refs/heads/${ref}` && refs.has(`refs/tags/${ref}`) };
  }

  /** The commit that `find` finds. */
  async resolve(ref: string, signal: AbortSignal): Promise<string> {
    return (await this.find(ref, signal)).commit;
  }

  /** `ref`: also the name of one that is neither branch nor tag, as `refs/pull/7/head`. Answers with the commit, which is here then. */
  async fetch(ref: string, signal: AbortSignal): Promise<string> {
    const found = await this.find(ref, signal);
    await this.bring(found, signal);
    return found.commit;
  }

  /** Rejects with SOURCE_UNREADABLE, FILE_UNWRITABLE, and with SOURCE_REF_NOT_FOUND when the server does not give such a commit. */
  async bring({ name, commit }: Pick<FoundRef, "name" | "commit">, signal: AbortSignal): Promise<void> {
    if (await this.has(commit, signal)) return;
    const folder = await this.#madeFolder(commit, signal);
    let failure: unknown;
    try {
      await this.#remote.fetch(folder, `${name ?? commit}:refs/odorobo/${commit}`, signal);
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
    // Another process may have brought it while we were refused the lock.
    if (await this.has(commit, signal)) return;
    if (name === null) throw refNotFound(this.url, commit, shortNames(await this.refs(signal)), failure);
    if (failure !== undefined) throw failure;
    throw new OdoroboError("SOURCE_UNREADABLE", `${this.url} did not give the commit it named for ${name}`, {
      hint: "it has just moved on: try again",
    });
  }

  /** Without asking the server. */
  async has(commit: string, signal: AbortSignal): Promise<boolean> {
    return (
      existsSync(this.#folderOf(commit)) &&
      (await this.#ask(commit, ["cat-file", "-e", `${commit}^{commit}`], signal)) !== null
    );
  }

  /** The copy, in which the commit is. Rejects as `bring`. */
  async folderWith(commit: string, signal: AbortSignal): Promise<string> {
    await this.bring({ name: null, commit }, signal);
    return this.#folderOf(commit);
  }

  /** Both are here. What a shallow history does not show is not contained. */
  async contains(commit: string, ancestor: string, signal: AbortSignal): Promise<boolean> {
    const { code, stderr } = await this.#run(commit, ["merge-base", "--is-ancestor", ancestor, commit], signal);
    if (code === 0 || code === 1) return code === 0;
    throw this.#broken(stderr);
  }

  /** Both are here. Null: they have nothing in common. */
  async mergeBase(a: string, b: string, signal: AbortSignal): Promise<string | null> {
    return await this.#ask(a, ["merge-base", a, b], signal);
  }

  /** The first line of what its author says it is for. It is here. */
  async subject(commit: string, signal: AbortSignal): Promise<string> {
    return (await this.#ask(commit, ["log", "-1", "--no-show-signature", "--format=%s", commit], signal)) ?? "";
  }

  /** Null when git does not want to, whatever the reason. */
  async #ask(commit: string, args: readonly string[], signal: AbortSignal): Promise<string | null> {
    const { code, stdout } = await this.#run(commit, args, signal);
    return code === 0 ? stdout.trim() : null;
  }

  async #run(commit: string, args: readonly string[], signal: AbortSignal): Promise<GitExit> {
    const folder = this.#folderOf(commit);
    return await runGit({ args, folder, env: gitEnvironment(), isAlone: false, deadlines: LOCAL }, signal);
  }

  #broken(said: string): OdoroboError {
    return new OdoroboError("SOURCE_UNREADABLE", `the copy of ${this.url} cannot be read`, {
      cause: new Error(said.trim()),
      hint: "remove it, and it is made anew",
    });
  }

  #folderOf(commit: string): string {
    const suffix = formatOf(commit) === "sha1" ? "" : "-sha256";
    return join(this.#cache, "git", `${hash("sha256", this.url, "hex").slice(0, 32)}${suffix}`);
  }

  async #madeFolder(commit: string, signal: AbortSignal): Promise<string> {
    const folder = this.#folderOf(commit);
    if (!existsSync(folder)) await makeCopy(folder, formatOf(commit), signal);
    return folder;
  }
}

const formatOf = (commit: string): ObjectFormat => (commit.length === 64 ? "sha256" : "sha1");

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

const shortNames = (refs: ReadonlyMap<string, string>): string[] =>
  [...refs.keys()].filter((name) => !name.endsWith("^{}")).map((name) => name.replace(/^refs\/(heads|tags)\//, ""));

export function refNotFound(repo: string, ref: string, names: readonly string[], cause?: unknown): OdoroboError {
  const known = names.filter((name) => name !== "" && name !== "HEAD" && !name.startsWith("refs/"));
  const hint = suggest(ref, known, "the repository has no branch and no tag yet");
  return new OdoroboError("SOURCE_REF_NOT_FOUND", `${repo} has no branch, tag or commit ${ref}`, { cause, hint });
}
