/** A sequence as bars in time, with names: what a chart is drawn from. */
import type { Problem } from "../placement/engine/problem.ts";
import { at } from "./act.ts";
import type { Sequence } from "./sequence.ts";

export interface Bar {
  readonly vm: string;
  /** Null: it was nowhere before. */
  readonly from: string | null;
  /** The same as `from`: it stays. */
  readonly to: string;
  readonly startS: number;
  readonly endS: number;
  /**
   * - `live`, `cold`: it moves; `cold` takes it down.
   * - `park`: it moves live to where it waits for a later move; `aside`: it makes way for others, to come back later.
   * - `stop`: it is stopped ahead of its move. - `resize`: it takes more, or gives back, where it is. - `arrive`: it is new.
   */
  readonly kind: "live" | "cold" | "park" | "aside" | "stop" | "resize" | "arrive";
}

/** Sorted by start, then by name. */
export function toBars({ vms, nodes }: Problem, homes: ArrayLike<number>, { moves, inPlace }: Sequence): Bar[] {
  const nameOf = (node: number): string => at(nodes, node).name;
  const bars = [
    ...moves.map(({ vm, from, to, startS, endS, parked }): Bar => {
      const { name, home, moves: how } = at(vms, vm);
      const isBystander = at(homes, vm) === home;
      const kind = how === "cold" ? "cold" : parked ? (isBystander ? "aside" : "park") : "live";
      return { vm: name, from: nameOf(from), to: nameOf(to), startS, endS, kind };
    }),
    ...inPlace.map(({ kind, vm, node, startS, endS }): Bar => {
      const from = kind === "arrive" ? null : nameOf(node);
      return { vm: at(vms, vm).name, from, to: nameOf(node), startS, endS, kind };
    }),
  ];
  return bars.sort((a, b) => a.startS - b.startS || (a.vm < b.vm ? -1 : a.vm > b.vm ? 1 : a.endS - b.endS));
}

export interface Row {
  readonly name: string;
  readonly bars: readonly Bar[];
}

/** A row for each VM, in the order in which they begin. */
export const rowsByVm = (bars: readonly Bar[]): Row[] =>
  [...Map.groupBy(bars, ({ vm }) => vm)].map(([name, mine]) => ({ name, bars: mine }));

/** A row for each node with whatever leaves it, enters it, or is done there, by name; a move stands in two. */
export function rowsByNode(bars: readonly Bar[]): Row[] {
  const rows = new Map<string, Bar[]>();
  for (const bar of bars)
    for (const node of new Set([bar.from, bar.to])) {
      if (node === null) continue;
      const known = rows.get(node);
      if (known) known.push(bar);
      else rows.set(node, [bar]);
    }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, mine]) => ({ name, bars: mine }));
}
