/** What a work tree or a repository does not show is refused by name: in silence it would look like VMs that somebody deleted. */
import { execFileSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { readFolder } from "../../src/source/read-folder.ts";
import { readGit } from "../../src/source/read-git.ts";
import { commitFiles, git, makeRepository, writeFiles } from "../support/a-repository.ts";
import { aFleetDocument, aVm } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

vi.setConfig({ testTimeout: 60_000 });

const { signal } = new AbortController();

const FLEET = {
  "fleet.yaml": aFleetDocument(),
  "vms/a.yaml": aVm("a", "size: 1GiB\ncloudInit: { userData: ../texts/u.txt }"),
  "texts/u.txt": "#cloud-config\n{}\n",
};

const unreadable = (message: string, hint: RegExp = /./) => ({
  code: "SOURCE_UNREADABLE",
  message,
  hint: expect.stringMatching(hint),
});

async function withFleet(use: (repo: string, home: string) => Promise<void>): Promise<void> {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await makeRepository(repo, FLEET);
  await use(repo, home.path);
}

test.each([
  ["a manifest", "/*\n!/vms\n", "vms/a.yaml is not checked out (a sparse checkout)"],
  ["a file that manifests refer to", "/*\n!/texts\n", "texts/u.txt is not checked out (a sparse checkout)"],
])("a sparse checkout without %s", (_, patterns, message) =>
  withFleet(async (repo) => {
    await git(repo, "sparse-checkout", "set", "--no-cone", ...patterns.trim().split("\n"));
    await expect(readFolder(repo, signal)).rejects.toMatchObject(unreadable(message, /git sparse-checkout add/));
    // The commit has it all.
    expect((await readGit({ repo, ref: null, path: null }, signal)).texts).toHaveLength(3);
  }),
);

test("a merge that is not finished", () =>
  withFleet(async (repo) => {
    await git(repo, "checkout", "--quiet", "-b", "other");
    await commitFiles(repo, { "vms/a.yaml": aVm("a", "size: 2GiB") });
    await git(repo, "checkout", "--quiet", "main");
    await git(repo, "rm", "--quiet", "vms/a.yaml");
    await git(repo, "commit", "--quiet", "--message", "gone");
    await expect(git(repo, "merge", "other")).rejects.toThrow();
    await expect(readFolder(repo, signal)).rejects.toMatchObject(
      unreadable("vms/a.yaml is in the middle of a merge", /git status/),
    );
  }));

test("a link that git wrote as a file", () =>
  withFleet(async (repo, home) => {
    await writeFiles(repo, { ".hid/x.yaml": aVm("x") });
    await symlink(".hid", join(repo, "more"));
    await commitFiles(repo, {});
    const clone = join(home, "clone");
    await git(home, "clone", "--quiet", "-c", "core.symlinks=false", repo, clone);
    await expect(readFolder(clone, signal)).rejects.toMatchObject(
      unreadable("more is a symbolic link that git could not make here"),
    );
  }));

test.each(["--assume-unchanged", "--skip-worktree"])("an edit that git was told not to see (%s)", (flag) =>
  withFleet(async (repo) => {
    await git(repo, "update-index", flag, "vms/a.yaml");
    await writeFiles(repo, { "vms/a.yaml": aVm("a", "size: 2GiB") });
    expect(await git(repo, "status", "--porcelain")).toBe("");
    expect(await readFolder(repo, signal)).toMatchObject({ isDirty: true });
  }),
);

test("manifests that git ignores, also in a repository of their own, are read, and are not the commit", () =>
  withFleet(async (repo) => {
    await commitFiles(repo, { ".gitignore": "mine\n" });
    expect(await readFolder(repo, signal)).toMatchObject({ isDirty: false });
    await makeRepository(join(repo, "mine"), { "b.yaml": aVm("b") });
    expect(await git(repo, "status", "--porcelain")).toBe("");
    const source = await readFolder(repo, signal);
    expect(source.isDirty).toBe(true);
    expect(source.texts.map(({ path }) => path)).toContain("mine/b.yaml");
  }));

test("a folder that the repository around it does not know has no commit", () =>
  withFleet(async (repo) => {
    await writeFiles(repo, { "scratch/fleet.yaml": aFleetDocument() });
    expect(await readFolder(join(repo, "scratch"), signal)).toMatchObject({ commit: null, isDirty: false });
  }));

test("a linked work tree, a bare repository and a shallow clone are repositories as others", () =>
  withFleet(async (repo, home) => {
    const commit = await commitFiles(repo, { "vms/b.yaml": aVm("b") });
    const linked = join(home, "linked");
    await git(repo, "worktree", "add", "--quiet", "--detach", linked);
    expect(await readFolder(linked, signal)).toMatchObject({ commit, isDirty: false });
    const { texts } = await readGit({ repo: linked, ref: null, path: null }, signal, home);
    expect(texts).toHaveLength(4);
    await git(home, "clone", "--quiet", "--bare", repo, "bare.git");
    await git(home, "clone", "--quiet", "--depth=1", `file://${repo}`, "shallow");
    for (const place of ["bare.git", "shallow"])
      for (const address of [join(home, place), `file://${join(home, place)}`])
        expect(await readGit({ repo: address, ref: "main", path: null }, signal, home)).toMatchObject({
          commit,
          texts,
        });
  }));

test("a partial clone fetches what it lacks, and says so when it cannot", () =>
  withFleet(async (repo, home) => {
    await git(repo, "config", "uploadpack.allowFilter", "true");
    const clone = join(home, "clone");
    await git(home, "clone", "--quiet", "--filter=blob:none", "--no-checkout", `file://${repo}`, clone);
    await git(clone, "config", "remote.origin.url", `file://${home}/away`);
    await expect(readGit({ repo: clone, ref: "main", path: null }, signal, home)).rejects.toMatchObject(
      unreadable(`${clone} is a partial clone, and what it lacks cannot be fetched`, /origin/),
    );
    await git(clone, "config", "remote.origin.url", `file://${repo}`);
    expect((await readGit({ repo: clone, ref: "main", path: null }, signal, home)).texts).toHaveLength(3);
  }));

test("an object that is lost", () =>
  withFleet(async (repo) => {
    const blob = await git(repo, "rev-parse", "HEAD:vms/a.yaml");
    await rm(join(repo, ".git/objects", blob.slice(0, 2), blob.slice(2)));
    await expect(readGit({ repo, ref: "main", path: null }, signal)).rejects.toMatchObject(
      unreadable(`the repository lacks vms/a.yaml (object ${blob})`, /git fsck/),
    );
    const tree = await git(repo, "rev-parse", "HEAD^{tree}");
    await rm(join(repo, ".git/objects", tree.slice(0, 2), tree.slice(2)));
    await expect(readGit({ repo, ref: "main", path: null }, signal)).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
    });
    await expect(readFolder(repo, signal)).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
  }));

