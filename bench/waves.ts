/** The same moves as many tools run them: so many at a time, the next so many when the last of them has ended. */
import type { Problem } from "../src/placement/engine/problem.ts";
import type { SequencedMove } from "../src/schedule/sequence.ts";

/** Seconds. Within a wave links are shared as well as they can be: it lasts as long as its busiest link needs. */
export function inWaves({ nodes }: Problem, moves: readonly SequencedMove[], size: number): number {
  const done = new Set<number>();
  let seconds = 0;
  while (done.size < moves.length) {
    const wave = [...moves.keys()]
      .filter((index) => !done.has(index) && moves[index]!.after.every((each) => done.has(each)))
      .slice(0, size);
    const loads = new Map<string, number>();
    for (const index of wave) {
      const { from, to, moveMiB } = moves[index]!;
      const add = (link: string, load: number) => loads.set(link, (loads.get(link) ?? 0) + load);
      add(`from ${from}`, moveMiB / nodes[from]!.upMiBps);
      add(`to ${to}`, moveMiB / nodes[to]!.downMiBps);
    }
    seconds += Math.max(...loads.values());
    for (const index of wave) done.add(index);
  }
  return seconds;
}
