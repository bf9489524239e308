/** Where everybody is to live and in which order they move, on fleets of the families by which planners are compared; BtrPlace beside it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Family, FleetShape } from "../fleets/generate.ts";
import { generateFleet } from "../fleets/generate.ts";
import { median, repeat, runProcess, type Sample } from "../measure.ts";
import { fetchBtrPlace, type Peer } from "../peers/btrplace.ts";
import { notMeasured, type Row, ratioRow, rowOf, type Target } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const FAMILIES: readonly Family[] = ["drain", "roll", "swap", "grow", "aa"];
/** Seconds that BtrPlace is given for its first plan, by the clock: on a busy machine that is less work than it looks. */
const PATIENCE_S = 90;

interface Targets {
  readonly cpu?: Target;
  readonly peak?: Target;
}

export const schedule: Scenario = {
  name: "schedule",
  about: "placement and order of moves on fleets of known families, beside BtrPlace where it can be had",
  async run(bench) {
    const sizes = bench.quick
      ? [{ nodes: 10, vms: 100 }]
      : [
          { nodes: 100, vms: 2_000 },
          { nodes: 500, vms: 10_000 },
        ];
    const btrPlace = bench.quick ? "small sizes are not compared" : await fetchBtrPlace(bench);
    const rows: Row[] = [];
    for (const size of sizes)
      for (const family of FAMILIES) {
        const targets = family === "roll" && size.nodes === 500 ? { cpu: { atMost: 2_000 } } : {};
        rows.push(...(await measure({ ...size, family, seed: 1 }, btrPlace, targets, bench)));
      }
    const load = bench.quick ? { nodes: 50, vms: 300 } : { nodes: 5_000, vms: 30_000 };
    const why = "not run: 308 CPU seconds and 5.1 GB were measured for its own instance of this size";
    const targets = { cpu: { atMost: 18_000 }, peak: { atMost: 1_500 } };
    rows.push(...(await measure({ ...load, family: "li", seed: 1 }, why, targets, bench)));
    return rows;
  },
};

async function measure(shape: FleetShape, btrPlace: Peer | string, targets: Targets, bench: Bench): Promise<Row[]> {
  const name = `${shape.family} ${shape.nodes}/${shape.vms}`;
  bench.say(`${name}: placement and order`);
  const folder = bench.out ?? join(bench.scratch, "schedules");
  await mkdir(folder, { recursive: true });
  const file = (what: string) => join(folder, `${shape.family}-${shape.nodes}.${what}.json`);
  await writeFile(file("fleet"), JSON.stringify(generateFleet(shape)));
  const take = () => runProcess("schedule", [file("fleet"), file("plan")], bench.ours, bench.signal);
  const ours = await repeat(bench.quick ? 1 : 3, take);
  const [first] = ours;
  if (first === undefined) return [];
  const { makespanS = 0, boundS = 0, costlyBoundS = 0, wavesS = 0, senders = 0 } = first.values;
  const judged = (target: Target | undefined): Target | null => (bench.quick ? null : (target ?? null));
  const rows: Row[] = [{ ...rowOf(name, ours, { value: cpuOf, did: describe(first) }), target: judged(targets.cpu) }];
  const needs = `${makespanS.toFixed(1)} s, the busiest link alone needs ${boundS.toFixed(1)} s, ${costlyBoundS.toFixed(1)} s with what each move takes beside its transfer`;
  if (boundS > 0)
    rows.push(ratioRow(`${name}, makespan : bound`, [makespanS / boundS], needs, judged({ atMost: 1.05 })));
  if (targets.peak)
    rows.push({
      ...rowOf(`${name}, memory`, ours, {
        unit: "MiB",
        value: ({ peakMiB }) => peakMiB ?? Number.NaN,
        did: "peak resident set",
      }),
      target: judged(targets.peak),
    });
  if (senders > 1)
    rows.push(
      ratioRow(
        `${name}, makespan : waves of four`,
        [makespanS / wavesS],
        `waves: ${wavesS.toFixed(1)} s`,
        judged({ atMost: 0.7 }),
      ),
    );
  return [...rows, ...(await compare(name, file("fleet"), ours, btrPlace, bench))];
}

async function compare(
  name: string,
  fleetFile: string,
  ours: readonly Sample[],
  btrPlace: Peer | string,
  bench: Bench,
): Promise<Row[]> {
  const label = `${name}, BtrPlace`;
  if (typeof btrPlace === "string") return [notMeasured(label, btrPlace)];
  bench.say(`${name}: BtrPlace`);
  try {
    const theirs = await btrPlace.plan(fleetFile, PATIENCE_S);
    const isEmpty = (theirs.values.moves ?? 0) === 0;
    const clock = `${(theirs.milliseconds / 1_000).toFixed(0)} s by the clock, of at most ${PATIENCE_S}`;
    const did = isEmpty ? `CPU time; no plan: ${theirs.did} after ${clock}` : describe(theirs);
    const row = rowOf(label, [theirs], { value: cpuOf, did });
    if (isEmpty) return [row];
    const ratio = median(ours.map(cpuOf)) / cpuOf(theirs);
    const peaks = `peak memory ${median(ours.map(({ peakMiB }) => peakMiB ?? Number.NaN))} : ${theirs.peakMiB} MiB`;
    return [row, ratioRow(`${name}, CPU : BtrPlace`, [ratio], peaks, { atMost: 0.2 })];
  } catch (error) {
    bench.signal.throwIfAborted();
    return [notMeasured(label, `it failed: ${String(error).split("\n")[0]}`)];
  }
}

/** CPU time: on a machine that does something else as well, the clock says little. */
const cpuOf = ({ cpuMs }: Sample): number => cpuMs ?? Number.NaN;

function describe({ did, values }: Sample): string {
  const { moves = 0, mib = 0, parked, open } = values;
  const gib = `${moves} moves, ${(mib / 1024).toFixed(1)} GiB`;
  return moves === 0
    ? did
    : `CPU time; ${gib}${parked ? `, ${parked} parked` : ""}${open ? `, ${open} left open` : ""}`;
}
