import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { odorobo } from "../support/run-odorobo.ts";
import { aTempFolder } from "../support/temp-folder.ts";

let folder: Awaited<ReturnType<typeof aTempFolder>>;
beforeEach(async () => {
  folder = await aTempFolder();
});
afterEach(() => folder[Symbol.asyncDispose]());

const USAGE: [string, string[], RegExp][] = [
  [
    "a command that does not exist",
    ["aply"],
    /^error {2}USAGE {2}there is no command "aply"\nhint: did you mean: odorobo apply\n$/,
  ],
  ["a command without its topic", ["logs", "web-1"], /there is no command "logs"\nhint: did you mean: odorobo vm logs/],
  ["a word of other tools", ["vm", "start"], /there is no command "vm start"\nhint: did you mean: odorobo vm boot/],
  [
    "a number that is none",
    ["vm", "logs", "x", "-n", "all"],
    /USAGE {2}--lines: Expected an integer but received: all\nhint/,
  ],
  ["a command of a topic", ["vm", "lst"], /there is no command "vm lst"\nhint: did you mean: odorobo vm list/],
  [
    "a flag that does not exist",
    ["plan", "--max-clas", "live"],
    /unknown flag: --max-clas\nhint: did you mean --max-class\?/,
  ],
  ["a value that is none of the possible", ["plan", "--max-class", "nice"], /--max-class nice: must be one of: none/],
  ["a flag without its value", ["plan", "--out"], /error {2}USAGE {2}--out needs a value/],
  ["one argument too many", ["plan", "a", "b"], /unexpected argument: b/],
  ["a missing flag", ["agent", "token"], /error {2}USAGE {2}--access-file is missing\nhint/],
  ["a missing argument", ["vm", "boot"], /error {2}USAGE {2}missing: VM \(name of the VM\)\nhint/],
  [
    "a missing argument beside a flag of several values",
    ["import"],
    /error {2}USAGE {2}missing: FILES \(files, folders of \.xml files, or - for stdin\)\nhint/,
  ],
  ["a duration that is none", ["plan", "--timeout", "soon"], /--timeout: "soon" is not a duration\nhint: such as 90s/],
  ["a size that is none", ["agent", "--memory", "much"], /--memory: "much" is not a size/],
  ["a folder and a repository", ["plan", "f", "--repo", "r"], /a folder and --repo were both given/],
  [
    "two ways of saying the folder",
    ["plan", "--fleet", "f", "--repo", "r"],
    /--repo and --fleet do not go together\nhint/,
  ],
  ["a ref without a repository", ["plan", "--ref", "main"], /USAGE {2}--ref needs --repo\nhint/],
];

for (const [what, argv, message] of USAGE) {
  test(`mistyped: ${what}`, async () => {
    const outcome = await odorobo(...argv);
    expect(outcome).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(message) });
    expect(outcome.stderr).not.toMatch(/\n\s+at |See more help/);
  });
}

test("with --json an error is a document on stdout, with the same exit code", async () => {
  for (const argv of [
    ["aply", "--json"],
    ["plan", join(folder.path, "nowhere"), "--json"],
  ]) {
    const outcome = await odorobo(...argv);
    expect(outcome).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toMatchObject({
      error: { code: expect.any(String), message: expect.any(String), causes: expect.any(Array) },
    });
  }
});

test("a folder that is not there, or is a file", async () => {
  expect(await odorobo("validate", join(folder.path, "no"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("SOURCE_UNREADABLE"),
  });
  await writeFile(join(folder.path, "file"), "");
  expect(await odorobo("status", join(folder.path, "file"))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("is not a folder"),
  });
});

test("mistakes in the manifests are shown with their place, all at once, by every command that reads them", async () => {
  await odorobo("init", folder.path);
  const vm = join(folder.path, "vms/hello.yaml");
  await writeFile(vm, (await readFile(vm, "utf8")).replace("memory:", "memry:").replace("cpus: 1", "cpus: many"));
  const validate = await odorobo("validate", folder.path);
  expect(validate.code).toBe(1);
  expect(validate.stdout).toMatch(
    /vms\/hello\.yaml:10:3 {2}error {2}unknown field "memry"\n 10 │ {3}memry: 64MiB\n {4}│ {3}\^{5}\n/,
  );
  expect(validate.stdout).toMatch(/: not valid: 2 errors\n$/);
  const plan = await odorobo("plan", folder.path);
  expect(plan).toMatchObject({ code: 1, stdout: "" });
  expect(plan.stderr).toMatch(/^error {2}MANIFEST_INVALID {2}2 mistakes in the manifests of [\s\S]*hello\.yaml:10:3/);
  const json = JSON.parse((await odorobo("validate", folder.path, "--json")).stdout);
  expect(json).toMatchObject({ kind: "Validation", valid: false, vms: null });
  expect(json.diagnostics).toHaveLength(2);
});

test("a token file that is not there is a mistake of ours, not a silent node", async () => {
  await odorobo("init", folder.path);
  const outcome = await odorobo("plan", folder.path, "--token-file", join(folder.path, "no"));
  expect(outcome).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/USAGE {2}cannot read .*\nCaused by:\n {2}ENOENT/),
  });
});

test("init writes a fleet that is valid, and never over what is there", async () => {
  await writeFile(join(folder.path, "README.md"), "mine");
  const init = await odorobo("init", folder.path);
  expect(init.code).toBe(0);
  expect(init.stdout).toMatch(/odorobo agent --name local.*\n {2}odorobo plan .*\n {2}odorobo apply /);
  expect(await readFile(join(folder.path, "README.md"), "utf8")).toBe("mine");
  const validate = await odorobo("validate", folder.path);
  expect(validate).toMatchObject({ code: 0, stdout: expect.stringMatching(/: 3 files, 1 VM: valid\n$/) });

  // The line that editors look for is relative, so that it is right for everybody who clones it.
  for (const file of ["fleet.yaml", "nodes/local.yaml", "vms/hello.yaml"]) {
    const [, schema] =
      /^# yaml-language-server: \$schema=(\S+)\n/.exec(await readFile(join(folder.path, file), "utf8")) ?? [];
    expect(schema, file).toMatch(/^(\.\.\/)*\.odorobo\//);
    const text = await readFile(join(folder.path, file, "..", String(schema)), "utf8");
    expect(text).toBe((await odorobo("schema")).stdout);
  }

  const again = await odorobo("init", folder.path);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("already holds") });
  const other = join(folder.path, "other");
  await mkdir(other);
  await writeFile(join(other, "theirs.yml"), "a: 1");
  expect((await odorobo("init", other)).code).toBe(1);
  expect(await readdir(other)).toEqual(["theirs.yml"]);
});
