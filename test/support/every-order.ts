/**
 * The fewest acts by looking at every state of a small fleet, breadth first: the oracle of the search for an order. It shares nothing
 * with it but the rules: who moves anyway may be parked, or stopped if it moves cold; others are moved aside only live, and come home.
 */
import type { Problem } from "../../src/placement/engine/problem.ts";

/** Node of each VM by letter: as it is at home, on a node after a move, or stopped at home. */
interface State {
  readonly on: readonly number[];
  readonly how: string;
}

/** Acts of the shortest order; `never`: there is none. Null: more states than that. `spared`: may be anywhere in the end. */
export function fewestActs(
  problem: Problem,
  homes: readonly number[],
  { spared = new Set<number>(), mostStates = 100_000 } = {},
): number | "never" | null {
  const { vms } = problem;
  const start: State = { on: vms.map(({ home }) => home), how: vms.map(() => "h").join("") };
  const keyOf = ({ on, how }: State) => `${on.join(",")} ${how}`;
  const seen = new Set([keyOf(start)]);
  let level = [start];
  for (let acts = 0; level.length > 0; acts++) {
    const next: State[] = [];
    for (const state of level) {
      if (isDone(problem, homes, spared, state)) return acts;
      for (const follower of followers(problem, homes, state)) {
        const key = keyOf(follower);
        if (seen.has(key)) continue;
        if (seen.size >= mostStates) return null;
        seen.add(key);
        next.push(follower);
      }
    }
    level = next;
  }
  return "never";
}

const isDone = ({ vms }: Problem, homes: readonly number[], spared: ReadonlySet<number>, { on, how }: State): boolean =>
  // New ones only take room: they come last.
  vms.every(
    ({ home }, vm) => spared.has(vm) || home < 0 || homes[vm]! < 0 || (on[vm] === homes[vm] && how[vm] !== "s"),
  );

function* followers(problem: Problem, homes: readonly number[], state: State): Generator<State> {
  const { vms, nodes } = problem;
  for (const [vm, { home, moves, allowed, parkable = allowed }] of vms.entries()) {
    const goes = homes[vm] !== home;
    if (home < 0 || moves === "never" || (!goes && (moves !== "live" || nodes[home]!.closed))) continue;
    const staysUp = groupBears(problem, state, vm);
    if (!staysUp) continue;
    for (const node of nodes.keys()) {
      if (node === state.on[vm]) continue;
      const mayBe = node === homes[vm] || (!nodes[node]!.closed && (parkable?.includes(node) ?? true));
      if (mayBe && fits(problem, state, vm, node) && isApart(problem, state, vm, node))
        yield moved(state, vm, node, "m");
    }
    if (goes && moves === "cold" && state.how[vm] === "h" && vms[vm]!.holds.some((amount) => amount > 0))
      yield moved(state, vm, home, "s");
  }
}

const moved = ({ on, how }: State, vm: number, node: number, letter: string): State => ({
  on: on.map((each, index) => (index === vm ? node : each)),
  how: how.slice(0, vm) + letter + how.slice(vm + 1),
});

function fits({ vms, nodes }: Problem, { on, how }: State, mover: number, node: number): boolean {
  return nodes[node]!.room.every((room, resource) => {
    let used = vms[mover]!.wants[resource]!;
    if (used === 0) return true;
    for (const [vm, { holds, wants }] of vms.entries())
      if (on[vm] === node && how[vm] !== "s") used += how[vm] === "m" ? wants[resource]! : holds[resource]!;
    return used <= room + 1e-6;
  });
}

function isApart({ vms, rules }: Problem, { on }: State, mover: number, node: number): boolean {
  return rules.every(({ kind, weight, domainOf, subjects, others }) => {
    if (kind !== "apart" || weight !== null || domainOf[node]! < 0) return true;
    const foes = [...(subjects.includes(mover) ? others : []), ...(others.includes(mover) ? subjects : [])];
    return vms.every(
      (_, vm) => vm === mover || on[vm]! < 0 || domainOf[on[vm]!] !== domainOf[node] || !foes.includes(vm),
    );
  });
}

function groupBears({ vms, groups }: Problem, { how }: State, mover: number): boolean {
  const { group, moves } = vms[mover]!;
  if (moves !== "cold" || group < 0 || how[mover] === "s") return true;
  const down = vms.filter((vm, index) => vm.group === group && how[index] === "s").length;
  return down < groups[group]!.maxUnavailable;
}
