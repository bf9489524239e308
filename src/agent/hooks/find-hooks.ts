/**
 * The executables of one point, in the order of their names. Names that begin with a dot are an editor's or a package
 * manager's, and not looked at. What is there and may not be run is found too, with why: left out silently, it would not be missed.
 */
import { constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, OdoroboError } from "../../model/errors.ts";

export interface FoundHook {
  readonly path: string;
  /** Why it must not be run; null: it may. */
  readonly problem: string | null;
}

/** A folder that is not there has none. Rejects with HOOK_FAILED when it cannot be read, or strangers may write to it. */
export async function findHooks(folder: string): Promise<readonly FoundHook[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => !name.startsWith("."));
    const stranger = names.length === 0 ? null : whoElseWrites(await stat(folder));
    if (stranger !== null)
      throw new OdoroboError("HOOK_FAILED", `no hook of ${folder} is run: ${stranger} may write to the folder`, {
        hint: stranger === EVERYBODY ? `chmod o-w ${folder}` : `chown ${process.geteuid?.() ?? "root"} ${folder}`,
      });
  } catch (error) {
    if (isErrno(error, "ENOENT")) return [];
    if (error instanceof OdoroboError) throw error;
    throw new OdoroboError("HOOK_FAILED", `the hooks in ${folder} cannot be read`, {
      cause: error,
      hint: "may the agent's user look into the folder?",
    });
  }
  const paths = names.sort().map((name) => join(folder, name));
  return Promise.all(paths.map(async (path) => ({ path, problem: await problemOf(path) })));
}

async function problemOf(path: string): Promise<string | null> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) return "it is not a file";
    const stranger = whoElseWrites(facts);
    if (stranger !== null) return `${stranger} may write to it`;
    await access(path, constants.X_OK);
    return (facts.mode & 0o111) === 0 ? "it is not executable" : null;
  } catch (error) {
    return isErrno(error, "EACCES") ? "it is not executable" : "it cannot be looked at";
  }
}

const EVERYBODY = "everybody";

/** Beside root, the agent's own user and the groups that one of them let in. Null: nobody. */
function whoElseWrites({ mode, uid }: { readonly mode: number; readonly uid: number }): string | null {
  if ((mode & 0o002) !== 0) return EVERYBODY;
  return uid === 0 || uid === process.geteuid?.() ? null : `user ${uid}, whose it is,`;
}
