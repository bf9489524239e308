/**
 * The names below one folder, whether they are files of this machine or entries of a commit, and where a path of theirs leads.
 * All that decides which files are read looks at this alone: a folder and the commit it was checked out from cannot differ in it.
 *
 *   folder-view.ts, commit-view.ts → [tree-view.ts] → find-files.ts
 */
import { posix } from "node:path";

/** `submodule`: the place of another repository. `other`: pipes, sockets, devices. */
export type TreeKind = "file" | "folder" | "link" | "submodule" | "other";

export interface TreeItem {
  readonly name: string;
  readonly kind: TreeKind;
}

/** Paths are relative to the folder, with forward slashes; "" is the folder itself. Links are not followed. */
export interface TreeView {
  list(folder: string): readonly TreeItem[];
  /** Null: not there. */
  kindOf(path: string): TreeKind | null;
  linkTarget(path: string): string;
  /** `../LICENSE`: certainly a file of the same repository? */
  isFileOutside(path: string): boolean;
}

export type Resolved =
  | { readonly kind: "file" | "folder" | "other" | "submodule"; readonly path: string }
  | { readonly kind: "missing" | "loop" }
  /** `path` begins with `../`, or is absolute. */
  | { readonly kind: "outside"; readonly path: string };

/** As many as Linux follows (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** Part by part, as the kernel does: `..` behind a link is the parent of where the link leads. */
export function resolvePath(view: TreeView, path: string): Resolved {
  let rest = path.split("/");
  let links = 0;
  const at: string[] = [];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (at.pop() === undefined) return { kind: "outside", path: posix.join("..", ...rest) };
      continue;
    }
    at.push(name);
    const kind = view.kindOf(at.join("/"));
    if (kind === null) return { kind: "missing" };
    if (kind === "submodule") return { kind, path: at.join("/") };
    if (kind === "link") {
      if (++links > MAX_LINKS) return { kind: "loop" };
      const target = view.linkTarget(at.join("/"));
      if (target.startsWith("/")) return { kind: "outside", path: target };
      at.pop();
      rest = [...target.split("/"), ...rest];
    } else if (kind !== "folder") {
      if (rest.some((each) => each !== "" && each !== ".")) return { kind: "missing" };
      return { kind, path: at.join("/") };
    }
  }
  return { kind: "folder", path: at.join("/") };
}
