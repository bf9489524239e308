/** A commit's entries below one folder as a TreeView; their contents are read by the caller, many at once. */
import { posix } from "node:path";
import { submoduleThere } from "./find-files.ts";
import type { Git, IndexEntry, TreeEntry } from "./git/git.ts";
import { isSkipped } from "./source.ts";
import type { TreeItem, TreeKind, TreeView } from "./tree-view.ts";

const MODES: Readonly<Record<string, TreeKind>> = { "120000": "link", "160000": "submodule" };

export const kindOfMode = ({ mode }: Pick<TreeEntry | IndexEntry, "mode">): TreeKind => MODES[mode] ?? "file";

export class CommitView implements TreeView {
  /** Without the folder's own path. */
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** `.gitattributes` that say something about files below the folder, also of the folders around it: paths from the repository's root. */
  readonly attributeFiles: readonly TreeEntry[];
  readonly #folders: ReadonlyMap<string, ReadonlyMap<string, TreeKind>>;
  readonly #targets: ReadonlyMap<string, string>;
  readonly #filesOutside: ReadonlySet<string>;

  private constructor(
    entries: ReadonlyMap<string, TreeEntry>,
    attributeFiles: readonly TreeEntry[],
    targets: ReadonlyMap<string, string>,
    filesOutside: ReadonlySet<string>,
  ) {
    this.entries = entries;
    this.attributeFiles = attributeFiles;
    this.#folders = foldersOf(entries);
    this.#targets = targets;
    this.#filesOutside = filesOutside;
  }

  /** `folder` from the repository's root, "" for all of it. Rejects with SOURCE_UNREADABLE. */
  static async open(git: Git, commit: string, folder: string): Promise<CommitView> {
    const prefix = folder === "" ? "" : `${folder}/`;
    const entries = new Map<string, TreeEntry>();
    const attributeFiles: TreeEntry[] = [];
    for (const entry of await git.listTree(commit, folder === "" ? [] : [prefix, ...attributesAbove(folder)])) {
      if (posix.basename(entry.path) === ".gitattributes" && kindOfMode(entry) === "file") attributeFiles.push(entry);
      if (entry.path.startsWith(prefix)) entries.set(entry.path.slice(prefix.length), entry);
    }
    const links = [...entries].filter(([, entry]) => kindOfMode(entry) === "link");
    const contents = await git.readBlobs(links.map(([, { blobId }]) => blobId));
    const targets = new Map(links.map(([path], index) => [path, contents[index]?.toString("utf8") ?? ""]));
    return new CommitView(entries, attributeFiles, targets, await filesOutside(git, commit, prefix, targets));
  }

  /** Before anything else is told: what else is wrong may be wrong because of them. */
  refuseSubmodules(): void {
    for (const [path, entry] of this.entries)
      if (kindOfMode(entry) === "submodule" && !path.split("/").some(isSkipped)) throw submoduleThere(path);
  }

  list(folder: string): readonly TreeItem[] {
    return [...(this.#folders.get(folder) ?? [])].map(([name, kind]) => ({ name, kind }));
  }

  kindOf(path: string): TreeKind | null {
    const entry = this.entries.get(path);
    return entry !== undefined ? kindOfMode(entry) : this.#folders.has(path) ? "folder" : null;
  }

  linkTarget(path: string): string {
    return this.#targets.get(path) ?? "";
  }

  isFileOutside(path: string): boolean {
    return this.#filesOutside.has(path);
  }
}

function foldersOf(entries: ReadonlyMap<string, TreeEntry>): ReadonlyMap<string, ReadonlyMap<string, TreeKind>> {
  const folders = new Map<string, Map<string, TreeKind>>();
  const add = (path: string, kind: TreeKind): void => {
    const slash = path.lastIndexOf("/");
    const folder = slash === -1 ? "" : path.slice(0, slash);
    let names = folders.get(folder);
    if (names === undefined) {
      names = new Map();
      folders.set(folder, names);
      if (folder !== "") add(folder, "folder");
    }
    names.set(path.slice(slash + 1), kind);
  };
  for (const [path, entry] of entries) add(path, kindOfMode(entry));
  return folders;
}

/** `a/b` → `.gitattributes`, `a/.gitattributes`. */
const attributesAbove = (folder: string): string[] =>
  folder.split("/").map((_, index, parts) => [...parts.slice(0, index), ".gitattributes"].join("/"));

/** Which links lead to a file of the repository outside the folder; as the links write it, seen from the folder. */
async function filesOutside(
  git: Git,
  commit: string,
  prefix: string,
  targets: ReadonlyMap<string, string>,
): Promise<ReadonlySet<string>> {
  const fromRoot = new Map<string, string>();
  for (const [link, target] of targets) {
    const outside = posix.join(posix.dirname(link), target);
    const path = posix.join(prefix, outside);
    if (!target.startsWith("/") && outside.startsWith("../") && path !== "." && !/^\.\.(\/|$)/.test(path))
      fromRoot.set(path.replace(/\/$/, ""), outside);
  }
  if (fromRoot.size === 0) return new Set();
  const found = new Set<string>();
  for (const entry of await git.listTree(commit, [...fromRoot.keys()])) {
    const outside = fromRoot.get(entry.path);
    if (outside !== undefined && kindOfMode(entry) === "file") found.add(outside);
  }
  return found;
}
