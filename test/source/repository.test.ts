/** One commit of a repository of somebody else: which one a name means, what is brought here, and that half an answer is none. */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readGit } from "../../src/source/read-git.ts";
import { Repository } from "../../src/source/repository.ts";
import { loadFleetAt } from "../../src/turn/read-fleet.ts";
import { commitFiles, git, makeRepository, writeFiles } from "../support/a-repository.ts";
import { listening } from "../support/listening.ts";
import { aFleetDocument, aNode, aVm } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

vi.setConfig({ testTimeout: 60_000 });

const { signal } = new AbortController();

async function withRepository(use: (repo: string, home: string, first: string) => Promise<void>): Promise<void> {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const first = await makeRepository(repo, { "a.yaml": "1" });
  await use(repo, join(home.path, "cache"), first);
}

test.each([
  ["in place", (path: string) => path],
  ["by its address", (path: string) => `file://${path}`],
])("a branch is meant where a tag has its name, and that is said: %s", (_, toRepo) =>
  withRepository(async (repo, cache, first) => {
    await git(repo, "tag", "main", first);
    const second = await commitFiles(repo, { "a.yaml": "2" });
    const source = await readGit({ repo: toRepo(repo), ref: "main", path: null }, signal, cache);
    expect(source).toMatchObject({
      commit: second,
      description: `${toRepo(repo)}@main (the branch, not the tag)`,
      texts: [{ text: "2" }],
    });
    for (const ref of ["refs/tags/main", first])
      expect((await readGit({ repo: toRepo(repo), ref, path: null }, signal, cache)).commit).toBe(first);
  }),
);

test.each([
  ["in place", (path: string) => path],
  ["by its address", (path: string) => `file://${path}`],
])("the id of a commit is that commit, whatever branch is called so: %s", (_, toRepo) =>
  withRepository(async (repo, cache, first) => {
    const second = await commitFiles(repo, { "a.yaml": "2" });
    await git(repo, "update-ref", `refs/heads/${first}`, second);
    const ask = { repo: toRepo(repo), ref: first, path: null };
    expect((await readGit(ask, signal, cache)).texts).toMatchObject([{ text: "1" }]);
  }),
);

test("the fleet of a commit, and of a pull request's head that is no branch", () =>
  withRepository(async (repo, cache) => {
    const files = { "f/fleet.yaml": aFleetDocument(), "f/n.yaml": aNode("n1"), "f/v.yaml": aVm("v") };
    const base = await commitFiles(repo, files);
    await git(repo, "checkout", "--quiet", "-b", "topic");
    const head = await commitFiles(repo, { "f/w.yaml": aVm("w") });
    await git(repo, "update-ref", "refs/pull/7/head", head);
    await git(repo, "checkout", "--quiet", "main");
    await git(repo, "branch", "--quiet", "-D", "topic");
    await commitFiles(repo, { "f/x.yaml": aVm("x") });

    const repository = new Repository({ url: `file://${repo}` }, cache);
    expect(await repository.fetch("refs/pull/7/head", signal)).toBe(head);
    const main = await repository.fetch("main", signal);
    expect(await repository.mergeBase(main, head, signal)).toBe(base);
    expect(await repository.contains(head, base, signal)).toBe(true);
    expect(await repository.contains(main, head, signal)).toBe(false);
    expect(await repository.subject(head, signal)).toBe("a commit");
    const fleet = await loadFleetAt(repository, head, "f", signal);
    expect(fleet).toMatchObject({ commit: head, source: `file://${repo}@${head.slice(0, 12)}:f` });
    expect(fleet.desired.vms.map(({ name }) => name)).toEqual(["v", "w"]);
    // What is here is not asked for.
    await rm(repo, { recursive: true });
    expect((await loadFleetAt(repository, base, "f", signal)).desired.vms).toHaveLength(1);
    await expect(loadFleetAt(repository, "0".repeat(40), "f", signal)).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
    });
  }));

