/** The whole of `odorobo plan` when nothing has to be done: files never parsed before, and parsed at the last plan. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../command-line.ts";
import { median, type ProcessOptions, repeat, runCommand, runProcess, type Sample } from "../measure.ts";
import { type PreparedFleet, prepareFleet } from "../prepared-fleet.ts";
import { type Row, ratioRow, rowOf, type Target } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { serveFleet } from "../serve-fleet.ts";
import { sizesFor } from "../sizes.ts";

export const plan: Scenario = {
  name: "plan",
  about: "a plan with nothing to do, the first one, and the command itself",
  async run(bench) {
    const { small, large, label } = sizesFor(bench.quick);
    const judge = (target: Target) => (bench.quick ? {} : { target });
    bench.say("making the manifests of two fleets and their reports");
    const fleets = [await prepareFleet(bench.scratch, small), await prepareFleet(bench.scratch, large)] as const;
    const smallTimes = await measurePlans(bench, fleets[0], bench.quick ? 1 : 5);
    const largeTimes = await measurePlans(bench, fleets[1], bench.quick ? 1 : 3);
    const [s, l] = [label(small), label(large)];
    const peak = ({ peakMiB }: Sample) => peakMiB ?? Number.NaN;
    const memory = (name: string, samples: readonly Sample[], target?: Target): Row => ({
      ...rowOf(name, samples, {
        unit: "MiB",
        value: peak,
        did: "peak resident set of the process",
        ...(target && judge(target)),
      }),
      peakMiB: null,
      cpuMs: null,
    });
    const growth = (name: string, what: string, of: (sample: Sample) => number) =>
      ratioRow(`${name} ${s} → ${l}`, [median(largeTimes.warm.map(of)) / median(smallTimes.warm.map(of))], what);
    return [
      rowOf(`plan ${s} cold`, smallTimes.cold, judge({ atMost: 1_500 })),
      rowOf(`plan ${s} warm`, smallTimes.warm, judge({ atMost: 1_500 })),
      memory(`plan ${s} cold, memory`, smallTimes.cold, { atMost: 200 }),
      memory(`plan ${s} warm, memory`, smallTimes.warm, { atMost: 200 }),
      rowOf(`plan ${l} cold`, largeTimes.cold, judge({ atMost: 6_000 })),
      rowOf(`plan ${l} warm`, largeTimes.warm, judge({ atMost: 3_000 })),
      growth("plan", "time for the larger fleet, warm", (sample) => sample.milliseconds),
      growth("plan memory", "peak resident set for the larger fleet, warm", peak),
      rowOf(`first plan ${l}`, await measureFirstPlan(bench, fleets[1])),
      rowOf(`odorobo plan ${s}`, await measureCommand(bench, fleets[0])),
      rowOf(`odorobo plan ${l}`, await measureCommand(bench, fleets[1])),
    ];
  },
};

async function measurePlans(bench: Bench, fleet: PreparedFleet, runs: number) {
  bench.say(`plan of ${fleet.vms} VMs on ${fleet.nodes} nodes`);
  const cold: Sample[] = [];
  const warm: Sample[] = [];
  // Once before, so that the code itself is in Node's compile cache as after anybody's first command.
  await planOnce(fleet, bench);
  for (let run = 0; run < runs; run++) {
    await rm(join(bench.scratch, "cache"), { recursive: true, force: true });
    cold.push(await planOnce(fleet, bench));
    warm.push(await planOnce(fleet, bench));
  }
  return { cold, warm };
}

export const planOnce = (fleet: PreparedFleet, options: ProcessOptions): Promise<Sample> =>
  runProcess("plan", [fleet.manifests, fleet.reports], options);

function measureFirstPlan(bench: Bench, fleet: PreparedFleet): Promise<Sample[]> {
  bench.say(`first plan of ${fleet.vms} VMs`);
  const args = [fleet.manifests, fleet.reports, "--nothing-runs"];
  return repeat(bench.quick ? 1 : 3, () => runProcess("plan", args, bench));
}

/** bin/ as it is, with agents behind real sockets in a process beside it. */
async function measureCommand(bench: Bench, fleet: PreparedFleet): Promise<Sample[]> {
  bench.say(`odorobo plan of ${fleet.vms} VMs, agents on sockets`);
  await using _agents = await serveFleet(fleet, bench);
  const samples = await repeat(bench.quick ? 2 : 5, () =>
    runCommand(join(ROOT, "bin/dev.js"), ["plan", fleet.manifests], bench),
  );
  // The first one fills the caches.
  return samples.slice(1).map((sample) => ({ ...sample, did: describe(sample.did) }));
}

const describe = (output: string): string =>
  `the command, its agents in another process on sockets: ${output.trim().split("\n").at(0)}`;
