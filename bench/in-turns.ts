/** The same work by the work tree and by what it is compared with, again and again in turns, so that what else the machine does befalls both. */
import { median, type Sample } from "./measure.ts";
import { type Row, ratioRow, rowOf, type Target, type Unit } from "./row.ts";
import type { Bench } from "./scenario.ts";
import type { Tree } from "./tree.ts";

export interface Turns {
  readonly ours: readonly Sample[];
  /** In the same order; empty: nothing is compared. */
  readonly theirs: readonly Sample[];
}

export async function inTurns(
  { ours, base, signal }: Bench,
  runs: number,
  take: (tree: Tree) => Promise<Sample>,
): Promise<Turns> {
  const turns: { ours: Sample[]; theirs: Sample[] } = { ours: [], theirs: [] };
  for (let run = 0; run < runs; run++) {
    signal.throwIfAborted();
    turns.ours.push(await take(ours));
    if (base !== null) turns.theirs.push(await take(base));
  }
  return turns;
}

export interface Comparison {
  readonly unit?: Unit;
  readonly value?: (sample: Sample) => number;
  readonly did?: string;
  /** Of ours alone. */
  readonly target?: Target | undefined;
  /** Of ours to theirs: of the value, and of the peak memory. */
  readonly against?: { readonly value?: Target; readonly peak?: Target };
}

/** Ours, and, when it is compared, theirs and the ratios pair by pair. */
export function rowsOf(name: string, turns: Turns, bench: Bench, options: Comparison = {}): Row[] {
  const { unit = "ms", value = (sample: Sample) => sample.milliseconds, did, target, against = {} } = options;
  const judged = (wanted: Target | undefined): Target | null => (bench.quick ? null : (wanted ?? null));
  const row = (label: string, samples: readonly Sample[], aim: Target | null): Row => ({
    ...rowOf(label, samples, { unit, value, ...(did !== undefined && { did }) }),
    target: aim,
  });
  const rows = [row(name, turns.ours, judged(target))];
  if (bench.base === null) return rows;
  const { label } = bench.base;
  rows.push(row(`${name}, ${label}`, turns.theirs, null));
  const ratio = (what: string, of: (sample: Sample) => number, aim: Target | undefined) => {
    const ratios = turns.ours.map((sample, pair) => of(sample) / of(turns.theirs[pair] ?? sample));
    const pairs = ratios.map((each) => each.toFixed(2)).join(" ");
    rows.push(ratioRow(`${name} : ${label}${what}`, ratios, `pair by pair: ${pairs}`, judged(aim)));
  };
  ratio("", value, against.value);
  const peak = ({ peakMiB }: Sample) => peakMiB ?? Number.NaN;
  if (unit !== "MiB" && !Number.isNaN(median(turns.ours.map(peak)))) ratio(", peak memory", peak, against.peak);
  return rows;
}
