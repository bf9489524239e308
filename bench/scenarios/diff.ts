/** The comparison alone, and how it grows with the fleet. */
import { repeat, runProcess } from "../measure.ts";
import { prepareFleet } from "../prepared-fleet.ts";
import { ratioRow, rowOf } from "../row.ts";
import type { Scenario } from "../scenario.ts";
import { sizesFor } from "../sizes.ts";

/** The words: 10 times the VMs in at most 11 times the time. */
const GROWTH = 11;

export const diff: Scenario = {
  name: "diff",
  about: "desired against observed, alone",
  async run(bench) {
    const { small, large, label } = sizesFor(bench.quick);
    const runs = bench.quick ? 1 : 5;
    const take = async (size: typeof small) => {
      const fleet = await prepareFleet(bench.scratch, size);
      bench.say(`diff of ${size.vms} VMs`);
      return await repeat(runs, () => runProcess("diff", [fleet.manifests, fleet.reports], bench));
    };
    const smalls = await take(small);
    const larges = await take(large);
    const again = (sample: (typeof smalls)[number]) => sample.values.again ?? Number.NaN;
    const growth = larges.map((sample, run) => again(sample) / again(smalls[run] ?? sample));
    return [
      rowOf(`diff ${label(small)}`, smalls),
      rowOf(`diff ${label(large)}`, larges, bench.quick ? {} : { target: { atMost: 300 } }),
      ratioRow(
        `diff ${label(small)} → ${label(large)}`,
        growth,
        `time for ${large.vms / small.vms} times the VMs, each in a warm process`,
        bench.quick ? null : { atMost: GROWTH },
      ),
    ];
  },
};
