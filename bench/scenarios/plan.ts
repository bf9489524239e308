/** The whole of `odorobo plan` when nothing has to be done: files never parsed before, and parsed at the last plan. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FleetSize } from "../fleet-texts.ts";
import { inTurns, rowsOf, type Turns } from "../in-turns.ts";
import { installed } from "../installed.ts";
import { median, runCommand, runProcess, type Sample } from "../measure.ts";
import { type PreparedFleet, prepareFleet } from "../prepared-fleet.ts";
import { ratioRow, rowOf, type Target } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { serveFleet } from "../serve-fleet.ts";
import { sizesFor } from "../sizes.ts";
import { cacheOf, type Tree } from "../tree.ts";

/** Of the build of 245236a, which everything was checked again in at every plan. */
const HALF_THE_TIME = {
  cold: { value: { atMost: 0.6 } },
  warm: { value: { atMost: 0.4 }, peak: { atMost: 0.6 } },
  first: { value: { atMost: 0.6 } },
  command: { value: { atMost: 0.5 } },
} as const;

export const plan: Scenario = {
  name: "plan",
  about: "a plan with nothing to do, the first one, and the command itself",
  compares: true,
  async run(bench) {
    const { small, large, label } = sizesFor(bench.quick);
    const [s, l] = [label(small), label(large)];
    const smalls = await measurePlans(bench, small, bench.quick ? 1 : 5);
    const larges = await measurePlans(bench, large, bench.quick ? 1 : 3);
    const peak = ({ peakMiB }: Sample) => peakMiB ?? Number.NaN;
    const memory = (name: string, { ours }: Turns, target: Target) => ({
      ...rowOf(name, ours, { unit: "MiB", value: peak, did: "peak resident set of the process" }),
      target: bench.quick ? null : target,
      peakMiB: null,
      cpuMs: null,
    });
    const growth = (name: string, what: string, of: (sample: Sample) => number) =>
      ratioRow(`${name} ${s} → ${l}`, [median(larges.warm.ours.map(of)) / median(smalls.warm.ours.map(of))], what);
    return [
      ...rowsOf(`plan ${s} cold`, smalls.cold, bench, { target: { atMost: 1_500 } }),
      ...rowsOf(`plan ${s} warm`, smalls.warm, bench, { target: { atMost: 1_500 } }),
      memory(`plan ${s} cold, memory`, smalls.cold, { atMost: 200 }),
      memory(`plan ${s} warm, memory`, smalls.warm, { atMost: 200 }),
      ...rowsOf(`plan ${l} cold`, larges.cold, bench, { target: { atMost: 6_000 }, against: HALF_THE_TIME.cold }),
      ...rowsOf(`plan ${l} warm`, larges.warm, bench, { target: { atMost: 3_000 }, against: HALF_THE_TIME.warm }),
      growth("plan", "time for the larger fleet, warm", (sample) => sample.milliseconds),
      growth("plan memory", "peak resident set for the larger fleet, warm", peak),
      ...rowsOf(`first plan ${l}`, await measureFirstPlan(bench, large), bench, { against: HALF_THE_TIME.first }),
      ...rowsOf(`odorobo plan ${s}`, await measureCommand(bench, small), bench),
      ...rowsOf(`odorobo plan ${l}`, await measureCommand(bench, large), bench, { against: HALF_THE_TIME.command }),
    ];
  },
};

async function measurePlans(bench: Bench, size: FleetSize, runs: number): Promise<Record<"cold" | "warm", Turns>> {
  const fleetOf = await prepareFleets(bench, size);
  bench.say(`plan of ${size.vms} VMs on ${size.nodes} nodes`);
  // Once before, so that the code itself is in Node's compile cache as after anybody's first command.
  await inTurns(bench, 1, (tree) => planOnce(fleetOf(tree), tree, bench));
  const cold: Turns[] = [];
  const warm: Turns[] = [];
  for (let run = 0; run < runs; run++) {
    cold.push(
      await inTurns(bench, 1, async (tree) => {
        await rm(cacheOf(tree), { recursive: true, force: true });
        return await planOnce(fleetOf(tree), tree, bench);
      }),
    );
    warm.push(await inTurns(bench, 1, (tree) => planOnce(fleetOf(tree), tree, bench)));
  }
  return { cold: joined(cold), warm: joined(warm) };
}

const joined = (turns: readonly Turns[]): Turns => ({
  ours: turns.flatMap(({ ours }) => ours),
  theirs: turns.flatMap(({ theirs }) => theirs),
});

async function prepareFleets(bench: Bench, size: FleetSize): Promise<(tree: Tree) => PreparedFleet> {
  const fleets = new Map<Tree, PreparedFleet>();
  for (const tree of [bench.ours, bench.base])
    if (tree !== null) fleets.set(tree, await prepareFleet(tree, size, bench));
  return (tree) => fleets.get(tree) as PreparedFleet;
}

export const planOnce = (fleet: PreparedFleet, tree: Tree, { signal }: Bench): Promise<Sample> =>
  runProcess("plan", [fleet.manifests, fleet.reports], tree, signal);

async function measureFirstPlan(bench: Bench, size: FleetSize): Promise<Turns> {
  const fleetOf = await prepareFleets(bench, size);
  bench.say(`first plan of ${size.vms} VMs`);
  return await inTurns(bench, bench.quick ? 1 : 3, (tree) => {
    const { manifests, reports } = fleetOf(tree);
    return runProcess("plan", [manifests, reports, "--nothing-runs"], tree, bench.signal);
  });
}

/** The command as it is installed, with agents behind real sockets in a process beside it. */
async function measureCommand(bench: Bench, size: FleetSize): Promise<Turns> {
  const fleetOf = await prepareFleets(bench, size);
  bench.say(`odorobo plan of ${size.vms} VMs, agents on sockets`);
  await using served = new AsyncDisposableStack();
  for (const tree of [bench.ours, bench.base])
    if (tree !== null) served.use(await serveFleet(fleetOf(tree), tree, bench.signal));
  const take = async (tree: Tree) => {
    const command = join(await installed(tree, bench), "bin/run.js");
    const sample = await runCommand(command, ["plan", fleetOf(tree).manifests], { ...tree, signal: bench.signal });
    return { ...sample, did: describe(sample.did) };
  };
  // The first one fills the caches.
  await inTurns(bench, 1, take);
  return await inTurns(bench, bench.quick ? 1 : 5, take);
}

const describe = (output: string): string =>
  `the command, its agents in another process on sockets: ${output.trim().split("\n").at(0)}`;
