/** From who should be where to an order of acts, one after another, with the fewest moves beyond those that are asked for. */
import type { Problem } from "../placement/problem.ts";
import { type Act, at } from "./act.ts";
import { findImmovable } from "./immovable.ts";
import { makeWay } from "./make-way.ts";
import { Ordering, type Policy } from "./ordering.ts";
import { type Budget, searchExactly } from "./search-exactly.ts";
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
const MOST_STATES = 60_000;

export function findOrder(problem: Problem, targets: Int32Array, budget: Budget): Order {
  const { first, wishes, last } = sortWishes(problem, targets);
  let best: Order | null = null;
  for (const policy of policiesFor(problem, targets)) {
    const ordering = new Ordering(problem, targets, wishes, policy);
    for (const vm of first) ordering.perform(ordering.world.act("resize", vm, at(targets, vm)));
    ordering.settle();
    const isDirect = ordering.pending.size === 0;
    if (!isDirect && best === null) {
      ordering.rollBack(first.length);
      const { hopeless } = findImmovable(ordering);
      if (hopeless.length > 0) return { acts: [], unmet: hopeless, isHopeless: true };
      ordering.settle();
    }
    if (!isDirect) makeWay(ordering);
    const order = finish(ordering, last);
    if (best === null || isBetter(problem, order, best)) best = order;
    if (isDirect) return best;
  }
  const found = best as Order;
  const exact = searchExactly(problem, targets, { first, wishes }, budget, Math.min(budget.states, MOST_STATES));
  if (exact === null || exact === "none") return found;
  const ordering = new Ordering(problem, targets, wishes, bySize(problem, 1));
  for (const { kind, vm, to, parked } of exact) ordering.perform(ordering.world.act(kind, vm, to, parked));
  return finish(ordering, last);
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
function policiesFor(problem: Problem, targets: Int32Array): Policy[] {
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
