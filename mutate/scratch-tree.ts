/** A copy of the work tree in a folder of its own, with Stryker beside what the project needs: 166 packages nobody else wants. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Pinned: mutators come and go, and with them what a seed means. */
const STRYKER = ["@stryker-mutator/core@10.1.1", "@stryker-mutator/vitest-runner@10.1.1"];

/** Tracked files as they are in the work tree, and new ones that git does not ignore. `folder` exists and is empty. */
export function copyTree(root: string, folder: string): void {
  const { stdout, status } = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`git does not say which files there are in ${root}`);
  for (const file of stdout.split("\0").filter((each) => each !== "" && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  // No link, also where it is one: npm would change the project's own.
  cpSync(realpathSync(join(root, "node_modules")), join(folder, "node_modules"), {
    recursive: true,
    verbatimSymlinks: true,
  });
}

export function installStryker(folder: string): void {
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", ...STRYKER];
  const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm could not install Stryker:\n${stderr}`);
}
