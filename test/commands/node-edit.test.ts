/** Commands that write into the manifests, because they are asked to: one document, shown first, everything else as it was. */
import { execFile } from "node:child_process";
import { chmod, readFile, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeEdit } from "../../src/report/node-edit.ts";
import { aLiveFleet, type LiveFleet } from "../support/a-live-fleet.ts";
import { odorobo } from "../support/run-odorobo.ts";

let fleet: LiveFleet;
let text: string;
const FILE = "nodes/all.yaml";

beforeEach(async () => {
  fleet = await aLiveFleet("n1", "n2");
  for (const name of ["n1", "n2"]) await fleet.remove(`nodes/${name}.yaml`);
  text = `# Both of them.
apiVersion: odorobo.dev/v1
kind: Node
metadata: { name: "n1" }
spec: { address: '${fleet.url("n1")}' } # the old one
---
kind: Node      # the new one
apiVersion: odorobo.dev/v1
metadata:
  name: n2
spec:
  address: "${fleet.url("n2")}"
`;
  await fleet.write(FILE, text);
});
afterEach(() => fleet[Symbol.asyncDispose]());

const node = (...argv: string[]) => odorobo("node", ...argv, "--fleet", fleet.folder);
const now = () => readFile(join(fleet.folder, FILE), "utf8");

test("cordon and uncordon: shown, written, and back to the byte", async () => {
  await chmod(join(fleet.folder, FILE), 0o640);
  const { code, stdout } = await node("cordon", "n2", "--yes");
  expect(code).toBe(0);
  expect(stdout).toContain(`--- ${FILE}\n+++ ${FILE}\n@@ -10,3 +10,4 @@\n   name: n2\n spec:\n   address: `);
  expect(stdout).toContain("\n+  cordoned: true\n");
  expect(await now()).toBe(`${text}  cordoned: true\n`);
  expect((await stat(join(fleet.folder, FILE))).mode & 0o777).toBe(0o640);
  expect((await node("list")).stdout).toMatch(/n2 +up, cordoned/);
  expect(await node("cordon", "n2", "--yes")).toMatchObject({
    code: 0,
    stdout: "n2 is cordoned already: nothing to write.\n",
  });
  const back = JSON.parse((await node("uncordon", "n2", "--yes", "--json")).stdout) as NodeEdit;
  expect(back).toMatchObject({ kind: "NodeEdit", node: "n2", file: FILE, line: 10, outcome: "written" });
  expect(await now()).toBe(text);
});

test("nothing is written unless somebody says so", async () => {
  expect(await node("cordon", "n1")).toMatchObject({ code: 3, stderr: expect.stringContaining("NOT_CONFIRMED") });
  const printed = await node("cordon", "n1", "--print");
  expect(printed).toMatchObject({ code: 0, stdout: expect.stringContaining("', cordoned: true } # the old one") });
  expect(await now()).toBe(text);
});

test("drain and undrain: a window, and what plans and status make of it", async () => {
  const drained = await node("drain", "n1", "--until", "2h", "--reason", 'disks: "new", #2', "--yes");
  expect(drained.code, drained.stderr).toBe(0);
  expect(await now()).toMatch(
    /, maintenance: \{ until: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, reason: "disks: \\"new\\", #2" \} \} # the old/,
  );
  expect((await node("list")).stdout).toMatch(/n1 +up, in maintenance until [-0-9]+ [:0-9]+ UTC \(disks: "new", #2\)/);
  await fleet.vm("web-1", ["placement: { node: n1 }"]);
  const plan = await odorobo("plan", fleet.folder);
  expect(plan).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/web-1 .* fits nowhere.*\n +n1: in maintenance until/),
  });
  await fleet.remove("vms/web-1.yaml");
  await node("cordon", "n1", "--yes");
  await node("undrain", "n1", "--yes");
  expect((await node("list")).stdout).toMatch(/n1 +up, cordoned /);
  await node("drain", "n1", "--yes");
  expect(await now()).toContain("maintenance: true");
  await node("uncordon", "n1", "--yes");
  expect(await now()).toBe(text);
  for (const [flags, message] of [
    [["--until", "2020-01-01T00:00:00Z"], "over before it begins"],
    [["--from", "2h", "--until", "1h"], "over before it begins"],
    [["--until", "2026-13-01T00:00:00Z"], "no such time"],
    [["--until", "tomorrow"], "not a duration"],
    [["--reason", "x".repeat(201)], "at most 200"],
  ] as const)
    expect(await node("drain", "n1", ...flags, "--yes")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(message),
    });
});

