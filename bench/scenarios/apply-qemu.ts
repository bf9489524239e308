/** What our machinery adds to starting real guests: an apply, and a bare loop over the same command lines, in turns. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { runProcess, type Sample } from "../measure.ts";
import { onPath } from "../on-path.ts";
import { notMeasured, ratioRow, rowOf } from "../row.ts";
import type { Scenario } from "../scenario.ts";

const AGENTS = 4;
const RATIO = 1.3;

export const applyQemu: Scenario = {
  name: "apply-qemu",
  about: "small real guests on QEMU, against a bare loop that starts the same",
  async run(bench) {
    const guests = bench.quick ? 3 : 100;
    const pairs = bench.quick ? 1 : 3;
    const name = `apply ${guests} QEMU`;
    if (onPath("qemu-system-x86_64") === null)
      return [notMeasured(name, "QEMU is not installed: apt-get install qemu-system-x86")];
    const ours: Sample[] = [];
    const bare: Sample[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      bench.say(`${guests} guests on QEMU, pair ${pair + 1} of ${pairs}`);
      const scratch = await mkdtemp(join(bench.scratch, "q"));
      const apply = async () => {
        ours.push(
          await runProcess(
            "apply-qemu",
            [join(scratch, "o"), String(guests), String(AGENTS)],
            bench.ours,
            bench.signal,
          ),
        );
      };
      const loop = async () => {
        bare.push(await runProcess("bare-qemu", [join(scratch, "b"), join(scratch, "o/m")], bench.ours, bench.signal));
      };
      await apply();
      await loop();
      await rm(scratch, { recursive: true });
    }
    const ratios = ours.map((sample, pair) => sample.milliseconds / (bare[pair]?.milliseconds ?? Number.NaN));
    return [
      rowOf(name, ours),
      rowOf(`bare loop, ${guests} QEMU`, bare),
      ratioRow(
        `${name} : bare loop`,
        ratios,
        "each apply against the loop after it",
        bench.quick ? null : { atMost: RATIO },
      ),
    ];
  },
};
