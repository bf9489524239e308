/**
 * Fleets of any size from a seed, in the families by which planners are compared. The same seed gives the same fleet everywhere.
 *
 *   [generate.ts] → fleet.ts → scenarios/, tests
 */
import type { Fleet, FleetNode, FleetVm } from "./fleet.ts";

/**
 * - `drain`: one node in maintenance; `roll`: a tenth of the nodes, together.
 * - `swap`: two nodes exactly full, their VMs pinned to each other's, little room elsewhere.
 * - `grow`: a packed fleet in which a twentieth of the VMs want half as much memory again.
 * - `aa`: a twentieth of the anti-affinity groups start with two members on one node.
 * - `li`: the shape of BtrPlace's published "load increase": a tenth of the VMs, by whole application, want half as many cpus again.
 */
const FAMILIES = ["drain", "roll", "swap", "grow", "aa", "li"] as const;
export type Family = (typeof FAMILIES)[number];

export interface FleetShape {
  readonly family: Family;
  readonly nodes: number;
  readonly vms: number;
  readonly seed: number;
}

interface Traits {
  /** How much of the nodes' memory, and of their cpus, is held at the start. */
  readonly fill: number;
  readonly cpuFill: number;
  readonly groupedShare: number;
  readonly groupSize: number;
}

const USUAL: Traits = { fill: 0.75, cpuFill: 0.6, groupedShare: 0.2, groupSize: 3 };
const TRAITS: Readonly<Record<Family, Traits>> = {
  drain: USUAL,
  roll: USUAL,
  swap: { ...USUAL, fill: 0.93 },
  grow: { ...USUAL, fill: 0.93 },
  aa: { ...USUAL, groupedShare: 0.4 },
  li: { fill: 0.71, cpuFill: 0.753, groupedShare: 1 / 3, groupSize: 6 },
};

/** GiB, cpus, and how many of a hundred VMs are so. */
const SIZES = [
  [2, 1, 20],
  [4, 2, 25],
  [8, 2, 30],
  [16, 4, 20],
  [32, 8, 5],
] as const;

type Draft<T> = { -readonly [K in keyof T]: T[K] };
interface Town {
  readonly family: Family;
  readonly traits: Traits;
  readonly random: Random;
  readonly nodes: Draft<FleetNode>[];
  readonly vms: Draft<FleetVm>[];
}

export function generateFleet({ family, nodes: nodeCount, vms: vmCount, seed }: FleetShape): Fleet {
  const random = new Random(seed * 7919 + nodeCount);
  const traits = TRAITS[family];
  const vms = Array.from({ length: vmCount }, (_, index) => makeVm(family, traits, vmCount, index, random));
  const nodes = makeNodes(family, traits, nodeCount, vms);
  const town: Town = { family, traits, random, nodes, vms };
  settle(town);
  TROUBLE[family](town);
  return { name: `${family}-${nodeCount}-${vmCount}-s${seed}`, nodes, vms };
}

function makeVm(family: Family, traits: Traits, vmCount: number, index: number, random: Random): Draft<FleetVm> {
  const [gib, cpu] = family === "li" ? [2 + 2 * random.below(3), 1 + random.below(26)] : random.size();
  const groups = Math.max(1, Math.floor((vmCount * traits.groupedShare) / traits.groupSize));
  const group = Math.floor(index / traits.groupSize);
  return {
    name: `vm${index}`,
    cpu,
    memMiB: gib * 1024,
    node: "",
    labels: { app: `a${Math.floor(index / 6)}` },
    ...(group < groups && { groups: [`g${group}`] }),
  };
}

/** All alike, and so big that the VMs fill them as the family says. */
function makeNodes(family: Family, { fill, cpuFill }: Traits, count: number, vms: readonly FleetVm[]): FleetNode[] {
  const each = (what: "cpu" | "memMiB") => vms.reduce((sum, vm) => sum + vm[what], 0) / count;
  const atLeast = family === "li" ? { gib: 0, cpu: 0 } : { gib: 40, cpu: 16 };
  const memMiB = Math.max(Math.ceil(each("memMiB") / fill / 1024), atLeast.gib) * 1024;
  const cpu = Math.max(Math.ceil(each("cpu") / cpuFill), atLeast.cpu);
  return Array.from({ length: count }, (_, index) => ({
    name: `n${index}`,
    cpu,
    memMiB,
    upMiBps: 1150,
    downMiBps: 1150,
    labels: { rack: `r${index % 20}` },
  }));
}

