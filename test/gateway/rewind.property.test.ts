/** Whatever is done to a branch: what is refused as a rewind is exactly what does not contain the commit in force. */
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { refuseRewind } from "../../src/gateway/sources/refuse-commit.ts";
import { RevisionIds } from "../../src/gateway/sources/revision-ids.ts";
import { isOdoroboError } from "../../src/model/errors.ts";
import { Repository } from "../../src/source/repository.ts";
import { git } from "../support/a-repository.ts";
import { aTempFolder } from "../support/temp-folder.ts";

// Each push starts some ten processes of git.
vi.setConfig({ testTimeout: 300_000 });

const { signal } = new AbortController();

/** Which earlier commits a new one follows, as numbers to be taken modulo how many there are; none: a root. */
type Push =
  | { readonly kind: "commit"; readonly parents: readonly number[] }
  | { readonly kind: "reset"; readonly to: number };

const pushes = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("commit" as const), parents: fc.array(fc.nat(), { maxLength: 2 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const), to: fc.nat() }) },
  ),
  { minLength: 2, maxLength: 7 },
);

test("what is refused as a rewind is what does not contain what is in force, and no two revisions have one id", async () => {
  await using home = await aTempFolder();
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(pushes, async (all: readonly Push[]) => {
      const repo = join(home.path, `${++runs}.git`);
      await git(home.path, "init", "--quiet", "--bare", "--initial-branch=main", repo);
      const tree = await git(repo, "hash-object", "-t", "tree", "-w", "/dev/null");
      const repository = new Repository({ url: `file://${repo}`, credentials: {} }, home.path);
      const ids = new RevisionIds();
      const given = new Set<string>();
      const commits: string[] = [];
      const contained = new Map<string, ReadonlySet<string>>();
      const pick = (number: number): string => commits[number % commits.length] ?? "";
      let inForce: string | null = null;
      for (const [index, push] of all.entries()) {
        let tip: string;
        if (push.kind === "commit" || commits.length === 0) {
          const parents = push.kind === "reset" || commits.length === 0 ? [] : [...new Set(push.parents.map(pick))];
          const flags = parents.flatMap((parent) => ["-p", parent]);
          tip = await git(repo, "commit-tree", tree, "-m", `${index}`, ...flags);
          commits.push(tip);
          contained.set(tip, new Set([tip, ...parents.flatMap((parent) => [...(contained.get(parent) ?? [])])]));
        } else tip = pick(push.to);
        await git(repo, "update-ref", "refs/heads/main", tip);
        expect(await repository.fetch("main", signal)).toBe(tip);
        const id = ids.give({ name: null, commit: tip });
        expect(given).not.toContain(id);
        given.add(id);
        if (inForce !== null) {
          const refused = await refuseRewind(repository, tip, inForce, signal).catch((error: unknown) => error);
          expect(isOdoroboError(refused, "SOURCE_REWOUND")).toBe(!contained.get(tip)?.has(inForce));
          if (refused !== undefined) continue;
        }
        inForce = tip;
      }
    }),
    { numRuns: 6 },
  );
});
