/** How long a person waits for the command to say anything at all: from a checkout, and as it is installed. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../command-line.ts";
import { repeat, runCommand } from "../measure.ts";
import { type Row, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

export const startUp: Scenario = {
  name: "start-up",
  about: "odorobo --version and --help",
  async run(bench) {
    const installed = await build(bench);
    const rows: Row[] = [];
    bench.say("start-up");
    for (const [where, file] of [
      ["bin/dev.js", join(ROOT, "bin/dev.js")],
      ["bin/run.js", join(installed, "bin/run.js")],
    ] as const) {
      for (const flag of ["--version", "--help"]) {
        const once = () => runCommand(file, [flag], bench);
        await once();
        const samples = await repeat(bench.quick ? 1 : 11, once);
        const did = `wrote ${samples[0]?.did.trim().split("\n")[0]}`;
        const target = flag === "--version" && !bench.quick ? { target: { atMost: 150 } } : {};
        rows.push(rowOf(`${where} ${flag}`, samples, { did, ...target }));
      }
    }
    return rows;
  },
};

/** As the package is: compiled, in a folder of its own. */
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
