/**
 * A commit is one fleet, however it is looked at: checked out clean, with and without its submodules and with the line ends of
 * another system, in its repository, or fetched. What cannot be looked into is refused, by all of them and in the same words.
 */
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { readManifests } from "../../src/manifest/read-manifests.ts";
import { OdoroboError } from "../../src/model/errors.ts";
import { readFolder } from "../../src/source/read-folder.ts";
import { readGit } from "../../src/source/read-git.ts";
import type { Source } from "../../src/source/source.ts";
import { git, makeRepository } from "../support/a-repository.ts";
import { aFleetDocument, aVm } from "../support/manifest-texts.ts";
import { aTempFolder } from "../support/temp-folder.ts";

// Each run starts some thirty processes of git.
vi.setConfig({ testTimeout: 300_000 });

const { signal } = new AbortController();

const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d".repeat(32)}\nsize 12345\n`;

/** What a repository may hold besides a plain fleet. `file` and `link` paths begin at the repository's root; `fleet/` is read. */
type Element =
  | { readonly kind: "file"; readonly path: string; readonly content: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "submodule"; readonly path: string };

const folder = fc.constantFrom(
  "fleet",
  "fleet/a",
  "fleet/a b/ü",
  "fleet/.hid",
  "fleet/.hid/in",
  "common",
  "fleet/node_modules",
);
const name = fc.constantFrom("x", "y", "z");
const at = fc.tuple(folder, name).map(([where, file]) => `${where}/${file}`);

const vmFile = fc.tuple(at, fc.boolean(), fc.boolean()).map(([path, isCrlf, refers]): Element => {
  const vm = path.replaceAll(/[^a-z]/g, "");
  const text = aVm(vm, `size: 1GiB${refers ? "\ncloudInit: { userData: ./x.txt }" : ""}`);
  return { kind: "file", path: `${path}.yaml`, content: isCrlf ? text.replaceAll("\n", "\r\n") : text };
});
const textFile = fc
  .tuple(
    at,
    fc.constantFrom("#cloud-config\n{}\n", "#cloud-config\r\n{}\r\n", "# $Id$\n", LFS, "# ü\n", "\xff".repeat(3)),
  )
  .map(([path, content]): Element => ({ kind: "file", path: `${path}.txt`, content }));
const attributes = fc
  .tuple(
    fc.constantFrom("", "fleet/", "fleet/a/"),
    fc.constantFrom(
      "*.txt text eol=crlf",
      "*.yaml text eol=crlf",
      "* text=auto",
      "*.yaml -text",
      "*.txt ident",
      "*.txt filter=upper",
      "x.yaml filter=upper",
      "*.txt filter=absent",
      "*.txt working-tree-encoding=UTF-16",
      "x.txt working-tree-encoding=UTF-8",
      "* export-ignore",
      "[attr]odd filter=upper\n*.txt odd",
    ),
  )
  .map(([where, content]): Element => ({ kind: "file", path: `${where}.gitattributes`, content: `${content}\n` }));
const link = fc
  .tuple(
    at,
    fc.constantFrom("", ".yaml", ".txt", ".md"),
    fc.constantFrom(
      "x.yaml",
      ".hid",
      ".hid/in",
      "../.hid",
      "../.hid/x.yaml",
      "a",
      "../common",
      "../../common",
      "../common/x.yaml",
      "../LICENSE",
      "../../LICENSE",
      "../../..",
      "/etc",
      "/etc/hostname",
      "nowhere",
      ".",
      "..",
      "z",
      "y/x",
    ),
  )
  .map(([path, ending, target]): Element => ({ kind: "link", path: `${path}${ending}`, target }));
const submodule = fc
  .constantFrom("fleet/team", "fleet/a/team", "fleet/.team", "common/team", "team")
  .map((path): Element => ({ kind: "submodule", path }));

const shape = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: vmFile },
    { weight: 3, arbitrary: textFile },
    { weight: 2, arbitrary: attributes },
    { weight: 3, arbitrary: link },
    { weight: 1, arbitrary: submodule },
  ),
  { maxLength: 7 },
);

