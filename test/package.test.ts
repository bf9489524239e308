/**
 * The package as users install it: packed from a copy of the checkout, unpacked elsewhere with nothing beside it, and used.
 * What works from the sources alone (a path, a library) does not work here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requires } from "./support/requirements.ts";
import "./support/own-cache.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));
/** Compiling, and several commands one after another, each a process, on a machine that tests other things meanwhile. */
const DEADLINE_MS = 120_000;
const NOT_COPIED = new Set(["node_modules", "dist", ".git"]);

let folder: string;
/** `node_modules/odorobo` of some other project. */
let installed: string;
let packed: string[];
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "odp-"));
  const copy = join(folder, "copy");
  await cp(CHECKOUT, copy, {
    recursive: true,
    filter: (path) => dirname(path) !== dirname(join(CHECKOUT, "x")) || !NOT_COPIED.has(basename(path)),
  });
  await symlink(join(CHECKOUT, "node_modules"), join(copy, "node_modules"));
  const pack = ["pack", "--json", "--silent", "--offline", "--foreground-scripts=false", "--pack-destination", folder];
  const { code, stdout, stderr } = await run("npm", pack, copy);
  expect(code, stderr).toBe(0);
  const [tarball] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  packed = tarball.files.map((file) => file.path);

  const project = join(folder, "project/node_modules");
  installed = join(project, "odorobo");
  await mkdir(installed, { recursive: true });
  const unpacked = await run("tar", ["-xzf", join(folder, tarball.filename), "-C", installed, "--strip-components=1"]);
  expect(unpacked.code, unpacked.stderr).toBe(0);
}, DEADLINE_MS);

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

test("what users need is in it, and what builds and tests it is not", () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      ...["LICENSE", "README.md", "CHANGELOG.md", "package.json", "guest/tiny.elf"],
      ...["bin/run.js", "dist/main.js", "dist/table.js", "dist/NOTICES.txt"],
      ...["plan", "virtual-machine", "node-report"].map((name) => `schemas/${name}.schema.json`),
      ...["fleet.yaml", "nodes.yaml", "vms/web-1.yaml"].map((file) => `examples/three-nodes/fleet/${file}`),
    ]),
  );
  const allowed = /^(LICENSE|README\.md|CHANGELOG\.md|package\.json|guest\/tiny\.elf|(bin|dist|schemas|examples)\/.+)$/;
  expect(packed.filter((path) => !allowed.test(path))).toEqual([]);
  expect(
    packed.filter((path) => /\.ts$|\.map$|\.test\.|^(src|test|bench|scripts|dist\/(test|bench))\//.test(path)),
  ).toEqual([]);
});

test("it says its version, and its help", async () => {
  const { version } = JSON.parse(await readFile(join(CHECKOUT, "package.json"), "utf8"));
  expect(await odorobo("--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(`^odorobo/${version} `) });
  expect(await odorobo("vm", "list", "--help")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("--deleted"),
  });
});

test(
  "a fleet is begun, validated, planned and applied to an agent; a saved plan too",
  async () => {
    const fleet = join(folder, "fleet");
    expect(await odorobo("init", fleet, "--hypervisor", "noop")).toMatchObject({ code: 0, stderr: "" });
    const places = ["--data", join(folder, "d"), "--run", join(folder, "r"), "--listen", "127.0.0.1:0"];
    const agent = start(["agent", "--name", "local", "--hypervisor", "noop", "--log-format", "json", ...places]);
    const [, url] = await agent.says(/ ready on (http:[^\s",]+)/);
    const node = join(fleet, "nodes/local.yaml");
    await writeFile(node, (await readFile(node, "utf8")).replace("http://127.0.0.1:8890", url as string));

    expect(await odorobo("validate", fleet)).toMatchObject({ code: 0, stdout: expect.stringMatching(/: valid\n$/) });
    const plan = join(folder, "plan.json");
    expect((await odorobo("plan", fleet, "--detailed-exitcode", "--out", plan)).code).toBe(2);
    expect(await odorobo("apply", plan, "--fleet", fleet, "--yes")).toMatchObject({ code: 0 });
    expect(await odorobo("plan", fleet, "--detailed-exitcode")).toMatchObject({ code: 0, stderr: "" });
    const list = await odorobo("vm", "list", "--fleet", fleet, "--json");
    expect(JSON.parse(list.stdout)).toMatchObject({ vms: [{ name: "hello", phase: "running" }], silent: [] });
    agent.child.kill("SIGTERM");
    expect((await agent.ended).code).toBe(0);
  },
  DEADLINE_MS,
);

test.runIf(requires("the demo from a package", "git"))(
  "the demo finds its example and its agents",
  async () => {
    // Without a hypervisor on the PATH its guests are rehearsed.
    const programs = join(folder, "programs");
    await mkdir(programs);
    const git = await run("sh", ["-c", "command -v git"]);
    await symlink(git.stdout.trim(), join(programs, "git"));
    const demo = start(["demo"], { PATH: programs });
    await demo.says(/\$ odorobo apply/);
    demo.child.kill("SIGINT");
    const { code, stdout } = await demo.ended;
    expect(code, stdout).toBe(130);
  },
  DEADLINE_MS,
);

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const odorobo = (...argv: string[]): Promise<Outcome> => start(argv).ended;

const start = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawned(process.execPath, [join(installed, "bin/run.js"), ...argv], folder, env);

const run = (command: string, args: readonly string[], cwd = folder): Promise<Outcome> =>
  spawned(command, args, cwd, {}).ended;

function spawned(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NODE_ENV: "production", NO_COLOR: "1", TMPDIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
      child.emit("text");
    });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      children.delete(child);
      resolve({ code, ...texts });
    });
  });
  /** Resolves once it has said this; rejects when it ends before. */
  const says = (what: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const match = what.exec(texts.stdout) ?? what.exec(texts.stderr);
        if (match) resolve(match);
      };
      child.on("text", look);
      look();
      ended.then(
        ({ stdout, stderr }) => reject(new Error(`it ended before it said ${what}:\n${stdout}\n${stderr}`)),
        reject,
      );
    });
  return { child, ended, says };
}
