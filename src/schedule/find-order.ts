/** From who should be where to an order of acts, one after another, with the fewest moves beyond those that are asked for. */
import type { Problem } from "../placement/engine/problem.ts";
import { type Act, at } from "./act.ts";
import { findImmovable } from "./immovable.ts";
import { beginWith, makeWay } from "./make-way.ts";
import { Ordering, type Policy } from "./ordering.ts";
import { type Asked, type Budget, searchExactly } from "./search-exactly.ts";
import { sortWishes } from "./wishes.ts";

export interface Order {
  /** Each one possible after those before it. */
  readonly acts: readonly Act[];
  /** Guests that did not get what they want. */
  readonly unmet: readonly number[];
  /** Each of the unmet alone can never get what it wants, whatever the others do. */
  readonly isHopeless: boolean;
}

/** Of one search; what is left of the budget is for those that explain. */
const MOST_STATES = 30_000;
/** Tried from the start: the last ones. */
const MOST_WAYS = 4;

export function findOrder(problem: Problem, targets: Int32Array, budget: Budget): Order {
  const { first, wishes, last } = sortWishes(problem, targets);
  const tryWith = (policy: Policy, begun: readonly Act[]): { order: Order; ways: readonly (readonly Act[])[] } => {
    const ordering = start(problem, targets, { first, wishes }, policy);
    beginWith(ordering, begun);
    ordering.settle();
    return { ways: makeWay(ordering), order: finish(ordering, last) };
  };
  const policies = policiesFor(problem, targets);
  const [policy] = policies;
  const direct = start(problem, targets, { first, wishes }, policy);
  const { hopeless } = direct.settle() === wishes.length ? { hopeless: [] } : findHopeless(direct, first.length);
  if (direct.pending.size === 0) return finish(direct, last);
  if (hopeless.length > 0) return { acts: [], unmet: hopeless, isHopeless: true };
  let found: Order | null = null;
  let ways: readonly (readonly Act[])[] = [];
  for (const each of policies) {
    const tried = tryWith(each, []);
    if (found !== null && !isBetter(problem, tried.order, found)) continue;
    found = tried.order;
    ways = tried.ways;
  }
  // What got the last ones going would often have got all of them going, had it been done first.
  for (const way of ways.slice(-MOST_WAYS).reverse())
    for (const each of policies) {
      const { order } = tryWith(each, way);
      if (found === null || isBetter(problem, order, found)) found = order;
    }
  const exact = searchExactly(problem, targets, { first, wishes }, budget, Math.min(budget.states, MOST_STATES));
  if (exact === null || exact === "none") return found ?? finish(direct, last);
  const ordering = new Ordering(problem, targets, wishes, policy);
  for (const { kind, vm, to, parked } of exact) ordering.perform(ordering.world.act(kind, vm, to, parked));
  return finish(ordering, last);
}

/** What only gives room is done. */
function start(problem: Problem, targets: Int32Array, { first, wishes }: Asked, policy: Policy): Ordering {
  const ordering = new Ordering(problem, targets, wishes, policy);
  for (const vm of first) ordering.perform(ordering.world.act("resize", vm, at(targets, vm)));
  return ordering;
}

/** As everything was before the first move; leaves it so if there is any. */
function findHopeless(ordering: Ordering, begun: number): { readonly hopeless: readonly number[] } {
  ordering.rollBack(begun);
  const { hopeless } = findImmovable(ordering);
  if (hopeless.length === 0) ordering.settle();
  return { hopeless };
}

/** What only takes room is added, in the order of names. */
function finish(ordering: Ordering, last: readonly number[]): Order {
  const { world, targets, problem } = ordering;
  const unmet = [...ordering.pending, ...ordering.strayed];
  for (const vm of last) {
    const target = at(targets, vm);
    const isNew = at(problem.vms, vm).home < 0;
    if (isNew ? world.canMove(vm, target) : at(world.position, vm) === target && world.canResize(vm)) {
      if (world.now(vm) !== at(problem.vms, vm).wants || isNew)
        ordering.perform(world.act(isNew ? "arrive" : "resize", vm, target));
    } else unmet.push(vm);
  }
  return { acts: [...ordering.acts], unmet: [...new Set(unmet)].sort((a, b) => a - b), isHopeless: false };
}

function isBetter({ vms }: Problem, a: Order, b: Order): boolean {
  const mib = ({ acts }: Order) =>
    acts.reduce((sum, { kind, vm }) => sum + (kind === "move" ? at(vms, vm).moveMiB : 0), 0);
  return (a.unmet.length - b.unmet.length || a.acts.length - b.acts.length || mib(a) - mib(b)) < 0;
}

/** Big ones first pack best; small ones first sometimes get a circle going that big ones block. */
function policiesFor(problem: Problem, targets: Int32Array): [Policy, ...Policy[]] {
  const wanted = new Set(targets);
  const freesFirst: Policy = (a, b) =>
    Number(wanted.has(at(problem.vms, b).home)) - Number(wanted.has(at(problem.vms, a).home));
  const big = bySize(problem, 1);
  return [(a, b) => freesFirst(a, b) || big(a, b), bySize(problem, -1), big];
}

const bySize =
  ({ vms }: Problem, sign: 1 | -1): Policy =>
  (a, b) =>
    sign * (at(vms, b).moveMiB - at(vms, a).moveMiB) || a - b;
