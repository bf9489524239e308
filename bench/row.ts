/** One line of the table: a figure, what was done for it, and what it should be. */
import { median, type Sample } from "./measure.ts";

export interface Row {
  readonly name: string;
  readonly unit: Unit;
  /** Null with a reason in `did`: it could not be measured here. */
  readonly figure: Figure | null;
  readonly peakMiB: number | null;
  readonly cpuMs: number | null;
  readonly did: string;
  readonly target: Target | null;
}

export type Unit = "ms" | "MiB" | "MB" | "MB/s" | "steps/s" | "/s" | "×";

export interface Figure {
  readonly median: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly runs: number;
}

export type Target = { readonly atMost: number } | { readonly atLeast: number };

/** Times of samples, unless told to look at something else. */
export function rowOf(
  name: string,
  samples: readonly Sample[],
  options: {
    readonly unit?: Unit;
    readonly value?: (sample: Sample) => number;
    readonly target?: Target;
    readonly did?: string;
  } = {},
): Row {
  const { unit = "ms", value = (sample) => sample.milliseconds, target = null } = options;
  return {
    name,
    unit,
    figure: figureOf(samples.map(value), unit),
    peakMiB: medianOfKnown(samples.map(({ peakMiB }) => peakMiB)),
    cpuMs: medianOfKnown(samples.map(({ cpuMs }) => cpuMs)),
    did: options.did ?? samples[0]?.did ?? "",
    target,
  };
}

export function ratioRow(name: string, ratios: readonly number[], did: string, target: Target | null = null): Row {
  return { name, unit: "×", figure: figureOf(ratios, "×"), peakMiB: null, cpuMs: null, did, target };
}

export const notMeasured = (name: string, why: string): Row => ({
  name,
  unit: "ms",
  figure: null,
  peakMiB: null,
  cpuMs: null,
  did: why,
  target: null,
});

function medianOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : median(known);
}

function figureOf(values: readonly number[], unit: Unit): Figure {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [fastest, slowest] = unit === "steps/s" || unit === "MB/s" ? [most, least] : [least, most];
  return { median: median(values), fastest, slowest, runs: values.length };
}

/** `met`, or by how much not. Null: nothing to judge. */
export function verdictOf({ figure, target }: Row): { readonly met: boolean; readonly text: string } | null {
  if (figure === null || target === null) return null;
  const excess = "atMost" in target ? figure.median / target.atMost - 1 : target.atLeast / figure.median - 1;
  return excess <= 0 ? { met: true, text: "met" } : { met: false, text: `missed by ${Math.ceil(excess * 100)} %` };
}
