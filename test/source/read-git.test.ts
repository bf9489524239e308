import { symlink } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readFolder } from "../../src/source/read-folder.ts";
import { readGit } from "../../src/source/read-git.ts";
import { commitFiles, git, makeRepository, writeFiles } from "../support/a-repository.ts";
import { listening } from "../support/listening.ts";
import { aFleetDocument, aVm } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const { signal } = new AbortController();

const FILES = {
  "fleet/f.yaml": aFleetDocument(),
  "fleet/vms/a é.yaml": aVm("a", "size: 1GiB\ncloudInit: { userData: ../u.txt }"),
  "fleet/u.txt": "#cloud-config\n",
  "fleet/.hidden.yaml": "h",
  "other/o.yaml": "o",
  "image.qcow2": Buffer.alloc(10),
};

/** A repository in place, and the same behind an address. */
const WAYS = [
  ["in place", (path: string) => path],
  ["by its address", (path: string) => `file://${path}`],
] as const;

test.each(WAYS)("a commit reads like the folder that was committed: %s", async (_, toRepo) => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const commit = await makeRepository(repo, FILES);
  const folder = await readFolder(join(repo, "fleet"), signal);
  // What is in the work tree, and what a later commit says, is not what was asked for.
  await commitFiles(repo, { "fleet/later.yaml": "l" });
  await writeFiles(repo, { "fleet/f.yaml": "edited" });
  await git(repo, "tag", "--annotate", "--message", "v1", "v1", commit);
  await git(repo, "branch", "stable", commit);
  for (const ref of ["v1", "stable", commit]) {
    const source = await readGit({ repo: toRepo(repo), ref, path: "fleet/" }, signal, home.path);
    expect(source).toEqual({
      description: `${toRepo(repo)}@${ref}:fleet`,
      commit,
      isDirty: false,
      texts: folder.texts,
    });
  }
  const head = await readGit({ repo: toRepo(repo), ref: null, path: null }, signal, home.path);
  expect(head.texts.map(({ path }) => path)).toEqual([
    "fleet/f.yaml",
    "fleet/later.yaml",
    "fleet/u.txt",
    "fleet/vms/a é.yaml",
    "other/o.yaml",
  ]);
  expect(await git(repo, "status", "--porcelain")).toBe("M fleet/f.yaml");
});

test("a branch that moved is fetched anew", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await makeRepository(repo, { "a.yaml": "1" });
  const read = async () =>
    (await readGit({ repo: `file://${repo}`, ref: "main", path: null }, signal, home.path)).texts[0]?.text;
  expect(await read()).toBe("1");
  await commitFiles(repo, { "a.yaml": "2" });
  expect(await read()).toBe("2");
  await git(repo, "reset", "--quiet", "--hard", "HEAD~1");
  expect(await read()).toBe("1");
});

test("processes that fetch at the same time do not get in each other's way", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const commit = await makeRepository(repo, { "a.yaml": "1" });
  const all = await Promise.all(
    Array.from({ length: 6 }, () => readGit({ repo: `file://${repo}`, ref: "main", path: null }, signal, home.path)),
  );
  for (const source of all) expect(source).toMatchObject({ commit, texts: [{ text: "1" }] });
});

test.each(WAYS)("a ref that is not there, with the ones that are near: %s", async (_, toRepo) => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await makeRepository(repo, { "a.yaml": "1" });
  await git(repo, "branch", "production");
  const ask = (ref: string) => readGit({ repo: toRepo(repo), ref, path: null }, signal, home.path);
  await expect(ask("prodution")).rejects.toMatchObject({
    code: "SOURCE_REF_NOT_FOUND",
    message: `${toRepo(repo)} has no branch, tag or commit prodution`,
    hint: 'did you mean "production"?',
  });
  await expect(ask("x")).rejects.toMatchObject({ code: "SOURCE_REF_NOT_FOUND", hint: "one of: main, production" });
  await expect(ask("0".repeat(40))).rejects.toMatchObject({ code: "SOURCE_REF_NOT_FOUND" });
  await expect(ask("--upload-pack=x")).rejects.toMatchObject({ code: "USAGE" });
});

test("a repository without a commit", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await git(home.path, "init", "--quiet", repo);
  await expect(readGit({ repo, ref: "main", path: null }, signal, home.path)).rejects.toMatchObject({
    code: "SOURCE_REF_NOT_FOUND",
    hint: "the repository has no branch and no tag yet",
  });
});

