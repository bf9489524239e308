/**
 * When nothing fits any more: whom to park elsewhere, to stop ahead of a cold move, or to move out of the way, so that the rest
 * goes on. Each way is tried to its end, and the one taken that costs the fewest acts for each wish that comes true by it.
 */
import type { Amounts } from "../placement/engine/problem.ts";
import { type Act, at, EPSILON } from "./act.ts";
import { mayLeave, type Ordering, placesFor } from "./ordering.ts";

/** Looking at more of those who wait, or of the guests in their way, finds hardly anything better. */
const MOST_WAITING = 48;
const MOST_WAYS = 12;
/** A guest that finds no room to be parked in may move another one out of the way first, which may do the same once more. */
const DEPTH = 2;

interface Tried {
  /** What was done to get the others going, without what came of it. */
  readonly way: readonly Act[];
  readonly acts: Ordering["acts"];
  readonly came: number;
  readonly cost: number;
  readonly mib: number;
}

/** Until everybody has what it wants and is home again, or no way is found. Returns the ways that were taken. */
export function makeWay(ordering: Ordering): (readonly Act[])[] {
  const taken: (readonly Act[])[] = [];
  for (;;) {
    if (ordering.pending.size === 0) ordering.sendHome();
    const waiting = ordering.pending.size > 0 ? ordering.pending : ordering.strayed;
    if (waiting.size === 0) return taken;
    let best: Tried | null = null;
    for (const vm of nearestFirst(ordering, waiting).slice(0, MOST_WAITING))
      for (const way of waysFor(ordering, vm)) {
        const tried = tryOut(ordering, way);
        if (tried && (best === null || isBetter(tried, best))) best = tried;
      }
    if (best === null) return taken;
    for (const act of best.acts) ordering.perform(act);
    taken.push(best.way);
  }
}

/** Does a way before anything else is done, as far as it can be done then. */
export function beginWith(ordering: Ordering, way: readonly Act[]): void {
  const { world } = ordering;
  for (const { kind, vm, from, to } of way) {
    if (at(world.position, vm) !== from) continue;
    if (kind === "stop") stop(ordering, vm);
    else if (world.canMove(vm, to)) ordering.perform(world.act("move", vm, to, true));
  }
}

/** Those who lack least come first. */
function nearestFirst(ordering: Ordering, waiting: Iterable<number>): number[] {
  const lackOf = (vm: number): number =>
    lacking(ordering, vm, at(ordering.targets, vm)).reduce((sum, lack, resource) => {
      const { room } = at(ordering.problem.nodes, at(ordering.targets, vm));
      return sum + lack / (at(room, resource) || 1);
    }, 0);
  const lacks = new Map(Array.from(waiting, (vm) => [vm, lackOf(vm)]));
  return [...lacks.keys()].sort((a, b) => (lacks.get(a) ?? 0) - (lacks.get(b) ?? 0) || a - b);
}

const isBetter = (a: Tried, b: Tried): boolean => {
  const dearer = a.cost * b.came - b.cost * a.came;
  return dearer < 0 || (dearer === 0 && (a.came > b.came || (a.came === b.came && a.mib < b.mib)));
};

type Way = () => boolean;

function tryOut(ordering: Ordering, way: Way): Tried | null {
  const mark = ordering.mark();
  const worth = (): number => ordering.pending.size * 1_000 + ordering.strayed.size;
  const before = { pending: ordering.pending.size, strayed: ordering.strayed.size, worth: worth() };
  let tried: Tried | null = null;
  if (way()) {
    const ways = ordering.acts.slice(mark);
    ordering.settle(new Set(ways.map(({ from }) => from)));
    if (ordering.pending.size === 0) ordering.sendHome();
    if (worth() < before.worth) {
      const acts = ordering.acts.slice(mark);
      const came = Math.max(1, before.pending - ordering.pending.size);
      // Each one that was led astray has yet to come home.
      const cost = acts.length + Math.max(0, ordering.strayed.size - before.strayed) - came;
      const mib = acts.reduce((sum, { vm }) => sum + at(ordering.problem.vms, vm).moveMiB, 0);
      tried = { way: ways, acts, came, cost, mib };
    }
  }
  ordering.rollBack(mark);
  return tried;
}

