/** Small fleets of the kinds that planners fail on, by seed. Everything is live; every end state is possible in itself. */
import { aNode, aProblem, apartPerNode, aVm } from "./a-problem.ts";
import type { MoveProblem } from "./any-move-problem.ts";
import { Chance } from "./chance.ts";

export const FAMILIES = ["swap", "circle", "drain", "repair", "puzzle"] as const;
export type SmallFamily = (typeof FAMILIES)[number];

/** GiB of each VM by node, where each goes, and what is free on each node beyond what it holds now and in the end. */
interface Sketch {
  readonly sizes: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly spare: readonly number[];
  readonly apart?: readonly number[];
  readonly leaving?: number;
}

/** At most 5 nodes and 8 VMs. */
export const familyProblem = (family: SmallFamily, seed: number): MoveProblem =>
  draw(SKETCHES[family](new Chance(seed * 97 + FAMILIES.indexOf(family)), NO_MORE));

/** Of the same kinds: at most 6 nodes and 10 VMs. */
export const widerProblem = (family: SmallFamily, seed: number): MoveProblem =>
  draw(SKETCHES[family](new Chance(seed * 89 + 7 * FAMILIES.indexOf(family) + 1), { vms: 2, nodes: 1 }));

/** So many more than the smallest of a kind have. */
interface More {
  readonly vms: number;
  readonly nodes: number;
}
const NO_MORE: More = { vms: 0, nodes: 0 };

const SKETCHES: Readonly<Record<SmallFamily, (chance: Chance, more: More) => Sketch>> = {
  /** Two full nodes whose guests change places, and a third node with a hole. */
  swap: (chance, more) => {
    const sizes = Array.from({ length: 4 + chance.below(3) + 2 * more.vms }, () => 1 + chance.below(4));
    const starts = sizes.map((_, vm) => vm % 2);
    return {
      sizes,
      starts,
      ends: starts.map((node) => 1 - node),
      spare: [0, 0, 1 + chance.below(4), ...holes(chance, more)],
    };
  },
  /** Each node's guests go to the next. */
  circle: (chance, more) => {
    const count = 3 + chance.below(3);
    const sizes = Array.from({ length: count + chance.below(3) + more.vms }, () => 1 + chance.below(3));
    const starts = sizes.map((_, vm) => vm % count);
    return {
      sizes,
      starts,
      ends: starts.map((node) => (node + 1) % count),
      spare: Array.from({ length: count + 1 }, (_, node) => (node === count ? chance.below(4) : 0)),
    };
  },
  /** One node is left by everybody, the others make room among themselves first. */
  drain: (chance, more) => {
    const count = 4;
    const sizes = Array.from({ length: 7 + chance.below(2) + more.vms }, () => 1 + chance.below(4));
    const starts = sizes.map((_, vm) => vm % count);
    const ends = starts.map((node) =>
      node === 0 ? 1 + chance.below(3) : chance.below(3) === 0 ? 1 + chance.below(3) : node,
    );
    return { sizes, starts, ends, spare: [0, 0, chance.below(2), chance.below(2), ...holes(chance, more)], leaving: 0 };
  },
  /** Two of a group are on one node, and the homes that would be free for them are other members'. */
  repair: (chance, more) => {
    const count = 4;
    const sizes = Array.from({ length: 6 + chance.below(2) + more.vms }, () => 1 + chance.below(3));
    const starts = sizes.map((_, vm) => (vm < 2 ? 0 : vm % count));
    const apart = [0, 1, 2];
    const places = chance.shuffled([0, 1, 2, 3]);
    const ends = starts.map((node, vm) =>
      apart.includes(vm) ? places[vm]! : chance.below(3) === 0 ? chance.below(count) : node,
    );
    const spare = starts.slice(0, count).map(() => chance.below(2));
    return { sizes, starts, ends, spare: [...spare, ...holes(chance, more)], apart };
  },
  /** A sliding puzzle: everybody changes places with somebody, and what is free is scattered. */
  puzzle: (chance, more) => {
    const count = 3 + chance.below(3) + more.nodes;
    const sizes = Array.from({ length: 6 + chance.below(3) + more.vms }, () => 1 + chance.below(3));
    const starts = sizes.map(() => chance.below(count));
    return {
      sizes,
      starts,
      ends: chance.shuffled(starts),
      spare: Array.from({ length: count }, () => chance.below(2)),
    };
  },
};

/** Further nodes with little room, where nobody lives and nobody goes to stay. */
const holes = (chance: Chance, { nodes }: More): number[] => Array.from({ length: nodes }, () => chance.below(3));

function draw({ sizes, starts, ends, spare, apart = [], leaving = -1 }: Sketch): MoveProblem {
  const used = (seats: readonly number[], node: number) =>
    sizes.reduce((sum, size, vm) => sum + (seats[vm] === node ? size * 1024 : 0), 0);
  const nodes = spare.map((gib, node) =>
    aNode(`n${node}`, {
      room: [64, Math.max(used(starts, node), used(ends, node)) + gib * 1024],
      closed: node === leaving,
      leaving: node === leaving,
    }),
  );
  const vms = sizes.map((size, vm) => aVm(`vm${vm}`, starts[vm]!, size * 1024));
  return {
    problem: aProblem(nodes, vms, { rules: apart.length > 0 ? [apartPerNode(apart, nodes.length)] : [] }),
    homes: ends,
  };
}
