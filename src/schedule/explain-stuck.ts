/** Why some of what is wanted cannot be had, whatever the order: who waits for whom, and what would help. */
import type { Problem, ProblemNode } from "../placement/engine/problem.ts";
import { at, EPSILON } from "./act.ts";
import type { Order } from "./find-order.ts";
import { Ordering } from "./ordering.ts";
import { type Budget, MOST_NODES, searchExactly } from "./search-exactly.ts";
import { sortWishes } from "./wishes.ts";

export interface Stuck {
  /**
   * VMs that cannot all get what they want, wherever the others that want something are put; one of them fewer, and the rest could.
   * Sorted.
   */
  readonly vms: readonly number[];
  /** False: the fleet is too big to look at every order; no way was found, and these wait for one another. */
  readonly isProven: boolean;
  /** As everything is before the first move: from the VMs above on, and on to those that they wait for. */
  readonly waits: readonly Wait[];
  /** With so much more room on this node all of `vms` could get what they want: each was tried. The least amounts come first. */
  readonly wouldHelp: readonly Help[];
  /** Whom the schedule leaves as it is, so that the others can go on. */
  readonly givesWay: readonly number[];
}

export interface Help {
  readonly node: number;
  readonly resource: number;
  readonly amount: number;
}

export interface Wait {
  readonly vm: number;
  /** Where it wants to be. */
  readonly node: number;
  /**
   * - `never`: it may not be moved. - `room`: of `resource` it lacks `lacks` there. - `apart`: it may not be together with those there.
   * - `group`: too many of its group would be down.
   */
  readonly why: "never" | "room" | "apart" | "group";
  /** Index of the resource; -1 where it is not about room. */
  readonly resource: number;
  readonly lacks: number;
  /** VMs that would have to leave first, the ones that want to before those that do not. Sorted within. */
  readonly waitsFor: readonly number[];
}

export function explainStuck(problem: Problem, targets: Int32Array, order: Order, budget: Budget): Stuck {
  const { vms, isProven } = minimalSet(problem, targets, order, budget);
  const ordering = new Ordering(problem, targets, sortWishes(problem, targets).wishes, (a, b) => a - b);
  const waits = new Map<number, Wait>();
  const open = [...vms];
  for (let vm = open.shift(); vm !== undefined && waits.size < MOST_WAITS; vm = open.shift()) {
    if (waits.has(vm)) continue;
    const wait = waitOf(ordering, vm);
    if (wait === null) continue;
    waits.set(vm, wait);
    open.push(...wait.waitsFor.filter((each) => at(targets, each) !== at(problem.vms, each).home));
  }
  const biggest = vms.toSorted((a, b) => at(problem.vms, b).moveMiB - at(problem.vms, a).moveMiB || b - a);
  const told = [...waits.values()];
  const isSmall = problem.nodes.length <= MOST_NODES;
  const wouldHelp = isProven && isSmall ? findHelp(problem, targets, vms, told) : [];
  return { vms, isProven, waits: told, givesWay: biggest.slice(0, 1), wouldHelp };
}

const MOST_HELPS = 3;

/** The least additional room, of that which is lacking, on each node where it would do: as much as one of those that wait lacks or takes. */
function findHelp(problem: Problem, targets: Int32Array, vms: readonly number[], waits: readonly Wait[]): Help[] {
  const budget: Budget = { states: MOST_STATES_OF_HELP };
  const resource = waits.find(({ why }) => why === "room")?.resource ?? -1;
  if (resource < 0) return [];
  const mine = waits.filter((wait) => wait.resource === resource);
  const amounts = new Set(mine.flatMap(({ vm, lacks }) => [lacks, at(at(problem.vms, vm).wants, resource)]));
  const { first, wishes } = sortWishes(problem, targets);
  const spared = new Set(wishes.filter((vm) => !vms.includes(vm)));
  const helps: Help[] = [];
  for (const amount of [...amounts].sort((a, b) => a - b)) {
    for (const [node, { closed }] of problem.nodes.entries()) {
      if (closed || helps.some((help) => help.node === node)) continue;
      const nodes = problem.nodes.with(node, roomier(at(problem.nodes, node), resource, amount));
      const found = searchExactly(
        { ...problem, nodes },
        targets,
        { first, wishes, spared },
        budget,
        MOST_STATES_OF_HELP,
      );
      if (found !== null && found !== "none") helps.push({ node, resource, amount });
    }
  }
  return helps.slice(0, MOST_HELPS);
}