test("what merging would make: nothing new where one contains the other, the same commit each time, and none for a conflict", () =>
  withRepository(async (repo, cache) => {
    const base = await commitFiles(repo, { a: "1\n", b: "1\n" });
    await git(repo, "checkout", "--quiet", "-b", "topic");
    const head = await commitFiles(repo, { a: "2\n" });
    await git(repo, "checkout", "--quiet", "main");
    const repository = new Repository({ url: `file://${repo}` }, cache);
    await repository.fetch("topic", signal);
    expect(await repository.merged(base, head, signal)).toBe(head);
    expect(await repository.merged(head, base, signal)).toBe(head);
    const main = await commitFiles(repo, { c: "3\n" });
    await repository.fetch("main", signal);
    const merged = await repository.merged(main, head, signal);
    expect(await repository.merged(main, head, signal)).toBe(merged);
    const folder = await repository.folderWith(merged ?? "", signal);
    expect(await git(folder, "show", `${merged}:a`)).toBe("2");
    expect(await git(folder, "show", `${merged}:c`)).toBe("3");
    const clash = await commitFiles(repo, { a: "3\n" });
    await repository.fetch("main", signal);
    expect(await repository.merged(clash, head, signal)).toBeNull();
    await git(repo, "checkout", "--quiet", "--orphan", "alien");
    const alien = await commitFiles(repo, { z: "9\n" });
    await repository.fetch("alien", signal);
    expect(await repository.merged(main, alien, signal)).toBeNull();
  }));

test.each([
  ["at once", false],
  ["when it knows who asks", true],
])("secrets do not follow a redirect to somebody else: %s", async (_, asksFirst) => {
  await using home = await aTempFolder();
  const elsewhere: (string | undefined)[] = [];
  await using other = await listening(
    createServer((request, response) => {
      elsewhere.push(request.headers.authorization);
      // As a git server does, that has a branch: then git posts what it wants.
      if (request.method === "GET") {
        response.writeHead(200, { "content-type": "application/x-git-upload-pack-advertisement" });
        response.end("001e# service=git-upload-pack\n0000000eversion 2\n000afetch\n000cls-refs\n0000");
      } else response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    }),
  );
  await using server = await listening(
    createServer((request, response) => {
      const at = `http://127.0.0.1:${other.port}${request.url}`;
      if (asksFirst && request.headers.authorization === undefined)
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      else response.writeHead(302, { location: at }).end();
    }),
  );
  const repo = `http://bot:s3cret@127.0.0.1:${server.port}/fleet.git`;
  const failure = await readGit({ repo, ref: "main", path: null }, signal, home.path).catch((error: Error) => error);
  expect(failure).toMatchObject({ code: "SOURCE_UNREADABLE" });
  expect(elsewhere).not.toEqual([]);
  expect(new Set(elsewhere)).toEqual(new Set([undefined]));
});

test.each([
  ["is ended in the middle", "kill -9 $$"],
  ["fails without a word", "exit 3"],
])("half of what git says is not taken for all of it: a git that %s", (_, how) =>
  withRepository(async (repo, cache) => {
    await writeFiles(repo, { "b.yaml": "2" });
    await commitFiles(repo, {});
    const bin = join(cache, "bin");
    await mkdir(bin, { recursive: true });
    const script = `#!/bin/sh\nGIT=$(PATH=\${PATH#*:} command -v git)\ncase " $* " in *" ls-tree "*) $GIT "$@" | head -c 55; ${how};; esac\nexec $GIT "$@"\n`;
    await writeFile(join(bin, "git"), script);
    await chmod(join(bin, "git"), 0o755);
    const before = process.env.PATH;
    process.env.PATH = `${bin}:${before}`;
    try {
      await expect(readGit({ repo, ref: "main", path: null }, signal, cache)).rejects.toMatchObject({
        code: "SOURCE_UNREADABLE",
      });
    } finally {
      process.env.PATH = before;
    }
  }),
);
