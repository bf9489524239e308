import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { findManifests } from "../../src/source/find-files.ts";
import { readFolder } from "../../src/source/read-folder.ts";
import { refuseEmpty } from "../../src/source/source.ts";
import type { TreeView } from "../../src/source/tree-view.ts";
import { commitFiles, git, makeRepository, writeFiles } from "../support/a-repository.ts";
import { aFleetDocument, aVm } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

const { signal } = new AbortController();

test("manifests of all folders, sorted; hidden folders, node_modules and other files are not read", async () => {
  await using folder = await aTempFolder();
  const files = {
    "b/y.yml": "y",
    "a.yaml": "a",
    "b/x.yaml": "x",
    ".github/w.yaml": "w",
    "node_modules/m/n.yaml": "n",
    "README.md": "r",
    "b/.x.yaml": "h",
  };
  await writeFiles(folder.path, files);
  const source = await readFolder(folder.path, signal);
  expect(source).toMatchObject({ description: folder.path, commit: null, isDirty: false });
  expect(source.texts.map(({ path, text }) => [path, text])).toEqual([
    ["a.yaml", "a"],
    ["b/x.yaml", "x"],
    ["b/y.yml", "y"],
  ]);
});

test("files that manifests refer to come along, from below the folder only", async () => {
  await using outer = await aTempFolder();
  const vm = (name: string, path: string) => aVm(name, `size: 1GiB\ncloudInit:\n  userData: ${path}`);
  await writeFiles(outer.path, {
    "secret.txt": "secret",
    "fleet/f.yaml": aFleetDocument(),
    "fleet/vms/a.yaml": [
      vm("a", "../data/a.txt"),
      vm("b", "'./b c.txt'"),
      aVm("c", 'size: 1GiB\ncloudInit: { "networkConfig": "./n.cfg" }'),
    ].join("---\n"),
    "fleet/vms/d.yaml": vm("d", "../../secret.txt"),
    "fleet/data/a.txt": "#cloud-config a",
    "fleet/vms/b c.txt": "#cloud-config b",
    "fleet/vms/n.cfg": "n",
    "fleet/data/unused.txt": "u",
  });
  const { texts } = await readFolder(join(outer.path, "fleet"), signal);
  expect(texts.map(({ path }) => path)).toEqual([
    "data/a.txt",
    "f.yaml",
    "vms/a.yaml",
    "vms/b c.txt",
    "vms/d.yaml",
    "vms/n.cfg",
  ]);
  expect(readManifests(texts).diagnostics.map(({ file, code }) => [file, code])).toEqual([
    ["vms/d.yaml", "file-not-found"],
  ]);
});

test("a folder in a git repository knows its commit, and whether it was edited since", async () => {
  await using folder = await aTempFolder();
  const commit = await makeRepository(folder.path, { "fleet/a.yaml": "a", "other.txt": "o" });
  const fleet = join(folder.path, "fleet");
  expect(await readFolder(fleet, signal)).toMatchObject({ commit, isDirty: false });
  await writeFile(join(folder.path, "other.txt"), "changed");
  expect(await readFolder(fleet, signal)).toMatchObject({ commit, isDirty: false });
  await writeFile(join(fleet, "b.yaml"), "new");
  expect(await readFolder(fleet, signal)).toMatchObject({ commit, isDirty: true });
  const next = await commitFiles(folder.path, {});
  expect(await readFolder(fleet, signal)).toMatchObject({ commit: next, isDirty: false });
});

test("the digest of a file is git's", async () => {
  await using folder = await aTempFolder();
  await makeRepository(folder.path, { "a.yaml": "é\n" });
  const { texts } = await readFolder(folder.path, signal);
  expect(texts[0]?.blobId).toBe(await git(folder.path, "rev-parse", "HEAD:a.yaml"));
});