const MOST_STATES_OF_HELP = 3_000;

const roomier = (node: ProblemNode, resource: number, amount: number): ProblemNode => ({
  ...node,
  room: node.room.with(resource, at(node.room, resource) + amount),
});

const MOST_WAITS = 20;
/** For each of the searches that find out whom one could do without. */
const MOST_STATES = 6_000;

/** Leaves out one after another as long as the rest is impossible without it. */
function minimalSet(
  problem: Problem,
  targets: Int32Array,
  { unmet, isHopeless }: Order,
  budget: Budget,
): { readonly vms: readonly number[]; readonly isProven: boolean } {
  const { first, wishes, last } = sortWishes(problem, targets);
  const impossible = (asked: readonly number[]): boolean | null => {
    const spared = new Set(wishes.filter((vm) => !asked.includes(vm)));
    const found = searchExactly(problem, targets, { first, wishes, spared }, budget, MOST_STATES);
    return found === null ? null : found === "none";
  };
  const stuck = unmet.filter((vm) => wishes.includes(vm));
  if (isHopeless) return { vms: unmet.slice(0, 1), isProven: true };
  const grows = unmet.filter((vm) => last.includes(vm));
  if (stuck.length === 0 && grows.length > 0) return { vms: grows.slice(0, 1), isProven: true };
  // Whoever was moved aside and cannot come home was moved for some wish.
  if (impossible(wishes) !== true) return { vms: [...stuck, ...wishes].slice(0, 1), isProven: false };
  let needed = [...wishes];
  // Those that were not met are kept longest: they are what people ask about.
  for (const vm of wishes.toSorted((a, b) => Number(stuck.includes(a)) - Number(stuck.includes(b)) || b - a)) {
    const without = needed.filter((each) => each !== vm);
    const answer = without.length === 0 ? false : impossible(without);
    if (answer === null) return { vms: needed.toSorted((a, b) => a - b), isProven: false };
    if (answer) needed = without;
  }
  return { vms: needed.toSorted((a, b) => a - b), isProven: true };
}

function waitOf({ problem, world, targets }: Ordering, vm: number): Wait | null {
  const node = at(targets, vm);
  if (node < 0) return null;
  const { wants, moves, home } = at(problem.vms, vm);
  const isHome = at(world.position, vm) === node;
  const nothing = { vm, node, resource: -1, lacks: 0, waitsFor: [] };
  if (moves === "never" && home >= 0 && !isHome) return { ...nothing, why: "never" };
  const foes = isHome ? [] : world.foesOf(vm, node);
  if (foes.length > 0) return { ...nothing, why: "apart", waitsFor: foes };
  const lacks = wants.map((want, resource) => {
    const more = isHome ? want - at(world.now(vm), resource) : want;
    return more > 0 ? more - world.free(node, resource) : 0;
  });
  const resource = lacks.indexOf(Math.max(...lacks));
  if (at(lacks, resource) > EPSILON) {
    const there = [...world.guestsOn(node)].filter((guest) => guest !== vm && at(world.now(guest), resource) > 0);
    const goes = (guest: number): boolean => at(targets, guest) !== node && at(targets, guest) >= 0;
    const leaving = there.filter(goes);
    return {
      ...nothing,
      why: "room",
      resource,
      lacks: at(lacks, resource),
      waitsFor: (leaving.length > 0 ? leaving : there).sort((a, b) => a - b),
    };
  }
  return world.groupBears(vm) ? null : { ...nothing, why: "group" };
}
