/** How long a person waits for the command to say anything at all: from a checkout, and as it is installed. */
import { join } from "node:path";
import { ROOT } from "../command-line.ts";
import { installed } from "../installed.ts";
import { repeat, runCommand } from "../measure.ts";
import { type Row, rowOf } from "../row.ts";
import type { Scenario } from "../scenario.ts";

export const startUp: Scenario = {
  name: "start-up",
  about: "odorobo --version and --help",
  async run(bench) {
    const folder = await installed(bench.ours, bench);
    const rows: Row[] = [];
    bench.say("start-up");
    for (const [where, file] of [
      ["bin/dev.js", join(ROOT, "bin/dev.js")],
      ["bin/run.js", join(folder, "bin/run.js")],
    ] as const) {
      for (const flag of ["--version", "--help"]) {
        const once = () => runCommand(file, [flag], { env: bench.ours.env, signal: bench.signal });
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
