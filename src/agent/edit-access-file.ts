/**
 * Adds, renews and removes callers in an access file, for `odorobo agent token`. An agent that runs sees the change at the next request.
 *
 * The file is the old or the new at each moment, keeps its owner and its comments, and two who change it take turns.
 */
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOfText } from "../model/digest.ts";
import { isErrno, OdoroboError } from "../model/errors.ts";
import type { Role } from "../model/role.ts";
import { writeFileAtomically } from "../platform/atomic-write.ts";
import {
  type AccessEntry,
  CALLER_NAME_RULE,
  isCallerName,
  parseAccessList,
  withDigest,
  withEntry,
  withoutEntries,
} from "../platform/http/door/access-list.ts";

/** The other's change takes milliseconds. */
const TURN_MS = 5_000;

export async function listAccess(path: string): Promise<readonly AccessEntry[]> {
  const { text } = await readAccess(path);
  if (text === null) throw notThere(path);
  return entriesOf(text, path);
}

/** A caller who was not there. Makes the file, too. Rejects with USAGE, AGENT_INSECURE or FILE_UNWRITABLE. */
export const addToken = (path: string, name: string, role: Role, token: string): Promise<readonly AccessEntry[]> =>
  change(path, (text, entries) => {
    if (!isCallerName(name))
      throw new OdoroboError("USAGE", `${JSON.stringify(name)} cannot be a caller's name: ${CALLER_NAME_RULE}`);
    if (entries.some((entry) => entry.name === name)) {
      throw new OdoroboError("USAGE", `${name} is in ${path} already`, {
        hint: "--rotate gives it another token, --revoke takes it away",
      });
    }
    return withEntry(text, { name, role, kind: "token", digest: hashOf(token) });
  });

/** All tokens of this caller are one new one from now on; its role stays. */
export const rotateToken = (path: string, name: string, token: string): Promise<readonly AccessEntry[]> =>
  change(path, (text, entries) => {
    const [first, ...others] = entries.filter((entry) => entry.name === name && entry.kind === "token");
    if (first === undefined) throw nobody(path, name, "has no token in");
    return withoutEntries(withDigest(text, first, { ...first, digest: hashOf(token) }), others);
  });

/** Tokens and certificates. */
export const revokeCaller = (path: string, name: string): Promise<readonly AccessEntry[]> =>
  change(path, (text, entries) => {
    const gone = entries.filter((entry) => entry.name === name);
    if (gone.length === 0) throw nobody(path, name, "is not in");
    return withoutEntries(text, gone);
  });

async function change(
  path: string,
  edit: (text: string, entries: readonly AccessEntry[]) => string,
): Promise<readonly AccessEntry[]> {
  await using _turn = await takeTurn(path);
  const { text, target, mode, owner } = await readAccess(path);
  const changed = edit(text ?? "", entriesOf(text ?? "", path));
  await writeFileAtomically(target, changed, mode, owner).catch((cause) => {
    throw new OdoroboError("FILE_UNWRITABLE", `cannot write ${target}`, {
      cause,
      hint: "is its folder there, and may you write to it? the agent must be able to read it",
    });
  });
  return entriesOf(changed, path);
}

interface AccessText {
  /** Null: the file is not there yet. */
  readonly text: string | null;
  /** What a link points to. */
  readonly target: string;
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

async function readAccess(path: string): Promise<AccessText> {
  try {
    const target = await realpath(path);
    const { mode, uid, gid } = await stat(target);
    return { text: await readFile(target, "utf8"), target, mode: mode & 0o770, owner: { uid, gid } };
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) return { text: null, target: path, mode: 0o600, owner: null };
    throw new OdoroboError("AGENT_INSECURE", `cannot read the access file ${path}`, { cause });
  }
}

/** Nothing is changed in a file that is not understood: who would be lost by it? */
function entriesOf(text: string, path: string): readonly AccessEntry[] {
  const { entries, problems } = parseAccessList(text);
  if (problems.length === 0) return entries;
  throw new OdoroboError("AGENT_INSECURE", `the access file ${path} is not as it should be: ${problems.join("; ")}`, {
    hint: "mend it first; until then agents that use it let nobody in by it",
  });
}

const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

const notThere = (path: string) =>
  new OdoroboError("USAGE", `there is no access file ${path}`, {
    hint: "odorobo agent token --name NAME --role ROLE makes it",
  });

const nobody = (path: string, name: string, has: string) =>
  new OdoroboError("USAGE", `${name} ${has} ${path}`, { hint: "--list shows who is" });

/** A name in the abstract namespace: the kernel gives it back when the process ends, however it ends. */
async function takeTurn(path: string): Promise<AsyncDisposable> {
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  const name = `\0odorobo-access-${digestOfText(join(folder, basename(path))).slice(0, 32)}`;
  const end = performance.now() + TURN_MS;
  for (;;) {
    const server = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path: name }, resolve);
      });
      return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
    } catch (cause) {
      if (!isErrno(cause, "EADDRINUSE")) throw cause;
      if (performance.now() > end) {
        throw new OdoroboError("FILE_UNWRITABLE", `somebody else is changing ${path}`, { cause, hint: "try again" });
      }
      await sleep(20);
    }
  }
}
