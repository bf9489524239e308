/** Which places in the sources are changed: drawn by a seed, so the same seed, count and sources mean the same mutants. Pure. */
import { chanceOf } from "../faults/chance.ts";

/** Lines from 0, columns from 0, as Stryker counts them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A change that Stryker could make. */
export interface Candidate {
  readonly fileName: string;
  readonly location: { readonly start: Position; readonly end: Position };
  readonly mutatorName: string;
}

/**
 * Lines with mutants, `file:line-line`, until they hold at least `count` mutants together: Stryker takes places, not mutants, and all that
 * lies within one is changed, one after another. Sorted.
 */
export function choosePlaces(
  candidates: readonly Candidate[],
  { seed, count }: { seed: number; count: number },
): string[] {
  const byLine = new Map<string, number>();
  for (const { fileName, location } of candidates) {
    // What spans lines is only taken with all of them, and those may hold half a file.
    if (location.start.line !== location.end.line) continue;
    const place = `${fileName}:${location.start.line + 1}-${location.start.line + 1}`;
    byLine.set(place, (byLine.get(place) ?? 0) + 1);
  }
  const chance = chanceOf(seed);
  // Whatever order the files came in.
  const places = [...byLine.keys()].sort();
  const chosen: string[] = [];
  let mutants = 0;
  while (mutants < count && places.length > 0) {
    const [place = ""] = places.splice(chance.below(places.length), 1);
    chosen.push(place);
    mutants += byLine.get(place) ?? 0;
  }
  return chosen.sort();
}
