/** What our machinery adds to a live move: `odorobo vm migrate` beside two QEMUs by hand and beside libvirt, in turns. */
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { installed } from "../installed.ts";
import type { Sample } from "../measure.ts";
import { openAgentsPair } from "../migrate/agents-pair.ts";
import { openBarePair } from "../migrate/bare-pair.ts";
import { idleGuest } from "../migrate/idle-guest.ts";
import type { Moved, MovingPair } from "../migrate/moving-pair.ts";
import { predictMoves } from "../migrate/predicted.ts";
import { onPath } from "../on-path.ts";
import { notMeasured, type Row, ratioRow, rowOf } from "../row.ts";
import type { Bench, Scenario } from "../scenario.ts";

const RATIO = 1.5;
const MOST_OFF = 0.2;

export const migrate: Scenario = {
  name: "migrate",
  about: "live moves of an idle guest of 256 MiB: ours, bare QMP, libvirt",
  async run(bench) {
    if (onPath("qemu-system-x86_64") === null)
      return [notMeasured("migrate", "QEMU is not installed: apt-get install qemu-system-x86")];
    return [...(await besideOthers(bench)), ...(await predicted(bench))];
  },
};

async function besideOthers(bench: Bench): Promise<Row[]> {
  const scratch = await mkdtemp(join(bench.scratch, "m"));
  const guest = await idleGuest(scratch, bench.quick);
  const folder = await installed(bench.ours, bench);
  await using opened = new AsyncDisposableStack();
  bench.say(`booting ${guest.about}`);
  const mine = join(scratch, "o");
  await mkdir(mine);
  const ours = opened.use(await openAgentsPair({ installed: folder, scratch: mine, env: bench.ours.env, guest }));
  const bare = opened.use(await openBarePair(join(scratch, "b"), guest, bench.signal));
  const pairs: MovingPair[] = [ours, bare];
  const moves = new Map<MovingPair, Moved[]>(pairs.map((pair) => [pair, []]));
  // The first of each finds nothing in anybody's cache.
  for (let turn = 0; turn <= (bench.quick ? 1 : 10); turn++) {
    bench.say(`turn ${turn}`);
    for (const pair of pairs) {
      const moved = await pair.move(bench.signal);
      if (turn > 0) moves.get(pair)?.push(moved);
    }
  }
  const rows = pairs.flatMap((pair) => rowsOf(pair.name, guest.about, moves.get(pair) ?? []));
  const of = (pair: MovingPair) => moves.get(pair) ?? [];
  const ratios = of(ours).map((moved, turn) => moved.milliseconds / (of(bare)[turn]?.milliseconds ?? Number.NaN));
  return [
    ...rows,
    ratioRow(
      "odorobo vm migrate : bare QMP",
      ratios,
      "each against the one after it",
      bench.quick ? null : { atMost: RATIO },
    ),
  ];
}

/** After three moves, which is when a plan knows the median of three. */
async function predicted(bench: Bench): Promise<Row[]> {
  const scratch = await mkdtemp(join(bench.scratch, "p"));
  const guest = await idleGuest(scratch, bench.quick);
  const folder = await installed(bench.ours, bench);
  const moves = bench.quick ? 4 : 13;
  bench.say(`${moves} moves, each predicted`);
  const { env } = bench.ours;
  const all = await predictMoves({ installed: folder, scratch, env, guest, moves, signal: bench.signal });
  const errors = all.slice(3).map(({ predictedS, measuredS }) => Math.abs(predictedS - measuredS) / measuredS);
  const did = `${guest.about}; |predicted - measured| : measured, after three moves (${all.slice(3).map(({ basis }) => basis)[0]})`;
  return [ratioRow("a move's time, off by", errors, did, bench.quick ? null : { atMost: MOST_OFF })];
}

function rowsOf(name: string, about: string, moved: readonly Moved[]): Row[] {
  const row = (label: string, value: (each: Moved) => number | null, did: string): Row[] => {
    const known = moved.flatMap((each) => value(each) ?? []);
    const samples = known.map(
      (milliseconds): Sample => ({ milliseconds, peakMiB: null, cpuMs: null, did, values: {} }),
    );
    return samples.length === 0 ? [] : [rowOf(label, samples)];
  };
  return [
    ...row(`${name}, in all`, (each) => each.milliseconds, `${about}; as whoever asks for it waits`),
    ...row(`${name}, sending`, (each) => each.sendingMs, "the other side is ready; until it runs there"),
    ...row(`${name}, standing still`, (each) => each.downtimeMs, "the guest"),
  ];
}
