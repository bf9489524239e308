/** odorobo as `npm install` leaves it: built, in a folder of its own. */
import { existsSync } from "node:fs";
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./measure.ts";
import type { Bench } from "./scenario.ts";
import type { Tree } from "./tree.ts";

const built = new WeakMap<Tree, Promise<string>>();

/** Compiled once in a run, unless the run was told where it is. Returns the folder; the command is `bin/run.js` in it. */
export function installed(tree: Tree, bench: Bench): Promise<string> {
  let folder = built.get(tree);
  if (folder === undefined) {
    const isGiven = bench.installed !== null && tree === bench.ours;
    folder = isGiven ? Promise.resolve(bench.installed as string) : build(tree, bench);
    built.set(tree, folder);
  }
  return folder;
}

async function build({ root, scratch, env, label }: Tree, { say, signal }: Bench): Promise<string> {
  say(`compiling ${label}`.trimEnd());
  const folder = join(scratch, "installed");
  await mkdir(folder);
  for (const part of ["bin", "schemas", "guest", "package.json"])
    await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const ownBuild = join(root, "scripts/build.ts");
  // Builds of before were the compiler's alone.
  const command = existsSync(ownBuild)
    ? [process.execPath, ownBuild]
    : [join(root, "node_modules/.bin/tsc"), "-p", join(root, "tsconfig.build.json"), "--outDir"];
  const [program = "", ...args] = [...command, join(folder, "dist")];
  await runCommand(program, args, { env, signal });
  return folder;
}
