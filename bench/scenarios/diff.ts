/** The comparison alone, and how it grows with the fleet. */
import type { FleetSize } from "../fleet-texts.ts";
import { inTurns, rowsOf, type Turns } from "../in-turns.ts";
import { runProcess, type Sample } from "../measure.ts";
import { prepareFleet } from "../prepared-fleet.ts";
import { type Row, ratioRow } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { sizesFor } from "../sizes.ts";

/** 10 times the VMs in little more than 10 times the time. */
const GROWTH = 10.5;

export const diff: Scenario = {
  name: "diff",
  about: "desired against observed, alone",
  compares: true,
  async run(bench) {
    const { small, large, label } = sizesFor(bench.quick);
    const smalls = await measure(bench, small);
    const larges = await measure(bench, large);
    const growth = (name: string, of: keyof Turns, target: number | null): Row => {
      const ratios = larges[of].map((sample, run) => again(sample) / again(smalls[of][run] ?? sample));
      const did = `time for ${large.vms / small.vms} times the VMs, each in a warm process`;
      return ratioRow(name, ratios, did, target === null || bench.quick ? null : { atMost: target });
    };
    const name = `diff ${label(small)} → ${label(large)}`;
    return [
      ...rowsOf(`diff ${label(small)}`, smalls, bench),
      ...rowsOf(`diff ${label(large)}`, larges, bench, { target: { atMost: 300 } }),
      growth(name, "ours", GROWTH),
      ...(bench.base === null ? [] : [growth(`${name}, ${bench.base.label}`, "theirs", null)]),
    ];
  },
};

const again = (sample: Sample): number => sample.values.again ?? Number.NaN;

async function measure(bench: Bench, size: FleetSize): Promise<Turns> {
  bench.say(`diff of ${size.vms} VMs`);
  return await inTurns(bench, bench.quick ? 1 : 5, async (tree) => {
    const { manifests, reports } = await prepareFleet(tree, size, bench);
    return await runProcess("diff", [manifests, reports], tree, bench.signal);
  });
}
