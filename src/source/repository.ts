/**
 * A repository of somebody else, through a bare copy on this machine that only fetches what is new. Made for those who ask again and
 * again: what is here is not asked for, and nothing is held between two questions, so the copy may vanish and is made anew.
 *
 * Invariant: a commit has a ref of its own here, so that processes that fetch at once do not get in each other's way.
 */
import { hash } from "node:crypto";
import { join } from "node:path";
import { suggest } from "../manifest/text/suggest.ts";
import { OdoroboError } from "../model/errors.ts";
import { cacheFolder } from "../platform/cache-folder.ts";
import { BareCopy } from "./git/bare-copy.ts";
import type { ObjectFormat } from "./git/git.ts";
import type { Deadlines } from "./git/process.ts";
import { GitRemote, type RepositoryLocation, refuseOption } from "./git/remote.ts";
import { type Signature, signaturesOf } from "./git/signatures.ts";

export interface FoundRef {
  /** As the repository calls it: `refs/heads/main`; null: it is a commit's id. */
  readonly name: string | null;
  readonly commit: string;
  /** A tag of that name is passed over for the branch. */
  readonly hidesTag: boolean;
}

/** Whose the commits are that are only here: nobody's, at no time, so that the same is the same again. */
const NOBODY = {
  GIT_AUTHOR_NAME: "odorobo",
  GIT_AUTHOR_EMAIL: "nobody@invalid",
  GIT_AUTHOR_DATE: "@0 +0000",
  GIT_COMMITTER_NAME: "odorobo",
  GIT_COMMITTER_EMAIL: "nobody@invalid",
  GIT_COMMITTER_DATE: "@0 +0000",
};

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
  async bring(found: Pick<FoundRef, "name" | "commit">, signal: AbortSignal): Promise<void> {
    if (await this.has(found.commit, signal)) return;
    const copy = this.#copyWith(found.commit);
    try {
      await this.#fetch(copy, found, signal);
    } catch (error) {
      signal.throwIfAborted();
      // What looks like the server's fault may be the copy's.
      if (!copy.isThere || !(await copy.isDamaged(signal))) throw error;
      copy.remove();
      await this.#fetch(copy, found, signal);
    }
  }

  async #fetch(
    copy: BareCopy,
    { name, commit }: Pick<FoundRef, "name" | "commit">,
    signal: AbortSignal,
  ): Promise<void> {
    await copy.make(signal);
    // Where a branch has moved on meanwhile, the commit itself is asked for: not every server gives those.
    for (const wanted of name === null ? [commit] : [name, commit]) {
      let failure: unknown = null;
      try {
        await this.#remote.fetch(copy.folder, `${wanted}:refs/odorobo/${commit}`, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
      // Another process may have brought it while we were refused the lock.
      if (await this.has(commit, signal)) return;
      if (wanted === name && failure !== null) throw failure;
      if (wanted === commit) throw await this.#notGiven(commit, failure, signal);
    }
  }

  async #notGiven(commit: string, cause: unknown, signal: AbortSignal): Promise<OdoroboError> {
    // A server that cannot be asked says nothing of what it has.
    return refNotFound(this.url, commit, shortNames(await this.refs(signal)), cause);
  }

  /** Without asking the server. */
  async has(commit: string, signal: AbortSignal): Promise<boolean> {
    const copy = this.#copyWith(commit);
    return copy.isThere && (await copy.ask(["cat-file", "-e", `${commit}^{commit}`], signal)) !== null;
  }

  /** The folder of the copy, in which the commit is. Rejects as `bring`. */
  async folderWith(commit: string, signal: AbortSignal): Promise<string> {
    await this.bring({ name: null, commit }, signal);
    return this.#copyWith(commit).folder;
  }

  /** When the copy cannot be read after all. True: it is made anew when it is asked for next. */
  async removeIfDamaged(commit: string, signal: AbortSignal): Promise<boolean> {
    const copy = this.#copyWith(commit);
    if (copy.isThere && !(await copy.isDamaged(signal))) return false;
    copy.remove();
    return true;
  }

  /** Both are here. What a shallow history does not show is not contained. */
  async contains(commit: string, ancestor: string, signal: AbortSignal): Promise<boolean> {
    const { code, stderr } = await this.#copyWith(commit).run(
      ["merge-base", "--is-ancestor", ancestor, commit],
      signal,
    );
    if (code === 0 || code === 1) return code === 0;
    throw this.#broken(stderr);
  }

  #broken(said: string): OdoroboError {
    return new OdoroboError("SOURCE_UNREADABLE", `the copy of ${this.url} cannot be read`, {
      cause: new Error(said.trim()),
      hint: "remove it, and it is made anew",
    });
  }

  /** Both are here. Null: they have nothing in common. */
  async mergeBase(a: string, b: string, signal: AbortSignal): Promise<string | null> {
    return await this.#copyWith(a).ask(["merge-base", a, b], signal);
  }

  /**
   * The commit that merging `head` into `base` would make, as far as git can do that alone: only here, and the same again for the
   * same two. Both are here. Null: they conflict, or have nothing in common.
   */
  async merged(base: string, head: string, signal: AbortSignal): Promise<string | null> {
    if (await this.contains(head, base, signal)) return head;
    if (await this.contains(base, head, signal)) return base;
    const copy = this.#copyWith(base);
    const tree = await copy.ask(["merge-tree", "--write-tree", "--no-messages", base, head], signal);
    if (tree === null) return null;
    const make = ["commit-tree", tree, "-p", base, "-p", head, "-m", `merge ${head} into ${base}`];
    const { code, stdout, stderr } = await copy.run(make, signal, NOBODY);
    if (code !== 0) throw this.#broken(stderr);
    return stdout.trim();
  }

  /** The server has only a part of its own history: a shallow clone. */
  async isShallow(commit: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#copyWith(commit).ask(["rev-parse", "--is-shallow-repository"], signal)) === "true";
  }

  /** The first line of what its author says it is for. It is here. */
  async subject(commit: string, signal: AbortSignal): Promise<string> {
    return (
      (await this.#copyWith(commit).ask(["log", "-1", "--no-show-signature", "--format=%s", commit], signal)) ?? ""
    );
  }

  /** The commit is here. Rejects with SOURCE_UNREADABLE when there is nothing to verify with. */
  async verify(
    commit: string,
    allowedSignersFile: string,
    signal: AbortSignal,
  ): Promise<{ readonly by: string } | { readonly problem: string }> {
    const [{ by, problem }] = await this.signatures(commit, null, allowedSignersFile, signal);
    return by === null ? { problem: problem ?? "" } : { by };
  }

  /**
   * Of a commit, and of those that it follows on its own branch (by first parents) down to what `since` contains: what was merged is
   * vouched for by who signed the merge. Newest first; both commits are here.
   */
  async signatures(
    commit: string,
    since: string | null,
    signersFile: string,
    signal: AbortSignal,
  ): Promise<[Signature, ...Signature[]]> {
    const { folder } = this.#copyWith(commit);
    const line =
      since === null ? [] : await signaturesOf(folder, ["--first-parent", commit, `^${since}`], signersFile, signal);
    const [first, ...others] = line.length > 0 ? line : await signaturesOf(folder, ["-1", commit], signersFile, signal);
    if (first?.commit !== commit) throw new Error(`git log does not tell of ${commit}`);
    return [first, ...others];
  }

  /** Frees the room of what is needed no longer: all but what that commit contains. Never fails. */
  async tidy(commit: string, signal: AbortSignal): Promise<void> {
    await this.#copyWith(commit)
      .tidy(commit, signal)
      .catch(() => {});
  }

  #copyWith(commit: string): BareCopy {
    const format: ObjectFormat = commit.length === 64 ? "sha256" : "sha1";
    const name = hash("sha256", this.url, "hex").slice(0, 32);
    return new BareCopy(join(this.#cache, "git", format === "sha1" ? name : `${name}-sha256`), format);
  }
}

const shortNames = (refs: ReadonlyMap<string, string>): string[] =>
  [...refs.keys()].filter((name) => !name.endsWith("^{}")).map((name) => name.replace(/^refs\/(heads|tags)\//, ""));

export function refNotFound(repo: string, ref: string, names: readonly string[], cause?: unknown): OdoroboError {
  const known = names.filter((name) => name !== "" && name !== "HEAD" && !name.startsWith("refs/"));
  const hint = suggest(ref, known, "the repository has no branch and no tag yet");
  return new OdoroboError("SOURCE_REF_NOT_FOUND", `${repo} has no branch, tag or commit ${ref}`, { cause, hint });
}
