/**
 * A folder that git checked out, beside the commit it was checked out from: is what was read what the commit says, and is
 * something of the commit not shown here?
 *
 * Git's own `status` is not asked: it is content with files that it was told not to look at, and writes to the index.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { isManifestPath } from "../manifest/read-manifests.ts";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { OdoroboError } from "../model/errors.ts";
import { CommitView, kindOfMode } from "./commit-view.ts";
import { type FoundFiles, type FoundTexts, findManifests, findReferred, submoduleThere } from "./find-files.ts";
import { Git, type IndexEntry } from "./git/git.ts";
import { gitRefusal, isNoRepository } from "./git/refusal.ts";
import { filtersOfWorkTree, mayFilter } from "./git-filters.ts";
import { gitBlobId, isSkipped, toText } from "./source.ts";
import type { TreeView } from "./tree-view.ts";

/** The nearest folder around this one that says it is a repository; null: none. */
export function repositoryAround(root: string): string | null {
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, ".git"))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

export class WorkTree {
  readonly commit: string;
  readonly #git: Git;
  readonly #view: CommitView;

  private constructor(commit: string, git: Git, view: CommitView) {
    this.commit = commit;
    this.#git = git;
    this.#view = view;
  }

  /** Null when there is no commit yet, or none that knows this folder. Rejects with SOURCE_UNREADABLE when git refuses. */
  static async open(root: string, signal: AbortSignal): Promise<WorkTree | null> {
    const git = new Git(root, signal);
    const folder = await folderInWorkTree(git, root, signal);
    if (folder === null) return null;
    const commit = await git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}");
    if (!commit) return null;
    const view = await CommitView.open(git, commit, folder);
    return view.entries.size === 0 && folder !== "" ? null : new WorkTree(commit, git, view);
  }

  /** Is what was read something else than what the commit says? Rejects with SOURCE_UNREADABLE when some of it is not shown. */
  async isEdited(folder: TreeView, { texts, files }: FoundTexts): Promise<boolean> {
    const expected = this.#expected(texts);
    const changed = expected === null ? texts : await this.#changed(expected, texts);
    const there = new Set(texts.map(({ path }) => path));
    const missing = [...(expected?.keys() ?? [])].filter((path) => !there.has(path));
    const isSame = expected !== null && changed.length === 0 && missing.length === 0;
    if (!isSame) await this.#refuseWhatIsNotShown(folder, expected, texts);
    if (!isSame || (await mayFilter(this.#git, this.#view))) await filtersOfWorkTree(this.#git).refuse(files, texts);
    return !isSame;
  }

  /** What is wrong with these files may follow from a submodule or a filter that was at them. */
  async refuseWhatMisleads(files: FoundFiles): Promise<void> {
    for (const entry of await this.#git.listIndex()) refuseSubmodule(entry);
    await filtersOfWorkTree(this.#git).refuse(files);
  }

  /** Path → blob id of what would be read of the commit; null when it could not be read. */
  #expected(texts: readonly ManifestText[]): ReadonlyMap<string, string> | null {
    try {
      const found = [...findManifests(this.#view), ...findReferred(this.#view, texts.filter(isManifest))];
      return new Map(found.map(([path, real]) => [path, this.#view.entries.get(real)?.blobId ?? ""]));
    } catch (error) {
      if (error instanceof OdoroboError) return null;
      throw error;
    }
  }

  async #changed(expected: ReadonlyMap<string, string>, texts: readonly ManifestText[]): Promise<ManifestText[]> {
    const differing = texts.filter(({ path, text, blobId }) => {
      const id = expected.get(path);
      return id !== blobId && (id?.length !== 64 || id !== gitBlobId(Buffer.from(text), "sha256"));
    });
    const committed = differing.filter(({ path }) => expected.has(path));
    const blobs = await this.#git.readBlobs(committed.map(({ path }) => expected.get(path) ?? ""));
    // Committed with CRLF.
    const same = new Set(committed.filter((text, index) => isText(blobs[index], text)));
    return differing.filter((text) => !same.has(text));
  }

  async #refuseWhatIsNotShown(
    folder: TreeView,
    expected: ReadonlyMap<string, string> | null,
    texts: readonly ManifestText[],
  ): Promise<void> {
    const read = new Set([...(expected?.keys() ?? []), ...texts.map(({ path }) => path)]);
    for (const entry of await this.#git.listIndex()) {
      refuseSubmodule(entry);
      const { path } = entry;
      const isLink = kindOfMode(entry) === "link" && isShown(path);
      if (!isLink && !read.has(path) && !(isManifestPath(path) && isShown(path))) continue;
      const kind = folder.kindOf(path);
      if (entry.isUnmerged)
        throw new OdoroboError("SOURCE_UNREADABLE", `${path} is in the middle of a merge`, {
          hint: "finish the merge (git status tells what is left), or read a commit: --repo . --ref main",
        });
      if (entry.isSkipped && kind === null)
        throw new OdoroboError("SOURCE_UNREADABLE", `${path} is not checked out (a sparse checkout)`, {
          hint: "git sparse-checkout add its folder, or read the commit: --repo . --ref HEAD",
        });
      if (isLink && kind === "file")
        throw new OdoroboError("SOURCE_UNREADABLE", `${path} is a symbolic link that git could not make here`, {
          hint: "check it out with core.symlinks=true, or read the commit: --repo . --ref HEAD",
        });
    }
    const there = new Set(texts.map(({ path }) => path));
    for (const path of expected?.keys() ?? [])
      if (!there.has(path) && isManifestPath(path) && folder.kindOf(path) === "file")
        throw new OdoroboError("SOURCE_UNREADABLE", `${path} has the name of another file here`, {
          hint: "this file system does not tell the two names apart: rename one of them",
        });
  }
}

const isManifest = ({ path }: ManifestText): boolean => isManifestPath(path);

const isShown = (path: string): boolean => !path.split("/").some(isSkipped);

function refuseSubmodule(entry: IndexEntry): void {
  if (kindOfMode(entry) === "submodule" && isShown(entry.path)) throw submoduleThere(entry.path);
}

function isText(blob: Buffer | undefined, { path, text }: ManifestText): boolean {
  try {
    return blob !== undefined && toText(path, blob).text === text;
  } catch {
    return false;
  }
}

/** From the repository's root; null: git knows no work tree here. */
async function folderInWorkTree(git: Git, root: string, signal: AbortSignal): Promise<string | null> {
  try {
    const [isInside, prefix = ""] = (await git.run("rev-parse", "--is-inside-work-tree", "--show-prefix")).split("\n");
    return isInside === "true" ? prefix.replace(/\/$/, "") : null;
  } catch (error) {
    signal.throwIfAborted();
    if (isNoRepository(error)) return null;
    throw gitRefusal(root, error);
  }
}
