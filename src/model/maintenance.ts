/** Whether a node takes newcomers at a given moment, and why not. Time is an input: the same moment, the same answer. */
import type { DesiredNode, Maintenance } from "./desired-state.ts";
import type { Instant } from "./names.ts";

/** Null: none, not yet, or over by then. */
export function maintenanceAt({ maintenance }: Pick<DesiredNode, "maintenance">, at: Instant): Maintenance | null {
  if (maintenance === null) return null;
  const now = Date.parse(at);
  const { from, until } = maintenance;
  const hasBegun = from === null || Date.parse(from) <= now;
  const isOver = until !== null && Date.parse(until) <= now;
  return hasBegun && !isOver ? maintenance : null;
}

/** `in maintenance until 2026-12-02T04:00:00.000Z (new disks)` */
export function describeMaintenance({ until, reason }: Maintenance): string {
  return `in maintenance${until === null ? "" : ` until ${until}`}${reason === null ? "" : ` (${reason})`}`;
}

/** Why it takes no new VMs, in words; null: it does. */
export function whyClosed(node: Pick<DesiredNode, "cordoned" | "maintenance">, at: Instant): string | null {
  const maintenance = maintenanceAt(node, at);
  if (maintenance !== null) return describeMaintenance(maintenance);
  return node.cordoned ? "cordoned" : null;
}
