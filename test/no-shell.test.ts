/** Nothing that a manifest, a caller or a guest says is ever read by a shell: programs are started by name, with a list of arguments. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");

/** Node's ways to a shell, and shells themselves. `RegExp.exec` is a method; child_process's `exec` is not. */
const SHELLS: readonly RegExp[] = [
  /(?<![.\w])exec(Sync)?\(/,
  /child_process["']\)?\.exec(Sync)?\b/,
  /\bimport\s*\{[^}]*\bexec(Sync)?\b[^}]*\}\s*from\s*"node:child_process"/,
  /\bshell\s*:\s*(?!\s|false)/,
  /["'`](\/(usr\/)?bin\/)?(ba|da|z|k|a)?sh["'`]/,
  /\bnew Function\(|(?<![.\w])eval\(/,
];

const findShells = (text: string): string[] =>
  text.split("\n").filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line) && SHELLS.some((shell) => shell.test(line)));

test("no source starts a shell", () => {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(100);
  const guilty = files.flatMap((file) =>
    findShells(readFileSync(join(SRC, file), "utf8")).map((line) => `${file}: ${line}`),
  );
  expect(guilty).toEqual([]);
});

test("the test sees what it is about", () => {
  for (const line of [
    'exec("ls")',
    "await execSync(command)",
    'import { exec, spawn } from "node:child_process";',
    "spawn(command, { shell: true })",
    'spawn("/bin/sh", args)',
    'spawn("bash", ["x"])',
    "eval(text)",
  ])
    expect(findShells(line), line).toHaveLength(1);
  for (const line of [
    "/^a/.exec(text)",
    'import { execFile } from "node:child_process";',
    "// exec(x)",
    "shell: false",
  ])
    expect(findShells(line), line).toEqual([]);
});