test("a link leads to the file that is written, and stays a link", async () => {
  const link = join(fleet.folder, "nodes", "linked.yaml");
  await rm(join(fleet.folder, FILE));
  await fleet.write("inner/real.yaml.txt", text);
  await symlink("../inner/real.yaml.txt", link);
  const { code, stderr } = await node("cordon", "n2", "--yes");
  expect(code, stderr).toBe(0);
  expect(await readFile(join(fleet.folder, "inner/real.yaml.txt"), "utf8")).toBe(`${text}  cordoned: true\n`);
  expect((await stat(link)).isFile()).toBe(true);
});

test("what a person has to write is said with what and where", async () => {
  const odd = text.replace('  address: "', '  ? address\n  : "');
  await fleet.write(FILE, odd);
  expect(await node("cordon", "n2", "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/UNSUPPORTED {2}nodes\/all.yaml:10: .*\nhint: write below its spec: cordoned: true/),
  });
  expect(await now()).toBe(odd);
  expect(await node("cordon", "n9", "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("there is n1, n2"),
  });
});

test("manifests of a commit, and of an unfinished merge, are not written to", async () => {
  const run = promisify(execFile);
  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: fleet.folder });
  await git("init", "-q", "-b", "main");
  await git("add", ".");
  await git("commit", "-q", "-m", "one");
  const ofCommit = (...more: string[]) => odorobo("node", "cordon", "n2", "--repo", fleet.folder, ...more);
  expect(await ofCommit("--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/UNSUPPORTED {2}nodes\/all.yaml:10: manifests of a commit/),
  });
  expect(await ofCommit("--print")).toMatchObject({ code: 0, stdout: expect.stringContaining("+  cordoned: true") });
  await git("checkout", "-q", "-b", "other");
  await fleet.write(FILE, text.replace("# the old one", "# mine"));
  await git("commit", "-qam", "two");
  await git("checkout", "-q", "main");
  await fleet.write(FILE, text.replace("# the old one", "# theirs"));
  await git("commit", "-qam", "three");
  await git("merge", "other").catch(() => {});
  const merging = await now();
  expect(merging).toContain("<<<<<<<");
  expect((await node("cordon", "n2", "--yes")).code).toBe(1);
  // Marks gone, and git not told: still in the middle of it.
  await fleet.write(FILE, text);
  expect(await node("cordon", "n2", "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("in the middle of a merge"),
  });
  expect(await now()).toBe(text);
});

test("fence: refused while anybody answers, and without a word that it is off", async () => {
  const answers = await node("fence", "n2", "--confirm");
  expect(answers).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/NODE_ANSWERS {2}n2 is not fenced, for its agent answers\nhint: /),
  });
  // Another node's agent behind its address is somebody, too.
  await fleet.write(
    FILE,
    text.replace(fleet.url("n2"), `${fleet.url("n1")}/`).replace(fleet.url("n1"), "http://127.0.0.1:9"),
  );
  expect(await node("fence", "n2", "--confirm")).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("NODE_ANSWERS"),
  });
  await fleet.write(FILE, text);
  await fleet.stop("n2");
  for (const flags of [[], ["--yes"]])
    expect(await node("fence", "n2", ...flags)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("--confirm"),
    });
  expect(await node("fence", "n2", "--print")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("+  fenced: true"),
  });
  expect(await now()).toBe(text);
  expect((await node("fence", "n2", "--confirm")).code).toBe(0);
  expect(await now()).toBe(`${text}  fenced: true\n`);
});
