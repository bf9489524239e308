/**
 * Files that git changes on their way between commit and work tree (LFS, encryption, keywords, other encodings): what is read
 * here and there would be two fleets of one commit, so they are refused in both. Line ends are not among them: see `toText`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { OdoroboError } from "../model/errors.ts";
import type { CommitView } from "./commit-view.ts";
import type { FoundFiles } from "./find-files.ts";
import type { Attribute, AttributeSource, Git } from "./git/git.ts";

const NAMES = ["filter", "ident", "working-tree-encoding"];

/** Macros can bring any of them. */
const MAY_FILTER = /\b(filter|ident|working-tree-encoding)\b|\[attr\]/;

/** Few repositories have such attributes, and only they pay for more than a look. */
export async function mayFilter(git: Git, { attributeFiles }: CommitView): Promise<boolean> {
  const contents = await git.readBlobs(attributeFiles.map(({ blobId }) => blobId));
  return contents.some((content) => MAY_FILTER.test(content.toString("utf8")));
}

export interface FilterCheck {
  /** Rejects with SOURCE_UNREADABLE. Keywords matter only where a text has some: without texts they are passed over. */
  refuse(files: FoundFiles, texts?: readonly ManifestText[]): Promise<void>;
}

/** Of a folder; `git` is bound to it. */
export const filtersOfWorkTree = (git: Git): FilterCheck => ({
  refuse: (files, texts) => refuse(git, { kind: "work-tree" }, "", files, texts),
});

/** Of a commit: git looks up attributes in an index only, so it gets one of its own. */
export async function filtersOfCommit(
  git: Git,
  commit: string,
  folder: string,
  view: CommitView,
): Promise<FilterCheck & AsyncDisposable> {
  if (!(await mayFilter(git, view))) return { refuse: async () => {}, [Symbol.asyncDispose]: async () => {} };
  const gitFolder = (await git.read("rev-parse", "--absolute-git-dir")).trim();
  const temporary = await mkdtemp(join(tmpdir(), "odorobo-index-"));
  const remove = () => rm(temporary, { recursive: true, force: true });
  try {
    const indexFile = join(temporary, "index");
    await git.writeIndex(commit, indexFile);
    const of: AttributeSource = { kind: "index", gitFolder, indexFile };
    return {
      refuse: (files, texts) => refuse(git, of, folder, files, texts),
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function refuse(
  git: Git,
  of: AttributeSource,
  folder: string,
  files: FoundFiles,
  texts: readonly ManifestText[] = [],
): Promise<void> {
  const contents = new Map(texts.map(({ path, text }) => [path, text]));
  const names = new Map([...files].map(([path, real]) => [posix.join(folder, real), path]));
  for (const attribute of await git.attributes([...names.keys()], NAMES, of)) {
    const path = names.get(attribute.path) ?? attribute.path;
    const how = changedBy(attribute, contents.get(path));
    if (how === null) continue;
    throw new OdoroboError("SOURCE_UNREADABLE", `git changes ${path} between commit and work tree (${how})`, {
      hint: `the file must be what was committed: in .gitattributes, ${path} -${attribute.name}`,
    });
  }
}

const KEYWORD = /\$Id(:[^$\n]*)?\$/;

function changedBy({ name, value }: Attribute, text: string | undefined): string | null {
  if (value === "unspecified" || value === "unset") return null;
  if (name === "filter") return `filter=${value}`;
  if (name === "ident") return KEYWORD.test(text ?? "") ? "ident" : null;
  return /^utf-?8$/i.test(value) ? null : `working-tree-encoding=${value}`;
}
