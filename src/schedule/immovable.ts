/** Guests that nothing can move, whatever the others do: what no order can help is known before any is looked for. */
import { at, EPSILON } from "./act.ts";
import { mayLeave, type Ordering, placesFor } from "./ordering.ts";

export interface Immovable {
  readonly guests: ReadonlySet<number>;
  /** Those of them, and of the others, that can never get what they want. Sorted. */
  readonly hopeless: readonly number[];
}

/** Of everything that may not move, and of what has nowhere to go because of those, and so on until nothing is added. */
export function findImmovable(ordering: Ordering): Immovable {
  const { world, problem, targets, pending } = ordering;
  const { nodes, vms } = problem;
  const guests = new Set<number>();
  const load = nodes.map(() => problem.resources.map(() => 0));
  const add = (vm: number): void => {
    guests.add(vm);
    const mine = at(load, at(world.position, vm));
    for (const [resource, amount] of world.now(vm).entries()) mine[resource] = at(mine, resource) + amount;
  };
  const couldBeOn = (vm: number, node: number): boolean => {
    const isThere = at(world.position, vm) === node;
    const own = isThere && guests.has(vm) ? world.now(vm) : null;
    const fits = at(vms, vm).wants.every((want, resource) => {
      const others = at(at(load, node), resource) - (own === null ? 0 : at(own, resource));
      return want === 0 || want + others <= at(at(nodes, node).room, resource) + EPSILON;
    });
    return fits && (isThere || !world.foesOf(vm, node).some((foe) => guests.has(foe)));
  };
  const canLeave = (vm: number): boolean => {
    if (!mayLeave(ordering, vm)) return false;
    // Stopped ahead of its move it is in nobody's way, wherever it may go afterwards.
    if (pending.has(vm) && at(vms, vm).moves === "cold" && at(targets, vm) !== at(vms, vm).home) return true;
    const position = at(world.position, vm);
    const isPlace = (node: number): boolean => node !== position && couldBeOn(vm, node);
    return (pending.has(vm) && isPlace(at(targets, vm))) || placesFor(ordering, vm).some(isPlace);
  };
  for (let isNew = true; isNew; ) {
    isNew = false;
    for (const [vm, { home }] of vms.entries()) {
      if (home < 0 || guests.has(vm) || canLeave(vm)) continue;
      add(vm);
      isNew = true;
    }
  }
  const hopeless = [...pending].filter((vm) => {
    const isElsewhere = at(world.position, vm) !== at(targets, vm);
    return (isElsewhere && !mayLeave(ordering, vm)) || !couldBeOn(vm, at(targets, vm));
  });
  return { guests, hopeless: hopeless.sort((a, b) => a - b) };
}