test("what is no repository, is not there, or lacks the folder", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await makeRepository(repo, { "a.yaml": "1" });
  await writeFiles(home.path, { "plain/a.yaml": "a" });
  const ask = (from: string, path: string | null = null) =>
    readGit({ repo: from, ref: "main", path }, signal, home.path);
  const unreadable = (message: RegExp) =>
    expect.objectContaining({
      code: "SOURCE_UNREADABLE",
      message: expect.stringMatching(message),
      hint: expect.any(String),
    });
  await expect(ask(join(home.path, "plain"))).rejects.toEqual(unreadable(/is not a git repository/));
  await expect(ask(join(home.path, "none"))).rejects.toEqual(unreadable(/^there is no repository/));
  await expect(ask(`file://${home.path}/none`)).rejects.toEqual(
    unreadable(/cannot be read: there is none that we may see$/),
  );
  await expect(ask(repo, "fleet")).rejects.toEqual(unreadable(/^there is no folder fleet in/));
  await expect(ask(repo, "../x")).rejects.toMatchObject({ code: "USAGE" });
});

test("large and binary files and links that leave are refused by name", async () => {
  await using home = await aTempFolder();
  const refused = async (name: string, content: string | Buffer | null) => {
    const repo = join(home.path, name);
    if (content === null) {
      await writeFiles(repo, { x: "x" });
      await symlink("/etc/hostname", join(repo, "l.yaml"));
    }
    await makeRepository(repo, content === null ? {} : { "f.yaml": content });
    return await readGit({ repo, ref: "main", path: null }, signal, home.path).then(
      () => "",
      (error: Error) => error.message,
    );
  };
  expect(await refused("a", Buffer.alloc(5 * 1024 * 1024, "a"))).toBe(
    "f.yaml has 5 MiB, more than the 4 MiB that are read",
  );
  expect(await refused("b", Buffer.from([1, 0, 2]))).toBe("f.yaml is a binary file");
  expect(await refused("c", null)).toBe("l.yaml is a symbolic link that leaves the folder");
});

test("a hook's environment does not lead astray", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const commit = await makeRepository(repo, { "a.yaml": "1" });
  process.env.GIT_DIR = "/nowhere";
  try {
    expect((await readGit({ repo, ref: "main", path: null }, signal, home.path)).commit).toBe(commit);
    expect((await readFolder(repo, signal)).commit).toBe(commit);
  } finally {
    delete process.env.GIT_DIR;
  }
});

test("credentials reach the server, and nothing else", async () => {
  await using home = await aTempFolder();
  const seen: (string | undefined)[] = [];
  await using server = await listening(
    createServer((request, response) => {
      const { authorization } = request.headers;
      seen.push(authorization);
      // Says back what it was told.
      const said = `remote error: ${authorization} s3cr@t\n`;
      if (authorization === undefined) response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      else response.writeHead(403, { "content-type": "text/plain" }).end(said);
    }),
  );
  const repo = `http://bot:s3cr%40t@127.0.0.1:${server.port}/fleet.git`;
  const error = await readGit({ repo, ref: "main", path: null }, signal, home.path).then(
    () => null,
    (each: Error) => each,
  );
  expect(seen).toContain(`Basic ${Buffer.from("bot:s3cr@t").toString("base64")}`);
  expect(error).toMatchObject({
    code: "SOURCE_UNREADABLE",
    message: `the repository http://127.0.0.1:${server.port}/fleet.git cannot be read: it forbids reading`,
  });
  const told = `${error?.message} ${String(error?.cause)} ${error?.stack}`;
  for (const secret of ["s3cr", "bot", Buffer.from("bot:s3cr@t").toString("base64")])
    expect(told).not.toContain(secret);
});

test("stops waiting for a server that does not answer", async () => {
  await using home = await aTempFolder();
  const controller = new AbortController();
  await using server = await listening(createServer(() => controller.abort()));
  const reading = readGit(
    { repo: `http://127.0.0.1:${server.port}/x.git`, ref: "main", path: null },
    controller.signal,
    home.path,
  );
  await expect(reading).rejects.toMatchObject({ name: "AbortError" });
});

test("a person's EDITOR and PAGER do not keep git from being read", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  const commit = await makeRepository(repo, FILES);
  const surroundings = { EDITOR: "vi", VISUAL: "vi", PAGER: "less", GIT_EDITOR: "vi" };
  const before = { ...process.env };
  Object.assign(process.env, surroundings);
  try {
    expect((await readFolder(join(repo, "fleet"), signal)).commit).toBe(commit);
    expect((await readGit({ repo: `file://${repo}`, ref: "HEAD", path: null }, signal, home.path)).commit).toBe(commit);
  } finally {
    for (const name of Object.keys(surroundings)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
});
