/** odorobo as `npm install` leaves it: compiled, in a folder of its own. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "./command-line.ts";
import { runCommand } from "./measure.ts";
import type { Bench } from "./scenario.ts";

const built = new WeakMap<Bench, Promise<string>>();

/** Compiled once in a run. Returns the folder; the command is `bin/run.js` in it. */
export function installed(bench: Bench): Promise<string> {
  let folder = built.get(bench);
  if (folder === undefined) {
    folder = build(bench);
    built.set(bench, folder);
  }
  return folder;
}

async function build(bench: Bench): Promise<string> {
  bench.say("compiling");
  const folder = join(bench.scratch, "installed");
  await mkdir(folder);
  for (const part of ["bin", "schemas", "guest", "package.json"])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const tsc = join(ROOT, "node_modules/.bin/tsc");
  await runCommand(tsc, ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", join(folder, "dist")], bench);
  return folder;
}