/** Big ones first, each to the freest of four nodes by chance: a fleet that is used, not one that was packed. */
function settle({ random, nodes, vms }: Town): void {
  const free = nodes.map(({ cpu, memMiB }) => ({ cpu, memMiB, groups: new Set<string>() }));
  const takes = (index: number, vm: FleetVm): boolean => {
    const room = free[index];
    return (
      room !== undefined &&
      room.cpu >= vm.cpu &&
      room.memMiB >= vm.memMiB &&
      !(vm.groups ?? []).some((group) => room.groups.has(group))
    );
  };
  const freestOf = (vm: FleetVm, candidates: Iterable<number>): number => {
    let best = -1;
    for (const index of candidates)
      if (takes(index, vm) && (best < 0 || free[index]!.memMiB > free[best]!.memMiB)) best = index;
    return best;
  };
  for (const vm of random.shuffled(vms).sort((a, b) => b.memMiB - a.memMiB)) {
    const some = Array.from({ length: 4 }, () => random.below(nodes.length));
    const lucky = freestOf(vm, some);
    const index = lucky >= 0 ? lucky : freestOf(vm, nodes.keys());
    const room = free[index];
    if (room === undefined) throw new Error("these VMs do not fit on these nodes: another seed, or more nodes");
    vm.node = nodes[index]!.name;
    room.cpu -= vm.cpu;
    room.memMiB -= vm.memMiB;
    for (const group of vm.groups ?? []) room.groups.add(group);
  }
}

const TROUBLE: Readonly<Record<Family, (town: Town) => void>> = {
  drain: ({ nodes, random }) => {
    nodes[random.below(nodes.length)]!.maintenance = true;
  },
  roll: ({ nodes, random }) => {
    for (const node of random.shuffled(nodes).slice(0, Math.max(1, Math.round(nodes.length / 10))))
      node.maintenance = true;
  },
  swap: swapTwoFullNodes,
  grow: ({ vms, random }) => {
    for (const vm of random.shuffled(vms).slice(0, Math.round(vms.length / 20))) vm.wantMemMiB = vm.memMiB * 1.5;
  },
  aa: seatTogether,
  li: ({ vms }) => {
    for (const vm of vms) if (Number(vm.labels.app?.slice(1)) % 10 === 0) vm.wantCpu = Math.ceil(vm.cpu * 1.55);
  },
};

/** One of the two ends exactly full; the other has the difference to spare. What is missing at the start is filled by one that stays. */
function swapTwoFullNodes({ nodes, vms }: Town): void {
  const [a, b] = [nodes[0]!, nodes[1]!];
  const on = (node: FleetNode) => vms.filter((vm) => vm.node === node.name);
  const sum = (all: readonly FleetVm[], what: "cpu" | "memMiB") => all.reduce((total, vm) => total + vm[what], 0);
  const [fromA, fromB] = [on(a), on(b)];
  const full = Math.max(sum(fromA, "memMiB"), sum(fromB, "memMiB"));
  for (const [node, other, leaving] of [
    [a, b, fromA],
    [b, a, fromB],
  ] as const) {
    const gap = full - sum(leaving, "memMiB");
    const name = `pad-${node.name}`;
    if (gap > 0) vms.push({ name, cpu: 0, memMiB: gap, node: node.name, labels: {}, pin: [node.name] });
    for (const vm of leaving) {
      vm.pin = [other.name];
      delete vm.groups;
    }
  }
  const cpu = Math.max(a.cpu, sum(fromA, "cpu"), sum(fromB, "cpu"));
  const difference = sum(fromA, "memMiB") - sum(fromB, "memMiB");
  Object.assign(a, { cpu, memMiB: full + Math.max(0, -difference) });
  Object.assign(b, { cpu, memMiB: full + Math.max(0, difference) });
}

function seatTogether({ nodes, vms, traits, random }: Town): void {
  const groups = [
    ...Map.groupBy(
      vms.filter((vm) => vm.groups !== undefined),
      (vm) => vm.groups?.[0],
    ).values(),
  ];
  const bad = Math.max(1, Math.round(groups.length / 20));
  for (const [kept, moved] of random.shuffled(groups).slice(0, bad)) {
    if (traits.groupSize < 2 || kept === undefined || moved === undefined || kept.node === moved.node) continue;
    const there = vms.filter((vm) => vm.node === kept.node);
    const node = nodes.find(({ name }) => name === kept.node)!;
    const fits = (what: "cpu" | "memMiB") => there.reduce((sum, vm) => sum + vm[what], moved[what]) <= node[what];
    if (fits("cpu") && fits("memMiB")) moved.node = kept.node;
  }
}

/** mulberry32: small, and the same on every machine. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  shuffled<T>(all: readonly T[]): T[] {
    const mixed = [...all];
    for (let last = mixed.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
    }
    return mixed;
  }

  size(): readonly [gib: number, cpu: number] {
    let ticket = this.below(100);
    for (const [gib, cpu, weight] of SIZES) {
      if (ticket < weight) return [gib, cpu];
      ticket -= weight;
    }
    return [SIZES[0][0], SIZES[0][1]];
  }
}
