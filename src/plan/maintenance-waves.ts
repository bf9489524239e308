/**
 * Nodes in maintenance that cannot all be emptied at once, in waves that can: each is a plan of its own, with the other nodes at work.
 *
 *   make-plan.ts → [maintenance-waves.ts] → report/
 *
 * They are halved until each part's plan leaves nobody behind: every other one, for neighbours in name often hold the members of one group. Few plans
 * are made for it, and few waves come of it, if not the fewest. They are of the fleet as it is now: whoever does one plans the next anew.
 */
import type { DesiredState } from "../model/desired-state.ts";
import { maintenanceAt } from "../model/maintenance.ts";
import { byName, type NodeName } from "../model/names.ts";
import type { Sightings } from "../reconcile/locate-vms.ts";
import type { Plan, Waves } from "./plan-document.ts";

/** Plans are made again for it, and those that leave somebody behind take the longest: not more than these, nor for more VMs in all. */
const MOST_PLANS = 10;
const MOST_VMS_PLANNED = 20_000;

/** Sorted by name, each list. Null: all of them are emptied by this plan, there is one of them only, or the fleet is too big to try. */
export function findWaves(
  plan: Plan,
  desired: DesiredState,
  sightings: Sightings,
  planFor: (desired: DesiredState) => Plan,
): Waves | null {
  const nodes = desired.nodes.filter((node) => maintenanceAt(node, plan.base.observedAt) !== null);
  const behind = (made: Plan, some: ReadonlySet<NodeName>): boolean =>
    made.blocked.some(({ name }) => {
      const location = sightings.locate(name);
      return location.kind === "present" && some.has(location.node);
    });
  const all = new Set(nodes.map(({ name }) => name));
  if (nodes.length < 2 || !behind(plan, all)) return null;
  let tries = Math.min(MOST_PLANS, Math.floor(MOST_VMS_PLANNED / Math.max(1, desired.vms.length)));
  const isEmptied = (wave: readonly NodeName[]): boolean => {
    tries--;
    const now = new Set(wave);
    const others = desired.nodes.map((node) =>
      all.has(node.name) && !now.has(node.name) ? { ...node, maintenance: null } : node,
    );
    return !behind(planFor({ ...desired, nodes: others }), now);
  };
  const waves: NodeName[][] = [];
  const stuck: NodeName[] = [];
  const divide = (some: readonly NodeName[]): void => {
    for (const part of [0, 1].map((side) => some.filter((_, index) => index % 2 === side))) {
      if (part.length === 0 || tries <= 0) continue;
      if (isEmptied(part)) waves.push(part);
      else if (part.length === 1) stuck.push(...part);
      else divide(part);
    }
  };
  divide([...all].sort(byName));
  // Half an answer would read as if the others could not be done.
  if (waves.flat().length + stuck.length < all.size) return null;
  waves.sort((one, other) => byName(one[0] ?? "", other[0] ?? ""));
  stuck.sort(byName);
  return waves.length === 0 ? null : { waves, stuck };
}