/** The first of two elements at one place counts. */
function withoutClashes(elements: readonly Element[]): Element[] {
  const taken: string[] = [];
  return elements.filter(({ path }) => {
    if (taken.some((each) => each === path || each.startsWith(`${path}/`) || path.startsWith(`${each}/`))) return false;
    return taken.push(path) > 0;
  });
}

/** Straight into the repository: what is committed goes through no filter and no line-end conversion of this machine. */
async function build(repo: string, elements: readonly Element[], team: string): Promise<void> {
  const plain = Object.entries({ "fleet/fleet.yaml": aFleetDocument(), "fleet/base.yaml": aVm("base"), LICENSE: "l" });
  const all = withoutClashes([
    ...plain.map(([path, content]): Element => ({ kind: "file", path, content })),
    ...elements,
  ]);
  const commit = await git(team, "rev-parse", "HEAD");
  const modules: string[] = [];
  const entries = all.map((element) => {
    if (element.kind === "link") return entry("120000", element.path, element.target);
    if (element.kind === "file") return entry("100644", element.path, element.content);
    modules.push(`[submodule "${element.path}"]\n\tpath = ${element.path}\n\turl = ${team}\n`);
    return Buffer.from(`M 160000 ${commit} "${element.path}"\n`);
  });
  if (modules.length > 0) entries.push(entry("100644", ".gitmodules", modules.join("")));
  const head = Buffer.from("commit refs/heads/main\ncommitter t <t@localhost> 1000000000 +0000\ndata 0\n");
  await git(repo, "init", "--quiet", "--bare", "--initial-branch=main");
  execFileSync("git", ["-C", repo, "fast-import", "--quiet"], { input: Buffer.concat([head, ...entries]) });
}

function entry(mode: string, path: string, content: string): Buffer {
  const bytes = Buffer.from(content, "latin1");
  return Buffer.concat([Buffer.from(`M ${mode} inline "${path}"\ndata ${bytes.length}\n`), bytes, Buffer.from("\n")]);
}

/** What can be seen of a reading; for what is refused, the words. */
async function seen(reading: Promise<Source>): Promise<unknown> {
  try {
    const { texts, commit, isDirty } = await reading;
    const { desired, diagnostics } = readManifests(texts);
    return { texts, commit, isDirty, diagnostics, digest: desired?.digest, vms: desired?.vms.map((vm) => vm.name) };
  } catch (error) {
    if (!(error instanceof OdoroboError)) throw error;
    const { code, message, hint } = error;
    return { code, message, hint };
  }
}

const WAYS: readonly (readonly [how: string, options: readonly string[]])[] = [
  [
    "with its submodules and filters",
    ["--recurse-submodules", "-c", "filter.upper.smudge=tr a-z n-za-m", "-c", "filter.upper.clean=tr a-z n-za-m"],
  ],
  ["with the line ends of another system", ["-c", "core.autocrlf=true"]],
];

async function look(home: string, elements: readonly Element[]): Promise<ReadonlyMap<string, unknown>> {
  const team = join(home, "team");
  const repo = join(home, "repo");
  await makeRepository(team, { "x.yaml": aVm("from-team"), "broken.yaml": "\0" });
  await mkdir(repo);
  await build(repo, elements, team);
  const views = new Map<string, unknown>();
  for (const [how, options] of WAYS) {
    const clone = join(home, how.replaceAll(" ", "-"));
    await git(home, "-c", "protocol.file.allow=always", "clone", "--quiet", ...options, repo, clone);
    views.set(`a clone ${how}`, await seen(readFolder(join(clone, "fleet"), signal)));
    if (options.includes("--recurse-submodules"))
      views.set("the clone's commit", await seen(readGit({ repo: clone, ref: "main", path: "fleet" }, signal, home)));
  }
  const places = [repo, `file://${repo}`];
  for (const place of places)
    views.set(place, await seen(readGit({ repo: place, ref: "main", path: "fleet" }, signal, home)));
  return views;
}

