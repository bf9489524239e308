/**
 * Which files of a tree are read: everything that is named like a manifest, and what manifests refer to.
 *
 * Invariant: what may hold manifests and cannot be looked into is refused by name. Left out in silence, its VMs would look
 * like VMs that somebody deleted.
 */
import { isManifestPath } from "../manifest/read-manifests.ts";
import type { ManifestText } from "../manifest/text/source-document.ts";
import { OdoroboError } from "../model/errors.ts";
import { byName } from "../model/names.ts";
import { referredPaths } from "./referred-paths.ts";
import { isSkipped } from "./source.ts";
import { type Resolved, resolvePath, type TreeView } from "./tree-view.ts";

/** The path that manifests know a file by → where it is when links are followed. */
export type FoundFiles = ReadonlyMap<string, string>;

/** Reads the files found, sorted by path. Links between them were followed; each file is named by the path that led to it. */
export async function readTexts(
  view: TreeView,
  read: (files: FoundFiles) => Promise<readonly ManifestText[]>,
): Promise<FoundTexts> {
  const files = findManifests(view);
  const manifests = await read(files);
  const referred = findReferred(view, manifests);
  const texts = [...manifests, ...(await read(referred))].sort((a, b) => byName(a.path, b.path));
  return { texts, files: new Map([...files, ...referred]) };
}

/**
 * Twenty times the largest fleets that are measured. A folder of more is somebody's home, or a disk: that is to be said within seconds, and not when
 * all of it has been read.
 */
const MOST_ENTRIES = 200_000;

const tooMuch = (path: string): OdoroboError =>
  new OdoroboError(
    "SOURCE_UNREADABLE",
    `there are more than ${MOST_ENTRIES} files and folders, up to ${path || "its top"}`,
    {
      hint: "is it the right folder? name the one that holds nothing but manifests; what is in a hidden folder is not read",
    },
  );

export interface FoundTexts {
  readonly texts: readonly ManifestText[];
  readonly files: FoundFiles;
}

export function findManifests(view: TreeView): FoundFiles {
  const found = new Map<string, string>();
  const walked = new Set<string>();
  const folders: { readonly path: string; readonly real: string }[] = [{ path: "", real: "" }];
  let entries = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (walked.has(folder.real)) continue;
    walked.add(folder.real);
    // Sorted, so that of two links to one hidden folder the same one is read everywhere.
    const items = view.list(folder.real);
    entries += items.length;
    if (entries > MOST_ENTRIES) throw tooMuch(folder.path);
    for (const { name, kind } of [...items].sort((a, b) => byName(b.name, a.name))) {
      if (isSkipped(name)) continue;
      const path = below(folder.path, name);
      const real = below(folder.real, name);
      if (kind === "submodule") throw submoduleThere(path);
      if (kind === "folder") folders.push({ path, real });
      else if (kind === "link") {
        const target = whatLinks(view, path, resolvePath(view, real));
        if (target?.kind === "folder") folders.push({ path, real: target.path });
        else if (target?.kind === "file" && isManifestPath(name)) found.set(path, target.path);
      } else if (isManifestPath(name)) found.set(path, real);
    }
  }
  return new Map([...found].sort(([a], [b]) => byName(a, b)));
}

/** What a link adds to what is read anyway; null: nothing. */
function whatLinks(view: TreeView, path: string, target: Resolved): { kind: "file" | "folder"; path: string } | null {
  switch (target.kind) {
    case "folder":
      // A folder that is not hidden is read where it is.
      return target.path.split("/").some(isSkipped) ? { kind: "folder", path: target.path } : null;
    case "file":
      return { kind: "file", path: target.path };
    case "other":
      return isManifestPath(path) ? { kind: "file", path: target.path } : null;
    case "outside":
      if (!isManifestPath(path) && view.isFileOutside(target.path)) return null;
      throw refusedLink(path, target);
    default:
      throw refusedLink(path, target);
  }
}

/** Files that are not there are left out: `manifest/` says so, where the path was written. */
export function findReferred(view: TreeView, manifests: readonly Pick<ManifestText, "path" | "text">[]): FoundFiles {
  const known = new Set(manifests.map(({ path }) => path));
  const found = new Map<string, string>();
  for (const path of referredPaths(manifests)) {
    if (known.has(path)) continue;
    const target = resolvePath(view, path);
    if (target.kind === "file" || target.kind === "other") found.set(path, target.path);
    else if (target.kind !== "missing" && target.kind !== "folder") throw refusedLink(path, target);
  }
  return found;
}

const below = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);

export function submoduleThere(path: string): OdoroboError {
  return new OdoroboError("SOURCE_UNREADABLE", `${path} is a git submodule, and what is in it is not read`, {
    hint: "commit its files here, read a folder without it, or move it into a hidden folder where nothing is read",
  });
}

function refusedLink(path: string, target: Resolved): OdoroboError {
  switch (target.kind) {
    case "submodule":
      return submoduleThere(target.path);
    case "missing":
      return new OdoroboError("SOURCE_UNREADABLE", `${path} is a symbolic link to nothing`, {
        hint: "is something not mounted or not checked out? otherwise remove the link",
      });
    case "loop":
      return new OdoroboError("SOURCE_UNREADABLE", `${path} is a symbolic link to itself`, { hint: "remove it" });
    default:
      return new OdoroboError("SOURCE_UNREADABLE", `${path} is a symbolic link that leaves the folder`, {
        hint: "links are followed only within the folder, and when they are relative: put the file itself there",
      });
  }
}