const refusals: readonly (readonly [what: string, make: (folder: string) => Promise<void>, said: RegExp])[] = [
  [
    "a file of 100 MB",
    async (folder) => {
      await writeFile(join(folder, "big.yaml"), "");
      await truncate(join(folder, "big.yaml"), 100_000_000);
    },
    /^big\.yaml has 96 MiB, more than the 4 MiB that are read$/,
  ],
  [
    "a binary file",
    async (folder) => {
      await writeFile(join(folder, "disk.yaml"), Buffer.from([0x51, 0x46, 0x49, 0xfb, 0]));
    },
    /^disk\.yaml is a binary file$/,
  ],
  [
    "text that is not UTF-8",
    async (folder) => {
      await writeFile(join(folder, "l1.yaml"), Buffer.from([0x61, 0xe9, 0x0a]));
    },
    /^l1\.yaml is a binary file$/,
  ],
  [
    "a pipe",
    async (folder) => {
      execFileSync("mkfifo", [join(folder, "pipe.yaml")]);
      await writeFile(join(folder, "a.yaml"), "a");
    },
    /^pipe\.yaml is not a regular file$/,
  ],
  [
    "a link out of the folder",
    async (folder) => {
      await symlink("/etc/hostname", join(folder, "l.yaml"));
    },
    /^l\.yaml is a symbolic link that leaves the folder$/,
  ],
  [
    "a folder linked from outside",
    async (folder) => {
      await symlink("/etc", join(folder, "etc"));
    },
    /^etc is a symbolic link that leaves the folder$/,
  ],
  [
    "a link to nothing",
    async (folder) => {
      await symlink("nowhere", join(folder, "l.yaml"));
    },
    /^l\.yaml is a symbolic link to nothing$/,
  ],
  [
    "a link to itself",
    async (folder) => {
      await symlink("l.yaml", join(folder, "l.yaml"));
    },
    /^l\.yaml is a symbolic link to itself$/,
  ],
];

test.each(refusals)("%s is refused by name", async (_, make, said) => {
  await using folder = await aTempFolder();
  await make(folder.path);
  await expect(readFolder(folder.path, signal)).rejects.toMatchObject({
    code: "SOURCE_UNREADABLE",
    message: expect.stringMatching(said),
    hint: expect.any(String),
  });
});

test("links within the folder are followed, folders are read once", async () => {
  await using folder = await aTempFolder();
  await writeFiles(folder.path, { ".data/a.yaml": "a", "sub/b.yaml": "b" });
  await symlink(".data/a.yaml", join(folder.path, "a.yaml"));
  await symlink("sub", join(folder.path, "again"));
  const { texts } = await readFolder(folder.path, signal);
  expect(texts.map(({ path }) => path)).toEqual(["a.yaml", "sub/b.yaml"]);
});

test("a folder that is not there, is a file, or lies below a file", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "file"), "");
  const said = async (path: string) =>
    await readFolder(join(folder.path, path), signal).then(String, (error: Error) => error.message);
  expect(await said("none")).toMatch(/none is not there$/);
  expect(await said("file")).toMatch(/file is not a folder$/);
  expect(await said("file/below")).toMatch(/below is not a folder$/);
});

test("a folder that this user may not read", async () => {
  await using folder = await aTempFolder();
  const closed = join(folder.path, "closed");
  await mkdir(closed);
  await chmod(folder.path, 0o755);
  await chmod(closed, 0o000);
  const isRoot = process.geteuid?.() === 0;
  // Root may read everything: for a moment we are nobody.
  if (isRoot) process.seteuid?.(65_534);
  const reading = readFolder(folder.path, signal);
  try {
    await expect(reading).rejects.toMatchObject({
      code: "SOURCE_UNREADABLE",
      message: "closed may not be read by this user",
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(closed, 0o700);
  }
});

test("stops when asked to", async () => {
  await using folder = await aTempFolder();
  await writeFile(join(folder.path, "a.yaml"), "a");
  await expect(readFolder(folder.path, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
});

test("an empty source is refused before it deletes a fleet", async () => {
  await using folder = await aTempFolder();
  const empty = await readFolder(folder.path, signal);
  expect(() => refuseEmpty(empty)).toThrow(expect.objectContaining({ code: "SOURCE_EMPTY", exitCode: 3 }));
  await writeFiles(folder.path, { "f.yaml": aFleetDocument() });
  const source = await readFolder(folder.path, signal);
  const { desired } = readManifests(source.texts);
  expect(() => refuseEmpty(source)).not.toThrow();
  expect(() => refuseEmpty(source, desired ?? undefined)).toThrow(/describe no VM/);
});

test("a folder that is no fleet's, but a disk: said after so many names, not when all of it was read", () => {
  let listed = 0;
  const view: TreeView = {
    list: (folder) => {
      listed += 1;
      return Array.from({ length: 1_000 }, (_, each) => ({
        name: `${folder.length}-${each}`,
        kind: "folder" as const,
      }));
    },
    kindOf: () => "folder",
    linkTarget: () => "",
    isFileOutside: () => false,
  };
  expect(() => findManifests(view)).toThrow("there are more than 200000 files and folders");
  expect(listed).toBe(201);
});
