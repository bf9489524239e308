/**
 * Who has a home and keeps it, as it will be when the plan is done: with the labels it is given, and the rules that are its own.
 *
 *   locate-vms.ts, diff.ts → [neighbours.ts] → place-fleet.ts
 */
import type { DesiredState, DesiredVm, Placement } from "../model/desired-state.ts";
import type { Labels } from "../model/may-live-on.ts";
import type { NodeName, VmName } from "../model/names.ts";
import type { VmReport } from "../model/observed-state.ts";
import type { Draft, Homeless } from "../reconcile/draft.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";

export interface Neighbour {
  readonly name: VmName;
  readonly home: NodeName;
  readonly vm: VmReport;
  /** What is to change about it where it is; null: nothing. */
  readonly draft: Draft | null;
  /** As desired; null: it is none of this fleet's, or no longer. */
  readonly wanted: DesiredVm | null;
  readonly labels: Labels;
  readonly placement: Pick<Placement, "affinity" | "antiAffinity" | "nodeAffinity">;
  /** It is deleted: until then nobody comes who may not be with it, and nobody counts on it. */
  readonly goes: boolean;
}

export const NO_RULES = { affinity: [], antiAffinity: [] } as const;

/** In the order of nodes. Not those that are homeless, nor what moved guests have left. */
export function neighboursOf(
  desired: DesiredState,
  sightings: Sightings,
  drafts: readonly Draft[],
  homeless: readonly Homeless[],
): Neighbour[] {
  const leaving = new Map(homeless.flatMap(({ vm, from }) => (from === null ? [] : [[vm.name, from.seen.node]])));
  const draftOf = new Map(drafts.map((draft) => [draft.name, draft]));
  const wanted = new Map(desired.vms.map((vm) => [vm.name, vm]));
  const all: Neighbour[] = [];
  for (const [home, report] of sightings.reports) {
    for (const vm of report.vms) {
      const { name } = vm;
      if (leaving.get(name) === home || vm.migration?.stage === "left") continue;
      const known = draftOf.get(name);
      const draft = known?.node === home ? known : null;
      const mine = vm.fleet === desired.fleet.name ? (wanted.get(name) ?? null) : null;
      const labels = draft?.put?.labels ?? vm.spec.labels;
      const placement = mine?.placement ?? NO_RULES;
      all.push({ name, home, vm, draft, wanted: mine, labels, placement, goes: draft?.power === "delete" });
    }
  }
  return all;
}
