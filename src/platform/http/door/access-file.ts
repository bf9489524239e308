/** The access file as the gate asks it: whose is this token, whose is this certificate? */
import { createHash, timingSafeEqual } from "node:crypto";
import { OdoroboError } from "../../../model/errors.ts";
import { type AccessEntry, type CredentialKind, parseAccessList } from "./access-list.ts";
import type { Caller } from "./caller.ts";
import { openSecretFile, type SecretFile } from "./secret-file.ts";

export interface AccessTable {
  readonly size: number;
  readonly hasCertificates: boolean;
  /** `digest`: sha256 of what was shown. Null: nobody's. */
  find(kind: CredentialKind, digest: Buffer): Caller | null;
}

export type AccessFile = SecretFile<AccessTable>;

/**
 * Rejects with AGENT_INSECURE when the file is missing, has a line that is not as it should be, or is readable by everybody.
 * All or nothing: a list that is half understood might let somebody in whom the other half was to keep out.
 */
export const openAccessFile = (path: string): Promise<AccessFile> =>
  openSecretFile(path, { what: "the access file", flag: "--access-file" }, (text) => toTable(text, path));

export const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

function toTable(text: string, path: string): AccessTable {
  const { entries, problems } = parseAccessList(text);
  if (problems.length > 0) {
    const more = problems.length === 1 ? "" : ` (and ${problems.length - 1} more)`;
    throw new OdoroboError("AGENT_INSECURE", `the access file ${path}, ${problems[0]}${more}`, {
      hint: "mend it; odorobo agent token writes its lines",
    });
  }
  const hasCertificates = entries.some(({ kind }) => kind === "certificate");
  return { size: entries.length, hasCertificates, find: findIn(entries) };
}

function findIn(entries: readonly AccessEntry[]): AccessTable["find"] {
  const known = entries.map((entry) => ({ ...entry, digest: Buffer.from(entry.digest, "hex") }));
  return (kind, digest) => {
    let found: Caller | null = null;
    // To the end whatever is found: how long it takes says nothing of where an entry stands or how much of it fits.
    for (const entry of known) {
      const isIt = timingSafeEqual(entry.digest, digest);
      if (isIt && entry.kind === kind) found = { name: entry.name, role: entry.role, by: kind };
    }
    return found;
  };
}
