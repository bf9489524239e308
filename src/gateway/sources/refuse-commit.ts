/** Commits that nobody may have meant: without what is in force in their history, or signed by nobody who may. */
import { OdoroboError } from "../../model/errors.ts";
import type { Repository } from "../../source/repository.ts";

const short = (commit: string): string => commit.slice(0, 12);

/** `commit` is here. Rejects with SOURCE_REWOUND when its history does not contain `since`. */
export async function refuseRewind(
  repository: Repository,
  commit: string,
  since: string,
  signal: AbortSignal,
): Promise<void> {
  // Of a whole history everything is here that it contains.
  const isKnown = await repository.has(since, signal);
  if (isKnown && (await repository.contains(commit, since, signal))) return;
  const base = isKnown ? await repository.mergeBase(commit, since, signal) : null;
  const isShallow = base === null && (await repository.isShallow(commit, signal));
  const parting = isShallow
    ? "the repository is a shallow clone, which does not show more of its history"
    : base === null
      ? "they have no commit in common"
      : base === commit
        ? "it is an older one"
        : `they part at ${short(base)}`;
  throw new OdoroboError(
    "SOURCE_REWOUND",
    `the history of ${short(commit)} does not contain ${short(since)}, which is in force: ${parting}`,
    {
      hint: isShallow
        ? "make the repository whole: git fetch --unshallow there"
        : `to undo a commit push one that takes it back (git revert); if the branch was rewritten on purpose, say --allow-rewind`,
    },
  );
}

/** Both are here. Rejects with SOURCE_UNSIGNED when the commit, or one before it on its own branch, is signed by nobody of the file. */
export async function refuseUnsigned(
  repository: Repository,
  commit: string,
  since: string | null,
  signersFile: string,
  signal: AbortSignal,
): Promise<void> {
  const known = since !== null && (await repository.has(since, signal)) ? since : null;
  const line = await repository.signatures(commit, known, signersFile, signal);
  const bad = line.findLast(({ problem }) => problem !== null);
  if (bad === undefined) return;
  const before = bad.commit === commit ? "" : `, which comes before ${short(commit)}`;
  const onto = known === null ? "" : `git merge --no-ff -S ${short(commit)} on top of ${short(known)}, `;
  throw new OdoroboError(
    "SOURCE_UNSIGNED",
    `nobody who may has signed ${short(bad.commit)} by ${printable(bad.author, 80)}${before}: ${bad.problem}`,
    {
      hint:
        bad.commit === commit && line.length === 1
          ? `sign it (git commit --amend -S), or push one on top that is signed, by a key that ${signersFile} names`
          : `somebody whom ${signersFile} names vouches for it by a signed merge: ${onto}and push that`,
    },
  );
}

/** On one line, without what a terminal would act on. */
export function printable(text: string, atMost: number): string {
  const line = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length <= atMost
    ? line
    : `${[...line]
        .slice(0, atMost - 1)
        .join("")
        .trimEnd()}…`;
}
