/** A folder of files, and git repositories, for tests of sources. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export async function writeFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** Without the configuration of whoever runs the tests. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" };
  const who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
  const { stdout } = await run("git", ["-C", folder, ...who, ...args], { env });
  return stdout.trim();
}

/** A repository with one commit on main. Answers with the commit. */
export async function makeRepository(
  folder: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await git(folder, "init", "--quiet", "--initial-branch=main");
  return await commitFiles(folder, files);
}

export async function commitFiles(folder: string, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  await writeFiles(folder, files);
  await git(folder, "add", "--all");
  await git(folder, "commit", "--quiet", "--allow-empty", "--message", "a commit");
  return await git(folder, "rev-parse", "HEAD");
}
