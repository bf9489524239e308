/**
 * Where callers may have the agent read and write: below the roots that it was started with (`--allow-path`), and nowhere else.
 *
 * What comes back is the path to use, with every link in it followed: the one that was given is not looked at again.
 * `..` is taken away before links are followed. A root itself is not below itself.
 *
 * Between this answer and its use, who may write to a folder on the way can put a link in its place. So the roots' own folders must
 * belong to people who may write wherever the agent may; a guest never can. A supervisor that confines processes is the second fence.
 */
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { isErrno, OdoroboError } from "../model/errors.ts";

/** <linux/limits.h> PATH_MAX, with its end mark. */
const MAX_PATH_BYTES = 4_095;

/** The path need not exist yet. Rejects with PATH_NOT_ALLOWED, which says nothing of what lies outside the roots. */
export async function confinePath(path: string, roots: readonly string[]): Promise<string> {
  refuseUnfit(path);
  const wanted = resolve(path);
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => null)));
  const isBelowRoot = (candidate: string) => realRoots.some((root) => root !== null && isBelow(candidate, root));
  // Asked before the file system is: what is not even called like something in a root is not looked for.
  if (!isBelowRoot(wanted) && !roots.some((root) => isBelow(wanted, resolve(root)))) throw outside(path, roots);
  const missing = roots.find((root, index) => realRoots[index] === null && isBelow(wanted, resolve(root)));
  if (missing !== undefined && !isBelowRoot(wanted)) throw notThere(path, missing);
  const real = await followLinks(wanted, path);
  if (!isBelowRoot(real)) throw outside(path, roots);
  return real;
}

/** The real path of what is there, with what is not there yet after it. */
async function followLinks(wanted: string, path: string): Promise<string> {
  const missing: string[] = [];
  for (let existing = wanted; ; existing = dirname(existing)) {
    try {
      return join(await realpath(existing), ...missing);
    } catch (cause) {
      if (!isErrno(cause, "ENOENT")) throw refused(path, "cannot be followed to its end", cause);
    }
    // A link to nothing would be followed, and its end made, by whoever creates it.
    if (await isThere(existing)) throw refused(path, "goes through a link that leads nowhere");
    missing.unshift(basename(existing));
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const isBelow = (path: string, root: string): boolean =>
  path !== root && path.startsWith(root === sep ? sep : root + sep);

function refuseUnfit(path: string): void {
  if (/\p{Cc}/u.test(path)) throw refused(path, "has control characters in it");
  if (!isAbsolute(path)) throw refused(path, "is not absolute");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refused(path, `is longer than ${MAX_PATH_BYTES} bytes`);
}

const refused = (path: string, why: string, cause?: unknown) =>
  new OdoroboError("PATH_NOT_ALLOWED", `the path ${shown(path)} ${why}`, {
    cause,
    hint: "give the absolute path of a file or folder below one that the agent was given with --allow-path",
  });

const outside = (path: string, roots: readonly string[]) =>
  new OdoroboError("PATH_NOT_ALLOWED", `${shown(path)} is outside of where this agent may read and write for others`, {
    hint:
      roots.length === 0
        ? "nothing is allowed yet: start the agent with --allow-path FOLDER"
        : `what lies below ${roots.join(", ")} is allowed; --allow-path of the agent adds a folder`,
  });

const notThere = (path: string, root: string) =>
  new OdoroboError("PATH_NOT_ALLOWED", `${shown(path)} would be allowed, but ${root} is not there`, {
    hint: `make the folder ${root} on the node`,
  });

const shown = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
