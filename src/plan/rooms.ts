/** How full each node gets whose room a plan changes: what its people look at before they agree. */
import { type Amount, isNothing, larger, minus, NOTHING, plus, roomOf } from "../model/capacity.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { Placed } from "../placement/place-vms.ts";
import type { Draft } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import type { MoveTimes } from "../schedule/schedule-chains.ts";
import type { NodeRoom } from "./plan-document.ts";

interface ToRoom {
  readonly desired: DesiredState;
  readonly sightings: Sightings;
  /** What each node has left right now. */
  readonly free: ReadonlyMap<NodeName, Amount>;
  readonly drafts: readonly Draft[];
  readonly placed: readonly Placed[];
  readonly times: MoveTimes | null;
}

/** Sorted by name. Of nodes that answer and from which something goes, or to which something comes. */
export function roomsAfter({ desired, sightings, free, drafts, placed, times }: ToRoom): NodeRoom[] {
  const more = new Map<NodeName, Amount>();
  const add = (node: NodeName, amount: Amount): void => void more.set(node, plus(more.get(node) ?? NOTHING, amount));
  for (const { node, before, after } of drafts) add(node, minus(after, before));
  for (const { homeless, node, holds } of placed) {
    if (homeless.from !== null) add(homeless.from.seen.node, minus(NOTHING, homeless.from.held));
    add(node, holds);
  }
  const least = new Map(times?.headroom.map(({ node, ...left }) => [node, left]));
  return desired.nodes
    .flatMap((node): NodeRoom[] => {
      const report = sightings.reports.get(node.name);
      const left = free.get(node.name);
      const change = more.get(node.name) ?? NOTHING;
      if (report === undefined || left === undefined) return [];
      if (isNothing(change) && !least.has(node.name)) return [];
      const of = roomOf(report.capacity, node);
      const now = minus(of, left);
      const after = plus(now, change);
      const fullest = larger(larger(now, after), minus(of, least.get(node.name) ?? of));
      const isFuller = !isNothing(minus(fullest, larger(now, after)));
      return [{ node: node.name, of, now, after, ...(isFuller ? { fullest } : {}) }];
    })
    .sort((a, b) => byName(a.node, b.node));
}
