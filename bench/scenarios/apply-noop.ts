/** What applying costs where guests cost nothing: order, wire, journal, records. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { inTurns, rowsOf, type Turns } from "../in-turns.ts";
import { median, runProcess, type Sample } from "../measure.ts";
import { ratioRow } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const AGENTS = 10;
const STEPS_PER_SECOND = 200;
/** Of the build of 245236a. */
const FASTER = { value: { atLeast: 1.5 } };
/** 10 times the VMs in at most 11 times the time. */
const GROWTH = 11;

export const applyNoop: Scenario = {
  name: "apply-noop",
  about: "create and boot of noop VMs through real agents with durable records",
  compares: true,
  async run(bench) {
    const [small, large] = bench.quick ? [6, 20] : [100, 1_000];
    const smalls = await measure(bench, small, bench.quick ? 1 : 5);
    const larges = await measure(bench, large, bench.quick ? 1 : 3);
    const rate = {
      unit: "steps/s",
      value: (sample: Sample) => (1_000 * (sample.values.steps ?? 0)) / sample.milliseconds,
      target: { atLeast: STEPS_PER_SECOND },
    } as const;
    const milliseconds = ({ ours }: Turns) => median(ours.map((sample) => sample.milliseconds));
    return [
      ...rowsOf(`apply ${small} noop`, smalls, bench, rate),
      ...rowsOf(`apply ${large} noop`, larges, bench, { ...rate, against: FASTER }),
      ratioRow(
        `apply ${small} → ${large} noop`,
        [milliseconds(larges) / milliseconds(smalls)],
        `time for ${large / small} times the VMs`,
        bench.quick ? null : { atMost: GROWTH },
      ),
    ];
  },
};

async function measure(bench: Bench, vms: number, runs: number): Promise<Turns> {
  bench.say(`apply of ${vms} noop VMs`);
  return await inTurns(bench, runs, async (tree) => {
    const scratch = await mkdtemp(join(bench.scratch, "n"));
    const sample = await runProcess("apply-noop", [scratch, String(vms), String(AGENTS)], tree, bench.signal);
    await rm(scratch, { recursive: true });
    return { ...sample, did: `${sample.did}; ${AGENTS} agents in the process` };
  });
}