/** Different guests that could leave the node which this one waits for. */
function* waysFor(ordering: Ordering, vm: number): Generator<Way> {
  const { world, targets } = ordering;
  const target = at(targets, vm);
  if (!world.groupBears(vm)) return;
  const foes = world.foesOf(vm, target);
  const inTheWay = [...world.guestsOn(target)]
    .filter((guest) => guest !== vm && mayLeave(ordering, guest))
    .sort((a, b) => price(ordering, a) - price(ordering, b) || sizeOf(ordering, a) - sizeOf(ordering, b) || a - b);
  const clear = (guests: readonly number[], leave: (guest: number) => boolean): Way => {
    return () => {
      for (const foe of foes) if (!mayLeave(ordering, foe) || !leave(foe)) return false;
      for (const guest of guests) {
        if (isCovered(lacking(ordering, vm, target))) break;
        if (!foes.includes(guest) && !leave(guest)) return false;
      }
      return world.canMove(vm, target) || at(world.position, vm) === target;
    };
  };
  const parks = (guest: number) => park(ordering, guest, new Set([target]), DEPTH);
  const stops = (guest: number) => ordering.pending.has(guest) && stop(ordering, guest);
  if (isCovered(lacking(ordering, vm, target))) {
    if (foes.length > 0) yield clear([], parks);
    if (foes.length > 0) yield clear([], stops);
    return;
  }
  const lacks = lacking(ordering, vm, target);
  const enough = inTheWay.filter((guest) => covers(world.now(guest), lacks));
  for (const guest of enough.slice(0, MOST_WAYS)) yield clear([guest], parks);
  for (const guest of enough.filter((each) => at(ordering.problem.vms, each).moves === "cold").slice(0, MOST_WAYS))
    yield clear([guest], stops);
  const bigFirst = inTheWay.toSorted(
    (a, b) => price(ordering, a) - price(ordering, b) || sizeOf(ordering, b) - sizeOf(ordering, a) || a - b,
  );
  const parksIfItCan = (guest: number) => parks(guest) || stops(guest) || true;
  if (enough.length === 0) {
    yield clear(inTheWay, parksIfItCan);
  }
  yield clear(
    bigFirst.filter((guest) => !enough.includes(guest)),
    parksIfItCan,
  );
}

/** From where it is to somewhere that has room, or where room is made. */
function park(ordering: Ordering, vm: number, not: ReadonlySet<number>, depth: number): boolean {
  const { world, problem, targets } = ordering;
  const position = at(world.position, vm);
  const places: { node: number; lack: number; left: number }[] = [];
  for (const node of placesFor(ordering, vm)) {
    if (node === position || node === at(targets, vm) || not.has(node) || !world.isApart(vm, node)) continue;
    const wants = at(problem.vms, vm).wants;
    const lack = wants.reduce((sum, want, resource) => sum + Math.max(0, want - world.free(node, resource)), 0);
    if (lack > 0 && depth === 0) continue;
    const left = wants.reduce(
      (sum, want, resource) =>
        sum + (world.free(node, resource) - want) / (at(at(problem.nodes, node).room, resource) || 1),
      0,
    );
    places.push({ node, lack, left });
  }
  // Where nobody wants to go, and the tightest hole that it fits into: the others are left for the bigger ones.
  const best = places
    .filter(({ lack }) => lack <= EPSILON)
    .sort(
      (a, b) =>
        Number(ordering.isWanted(a.node)) - Number(ordering.isWanted(b.node)) || a.left - b.left || a.node - b.node,
    );
  for (const { node } of best) {
    if (!world.canMove(vm, node)) continue;
    ordering.perform(world.act("move", vm, node, true));
    return true;
  }
  if (depth === 0) return false;
  const mark = ordering.mark();
  for (const { node } of places.sort((a, b) => a.lack - b.lack || a.node - b.node).slice(0, MOST_WAYS)) {
    const lacks = at(problem.vms, vm).wants.map((want, resource) => want - world.free(node, resource));
    const guests = [...world.guestsOn(node)]
      .filter((guest) => mayLeave(ordering, guest) && covers(world.now(guest), lacks))
      .sort((a, b) => price(ordering, a) - price(ordering, b) || sizeOf(ordering, a) - sizeOf(ordering, b) || a - b);
    for (const guest of guests.slice(0, MOST_WAYS)) {
      if (park(ordering, guest, new Set([...not, node]), depth - 1) && world.canMove(vm, node)) {
        ordering.perform(world.act("move", vm, node, true));
        return true;
      }
      ordering.rollBack(mark);
    }
  }
  return false;
}

function stop(ordering: Ordering, vm: number): boolean {
  if (!ordering.world.canStop(vm)) return false;
  ordering.perform(ordering.world.act("stop", vm, at(ordering.world.position, vm)));
  return true;
}

/** Moves that it costs to have it leave before its turn. */
function price({ targets, world }: Ordering, vm: number): number {
  return at(world.position, vm) === at(targets, vm) ? 2 : 1;
}

const sizeOf = ({ problem, world }: Ordering, vm: number): number => {
  const { room } = at(problem.nodes, Math.max(0, at(world.position, vm)));
  return world.now(vm).reduce((sum, amount, resource) => sum + amount / (at(room, resource) || 1), 0);
};

/** Of each resource, how much more it needs there than is free. */
function lacking({ world, problem }: Ordering, vm: number, node: number): number[] {
  const isThere = at(world.position, vm) === node;
  return at(problem.vms, vm).wants.map((want, resource) => {
    const more = isThere ? want - at(world.now(vm), resource) : want;
    return more > 0 ? Math.max(0, more - world.free(node, resource)) : 0;
  });
}

const isCovered = (lacks: readonly number[]): boolean => lacks.every((lack) => lack <= EPSILON);
const covers = (amounts: Amounts, lacks: readonly number[]): boolean =>
  lacks.every((lack, resource) => at(amounts, resource) + EPSILON >= lack);
