/** A folder of this machine as a TreeView. Throws SOURCE_UNREADABLE, naming what it is about. */
import { type Dirent, lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../model/errors.ts";
import type { TreeItem, TreeKind, TreeView } from "./tree-view.ts";

export class FolderView implements TreeView {
  readonly #root: string;
  /** Of the repository that the folder is in, or the folder itself. */
  readonly #top: string;

  /** Both without links in them. */
  constructor(root: string, top: string) {
    this.#root = root;
    this.#top = top;
  }

  list(folder: string): readonly TreeItem[] {
    try {
      const entries = readdirSync(join(this.#root, folder), { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
    } catch (error) {
      throw unreadable(folder === "" ? this.#root : folder, error);
    }
  }

  kindOf(path: string): TreeKind | null {
    try {
      const stat = lstatSync(join(this.#root, path), { throwIfNoEntry: false });
      return stat === undefined ? null : kindOf(stat);
    } catch (error) {
      if (isErrno(error, "ENOTDIR")) return null;
      throw unreadable(path, error);
    }
  }

  linkTarget(path: string): string {
    try {
      return readlinkSync(join(this.#root, path));
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  isFileOutside(path: string): boolean {
    const absolute = join(this.#root, path);
    if (path.startsWith("/") || !absolute.startsWith(`${this.#top}/`)) return false;
    try {
      return lstatSync(absolute, { throwIfNoEntry: false })?.isFile() ?? false;
    } catch {
      return false;
    }
  }
}

const kindOf = (entry: Dirent | Stats): TreeKind =>
  entry.isFile() ? "file" : entry.isDirectory() ? "folder" : entry.isSymbolicLink() ? "link" : "other";

export function unreadable(path: string, cause: unknown): OdoroboError {
  const [reason, hint] = isErrno(cause, "ENOENT")
    ? ["is not there", "is the path right?"]
    : isErrno(cause, "EACCES") || isErrno(cause, "EPERM")
      ? ["may not be read by this user", "give this user the right to read it"]
      : isErrno(cause, "ENOTDIR")
        ? ["is not a folder", "give the folder that holds the manifests"]
        : isErrno(cause, "ELOOP")
          ? ["is a symbolic link to itself", "remove it"]
          : ["cannot be read", "is the disk or mount in order?"];
  return new OdoroboError("SOURCE_UNREADABLE", `${path} ${reason}`, { cause, hint });
}
