/**
 * The fewest moves by looking at every state of a small fleet in which everybody moves live: what `every-order.ts` does, with a state as
 * one number, so that fleets of 6 nodes and 10 VMs can be looked through. Shares nothing with the search for an order.
 */
import type { Problem } from "../../src/placement/engine/problem.ts";

export interface Looked {
  /** `never`: there is no way. Null: more states than were asked for. */
  readonly fewest: number | "never" | null;
  readonly states: number;
}

/** `spared`: may be anywhere in the end. */
export function fewestMoves(
  { vms, nodes, rules }: Problem,
  homes: readonly number[],
  {
    mostStates = 1_000_000,
    spared = new Set<number>(),
  }: { readonly mostStates?: number; readonly spared?: ReadonlySet<number> } = {},
): Looked {
  const base = nodes.length;
  const power = vms.map((_, vm) => base ** vm);
  const seen = new Uint8Array(Math.ceil(base ** vms.length / 8));
  const isNew = (state: number): boolean => {
    const [at, bit] = [state >> 3, 1 << (state & 7)];
    if ((seen[at]! & bit) !== 0) return false;
    seen[at]! |= bit;
    return true;
  };
  const foes = vms.map((_, vm) =>
    rules.flatMap(({ kind, weight, subjects, others, domainOf }) => {
      if (kind !== "apart" || weight !== null) return [];
      const all = [...(subjects.includes(vm) ? others : []), ...(others.includes(vm) ? subjects : [])];
      return [{ domainOf, foes: all.filter((other) => other !== vm) }];
    }),
  );
  const mayMove = vms.map(({ moves, home }, vm) => moves === "live" && (homes[vm] !== home || !nodes[home]!.closed));
  const start = vms.reduce((sum, { home }, vm) => sum + home * power[vm]!, 0);
  isNew(start);
  let states = 1;
  let level = [start];
  const on = new Array<number>(vms.length).fill(0);
  const free = nodes.map(({ room }) => [...room]);
  for (let moves = 0; level.length > 0; moves++) {
    const next: number[] = [];
    for (const state of level) {
      for (const [node, { room }] of nodes.entries()) for (const [r, amount] of room.entries()) free[node]![r] = amount;
      for (const [vm, { wants }] of vms.entries()) {
        on[vm] = Math.floor(state / power[vm]!) % base;
        for (const [r, want] of wants.entries()) free[on[vm]!]![r]! -= want;
      }
      if (vms.every((_, vm) => spared.has(vm) || on[vm] === homes[vm])) return { fewest: moves, states };
      for (const [vm, { wants, allowed, parkable = allowed }] of vms.entries()) {
        if (!mayMove[vm]) continue;
        for (let node = 0; node < base; node++) {
          if (node === on[vm] || wants.some((want, r) => want > free[node]![r]!)) continue;
          if (node !== homes[vm] && (nodes[node]!.closed || parkable?.includes(node) === false)) continue;
          const clashes = foes[vm]!.some(
            ({ domainOf, foes: all }) =>
              domainOf[node]! >= 0 && all.some((foe) => domainOf[on[foe]!] === domainOf[node]),
          );
          if (clashes) continue;
          const follower = state + (node - on[vm]!) * power[vm]!;
          if (!isNew(follower)) continue;
          if (++states > mostStates) return { fewest: null, states };
          next.push(follower);
        }
      }
    }
    level = next;
  }
  return { fewest: "never", states };
}