test("a clean work tree, its commit, and clones give one fleet, or are refused for one reason", async () => {
  await fc.assert(
    fc.asyncProperty(shape, async (elements) => {
      await using home = await aTempFolder();
      const views = [...(await look(home.path, elements))];
      const [, first] = views[0] ?? [];
      for (const [how, view] of views) expect(view, how).toEqual(first);
    }),
    { numRuns: 15 },
  );
});

const VMS = [
  ["a linked hidden folder", { "fleet/.hid/x.yaml": aVm("hid") }, { "fleet/vms": ".hid" }, ["base", "hid"]],
  ["a link to a folder that is read anyway", { "fleet/a/x.yaml": aVm("a") }, { "fleet/vms": "a" }, ["a", "base"]],
  [
    "a text behind a linked folder",
    { "fleet/a/x.txt": "#!/bin/sh\n", "fleet/v.yaml": aVm("v", "size: 1GiB\ncloudInit: { userData: ./l/x.txt }") },
    { "fleet/l": "a" },
    ["base", "v"],
  ],
  [
    "line ends by attribute",
    {
      ".gitattributes": "* text eol=crlf\n",
      "fleet/v.yaml": aVm("v", "size: 1GiB\ncloudInit: { userData: ./x.txt }"),
      "fleet/x.txt": "#!/bin/sh\nid\n",
    },
    {},
    ["base", "v"],
  ],
  ["a license of the repository, linked", {}, { "fleet/LICENSE": "../LICENSE" }, ["base"]],
] as const;

test.each(VMS)("all views read %s", async (_, files, links, vms) => {
  await using home = await aTempFolder();
  const elements: Element[] = [
    ...Object.entries(files).map(([path, content]): Element => ({ kind: "file", path, content })),
    ...Object.entries(links).map(([path, target]): Element => ({ kind: "link", path, target })),
  ];
  for (const [how, view] of await look(home.path, elements))
    expect(view, how).toMatchObject({ vms, diagnostics: [], isDirty: false });
});

const REFUSED: readonly (readonly [what: string, elements: readonly Element[], message: string])[] = [
  [
    "a submodule",
    [{ kind: "submodule", path: "fleet/team" }],
    "team is a git submodule, and what is in it is not read",
  ],
  [
    "a folder linked from beside",
    [
      { kind: "file", path: "common/x.yaml", content: aVm("c") },
      { kind: "link", path: "fleet/vms", target: "../common" },
    ],
    "vms is a symbolic link that leaves the folder",
  ],
  [
    "a link to a folder that is not there",
    [{ kind: "link", path: "fleet/vms", target: "mnt" }],
    "vms is a symbolic link to nothing",
  ],
  ["a loop", [{ kind: "link", path: "fleet/vms", target: "vms" }], "vms is a symbolic link to itself"],
  [
    "an LFS pointer as a manifest",
    [{ kind: "file", path: "fleet/v.yaml", content: LFS }],
    "v.yaml is a pointer of git LFS, not the file itself",
  ],
  [
    "an LFS pointer as user data",
    [
      { kind: "file", path: "fleet/v.yaml", content: aVm("v", "size: 1GiB\ncloudInit: { userData: ./x.txt }") },
      { kind: "file", path: "fleet/x.txt", content: LFS },
    ],
    "x.txt is a pointer of git LFS, not the file itself",
  ],
  [
    "a filter",
    [{ kind: "file", path: ".gitattributes", content: "base.yaml filter=upper\n" }],
    "git changes base.yaml between commit and work tree (filter=upper)",
  ],
];

test.each(REFUSED)("all views refuse %s by name", async (_, elements, message) => {
  await using home = await aTempFolder();
  for (const [how, view] of await look(home.path, elements))
    expect(view, how).toEqual({ code: "SOURCE_UNREADABLE", message, hint: expect.any(String) });
});