test("a work tree whose repository is away, and one of another user, do not lose their commit in silence", () =>
  withFleet(async (repo, home) => {
    const linked = join(home, "linked");
    await git(repo, "worktree", "add", "--quiet", "--detach", linked);
    await rm(join(repo, ".git/worktrees"), { recursive: true });
    await expect(readFolder(linked, signal)).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
    if (process.geteuid?.() !== 0) return;
    for (const path of ["", ".git"]) await chown(join(repo, path), 65_534, 65_534);
    const before = process.env.HOME;
    // Whoever runs the tests may trust everything.
    process.env.HOME = home;
    try {
      const refused = unreadable(
        `${repo} belongs to another user, and git does not trust it`,
        /safe\.directory .*repo/,
      );
      await expect(readFolder(repo, signal)).rejects.toMatchObject(refused);
      await expect(readGit({ repo, ref: null, path: null }, signal, home)).rejects.toMatchObject(refused);
      await expect(readGit({ repo: `file://${repo}`, ref: null, path: null }, signal, home)).rejects.toMatchObject({
        ...refused,
        message: `file://${repo} belongs to another user, and git does not trust it`,
      });
    } finally {
      process.env.HOME = before;
    }
  }));

test("what a manifest refers to in a folder that this user may not read", async () => {
  await using home = await aTempFolder();
  await writeFiles(home.path, {
    ...FLEET,
    ".closed/u.txt": "#x\n",
    "vms/a.yaml": FLEET["vms/a.yaml"].replace("texts", ".closed"),
  });
  await chmod(home.path, 0o755);
  await chmod(join(home.path, ".closed"), 0o000);
  const isRoot = process.geteuid?.() === 0;
  // Root may read everything: for a moment we are nobody.
  if (isRoot) process.seteuid?.(65_534);
  const reading = readFolder(home.path, signal);
  try {
    await expect(reading).rejects.toMatchObject(unreadable(".closed/u.txt may not be read by this user"));
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(join(home.path, ".closed"), 0o700);
  }
});

test("a pipe, a socket or a device that is no manifest is nobody's business", async () => {
  await using home = await aTempFolder();
  await writeFiles(home.path, FLEET);
  execFileSync("mkfifo", [join(home.path, "pipe")]);
  expect((await readFolder(home.path, signal)).texts).toHaveLength(3);
});

test("a repository of SHA-256 is read in place, fetched, and as a work tree", async () => {
  await using home = await aTempFolder();
  const repo = join(home.path, "repo");
  await mkdir(repo);
  await git(repo, "init", "--quiet", "--initial-branch=main", "--object-format=sha256");
  const commit = await commitFiles(repo, FLEET);
  expect(commit).toHaveLength(64);
  const folder = await readFolder(repo, signal);
  expect(folder).toMatchObject({ commit, isDirty: false });
  for (const place of [repo, `file://${repo}`])
    for (const ref of ["main", commit])
      expect(await readGit({ repo: place, ref, path: null }, signal, home.path)).toMatchObject({
        commit,
        texts: folder.texts,
      });
});

test("a commit is what its id says, whatever replaces it here", () =>
  withFleet(async (repo) => {
    const commit = await git(repo, "rev-parse", "HEAD");
    const other = await commitFiles(repo, { "vms/b.yaml": aVm("b") });
    await git(repo, "replace", commit, other);
    expect((await readGit({ repo, ref: commit, path: null }, signal)).texts).toHaveLength(3);
  }));

test("reading writes nothing into the repository, however it looks", () =>
  withFleet(async (repo) => {
    const looks: (() => Promise<unknown>)[] = [
      async () => {},
      // Makes git's notes of the file stale: git status would write new ones.
      () => writeFile(join(repo, "vms/a.yaml"), FLEET["vms/a.yaml"]),
      () => writeFile(join(repo, "vms/a.yaml"), aVm("a", "size: 3GiB")),
      () => writeFile(join(repo, ".gitattributes"), "*.txt ident\n"),
    ];
    for (const change of looks) {
      await change();
      const before = await stateOf(join(repo, ".git"));
      await readFolder(repo, signal);
      await readGit({ repo, ref: null, path: null }, signal);
      expect(await stateOf(join(repo, ".git"))).toEqual(before);
    }
  }));

/** Name, time and, for files, content of everything. */
async function stateOf(folder: string): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs } = await stat(path);
    state[path] = `${mtimeMs} ${entry.isFile() ? await readFile(path, "base64") : ""}`;
  }
  return state;
}
