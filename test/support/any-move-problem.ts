/** Small fleets by chance, tight on purpose: where everybody is now, and where everybody should be, both possible in themselves. */
import fc from "fast-check";
import type { Problem, ProblemVm } from "../../src/placement/engine/problem.ts";
import { aNode, aProblem, apartPerNode, aVm } from "./a-problem.ts";
import { Chance } from "./chance.ts";

export interface MoveProblem {
  readonly problem: Problem;
  readonly homes: readonly number[];
}

export interface Shape {
  readonly mostNodes: number;
  readonly mostVms: number;
  /** Nobody grows, shrinks, or is new. */
  readonly onlyMoves: boolean;
}

export const anyMoveProblem = (shape: Partial<Shape> = {}): fc.Arbitrary<MoveProblem> =>
  fc.integer({ min: 0, max: 2 ** 31 }).map((seed) => moveProblem(seed, shape));

/** GiB: small ones and big ones, so that holes of one do not fit the other. */
const SIZES = [1, 2, 2, 3, 4, 6] as const;

export function moveProblem(
  seed: number,
  { mostNodes = 6, mostVms = 10, onlyMoves = false }: Partial<Shape> = {},
): MoveProblem {
  const chance = new Chance(seed);
  const nodeCount = 2 + chance.below(mostNodes - 1);
  const vmCount = 2 + chance.below(mostVms - 1);
  const nodes = Array.from({ length: nodeCount }, (_, node) => node);
  const starts = Array.from({ length: vmCount }, () => chance.below(nodeCount));
  const isShuffle = chance.below(3) > 0;
  const ends = isShuffle
    ? chance.shuffled(starts)
    : starts.map((start) => (chance.below(2) === 0 ? start : chance.below(nodeCount)));
  const memories = starts.map(() => chance.of(SIZES) * 1024);
  const grown = memories.map((memory) =>
    chance.below(8) === 0 ? memory + 1024 : chance.below(10) === 0 ? memory - 512 : memory,
  );
  const members = starts.flatMap((_, vm) => (chance.below(4) === 0 ? [vm] : []));
  const groupOf = starts.map(() => (chance.below(2) === 0 ? 0 : -1));
  const vms = starts.map((home, vm): ProblemVm => {
    const isNew = chance.below(20) === 0 && !onlyMoves;
    const moves = chance.of(["live", "live", "live", "cold", "never"] as const);
    const { [vm]: memory = 0 } = memories;
    return aVm(`vm${vm}`, isNew ? -1 : home, memory, {
      holds: isNew ? [0, 0] : [1, memory],
      wants: [1, onlyMoves ? memory : grown[vm]!],
      moves: isNew || (moves === "never" && home === ends[vm]) ? "never" : moves === "never" ? "live" : moves,
      allowed:
        chance.below(6) === 0 ? [...new Set([home, ends[vm]!, chance.below(nodeCount)])].sort((a, b) => a - b) : null,
      group: groupOf[vm]!,
      dirtyMiBps: chance.below(4) * 200,
    });
  });
  const isApart = (seats: readonly number[]) => new Set(members.map((vm) => seats[vm])).size === members.length;
  const used = (seats: readonly number[], node: number, of: (vm: ProblemVm) => number) =>
    vms.reduce((sum, vm, index) => sum + (seats[index] === node ? of(vm) : 0), 0);
  const slack = chance.below(3);
  const rooms = nodes.map(
    (node) =>
      Math.max(
        used(starts, node, ({ holds }) => holds[1]!),
        used(ends, node, ({ wants }) => wants[1]!),
        1024,
      ) + (chance.below(nodeCount) < slack ? 1024 * chance.below(3) : 0),
  );
  const problem = aProblem(
    nodes.map((node) => {
      const closed = chance.below(8) === 0 && !vms.some(({ home }, vm) => ends[vm] === node && home !== node);
      return aNode(`n${node}`, {
        room: [100, rooms[node]!],
        closed,
        leaving: false,
        upMiBps: chance.of([1024, 1024, 512, 300]),
        downMiBps: chance.of([1024, 1024, 1024, 700]),
      });
    }),
    vms,
    {
      rules: members.length > 1 && isApart(ends) ? [apartPerNode(members, nodeCount)] : [],
      groups: [{ name: "g", maxUnavailable: 1 + chance.below(2) }],
    },
  );
  return { problem, homes: ends };
}
