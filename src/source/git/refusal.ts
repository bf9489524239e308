/** What git says when it does not want to → what a person should do. The words are git's own, in the C locale. */
import { OdoroboError } from "../../model/errors.ts";

/** `what` could not be read: a folder, or an address without credentials. */
export function gitRefusal(what: string, cause: unknown): OdoroboError {
  if (cause instanceof OdoroboError) return cause;
  const said = cause instanceof Error ? cause.message : "";
  for (const [words, reason, hint] of REFUSALS)
    if (words.test(said)) return damage(`${what} ${reason}`, cause, hint(said));
  return damage(`git cannot read ${what}`, cause, "is the repository whole? git fsck tells");
}

const damages = new WeakSet<OdoroboError>();

/** What is wrong is the repository here, and not what was committed. */
export function damage(
  message: string,
  cause?: unknown,
  hint = "is the clone whole? git fsck tells, git fetch brings what is missing",
): OdoroboError {
  const error = new OdoroboError("SOURCE_UNREADABLE", message, { cause, hint });
  damages.add(error);
  return error;
}

export const isDamage = (error: OdoroboError): boolean => damages.has(error);

const REFUSALS: readonly (readonly [words: RegExp, reason: string, hint: (said: string) => string])[] = [
  [
    /dubious ownership/,
    "belongs to another user, and git does not trust it",
    (said) =>
      `if you do: git config --global --add safe.directory ${/repository at '([^']+)'/.exec(said)?.[1] ?? "FOLDER"}`,
  ],
  [
    /promisor|lazy fetch/,
    "is a partial clone, and what it lacks cannot be fetched",
    () => "is its origin reachable? git fetch --refetch makes the clone whole",
  ],
  [
    /(missing|bad|corrupt|unable to read|could not get|invalid) .*(object|blob|tree|commit|sha1)|does not exist in|object file .* is empty|bad object/i,
    "lacks objects or holds broken ones",
    () => "is the clone whole? git fsck tells, git fetch brings what is missing",
  ],
  [/Permission denied/, "may not be read by this user", () => "give this user the right to read it"],
  [
    /not a git repository/,
    "is not a git repository that can be read",
    () => "for a plain folder of manifests leave --repo out",
  ],
];

/** No repository around the folder, as opposed to one that git refuses. */
export const isNoRepository = (error: unknown): boolean =>
  error instanceof Error && /not a git repository \(or any/.test(error.message);
