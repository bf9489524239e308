/** What applying costs where guests cost nothing: order, wire, journal, records. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { median, repeat, runProcess, type Sample } from "../measure.ts";
import { ratioRow, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const AGENTS = 10;
const STEPS_PER_SECOND = 200;
/** As the diff's: 10 times the VMs in at most 11 times the time. */
const GROWTH = 11;

export const applyNoop: Scenario = {
  name: "apply-noop",
  about: "create and boot of noop VMs through real agents with durable records",
  async run(bench) {
    const [small, large] = bench.quick ? [6, 20] : [100, 1_000];
    const runs = bench.quick ? 1 : 5;
    const smalls = await measure(bench, small, runs);
    const larges = await measure(bench, large, bench.quick ? 1 : 3);
    const rate = (sample: Sample) => (1_000 * (sample.values.steps ?? 0)) / sample.milliseconds;
    const judge = bench.quick ? {} : { target: { atLeast: STEPS_PER_SECOND } };
    const milliseconds = (samples: readonly Sample[]) => median(samples.map((sample) => sample.milliseconds));
    return [
      rowOf(`apply ${small} noop`, smalls, { unit: "steps/s", value: rate, ...judge }),
      rowOf(`apply ${large} noop`, larges, { unit: "steps/s", value: rate, ...judge }),
      ratioRow(
        `apply ${small} → ${large} noop`,
        [milliseconds(larges) / milliseconds(smalls)],
        `time for ${large / small} times the VMs`,
        bench.quick ? null : { atMost: GROWTH },
      ),
    ];
  },
};

async function measure(bench: Bench, vms: number, runs: number): Promise<Sample[]> {
  bench.say(`apply of ${vms} noop VMs`);
  return await repeat(runs, async () => {
    const scratch = await mkdtemp(join(bench.scratch, "n"));
    const sample = await runProcess("apply-noop", [scratch, String(vms), String(AGENTS)], bench);
    await rm(scratch, { recursive: true });
    return { ...sample, did: `${sample.did}; ${AGENTS} agents in the process` };
  });
}
