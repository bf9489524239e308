/** Whether a node takes newcomers at a given moment, and why not. Time is an input: the same moment, the same answer. */
import type { DesiredNode, Maintenance } from "./desired-state.ts";
import type { Instant, NodeName } from "./names.ts";

/** Null: none, not yet, or over by then. */
export function maintenanceAt({ maintenance }: Pick<DesiredNode, "maintenance">, at: Instant): Maintenance | null {
  if (maintenance === null) return null;
  const now = Date.parse(at);
  const { from, until } = maintenance;
  const hasBegun = from === null || Date.parse(from) <= now;
  const isOver = until !== null && Date.parse(until) <= now;
  return hasBegun && !isOver ? maintenance : null;
}

/** `2026-12-02 04:00 UTC`: nobody plans maintenance by the second. One that is within a minute is told with its seconds. */
const sayMinute = (at: Instant): string =>
  `${at.slice(0, 16).replace("T", " ")}${at.slice(16, 19) === ":00" ? "" : at.slice(16, 19)} UTC`;

/** `in maintenance until 2026-12-02 04:00 UTC (new disks)` */
export function describeMaintenance({ until, reason }: Maintenance): string {
  return `in maintenance${until === null ? "" : ` until ${sayMinute(until)}`}${reason === null ? "" : ` (${reason})`}`;
}

/** `n1 is in maintenance (new disks)` */
export const sayMaintenance = (node: NodeName, maintenance: Maintenance): string =>
  `${node} is ${describeMaintenance(maintenance)}`;

/** Why it takes no new VMs, in words; null: it does. */
export function whyClosed(node: Pick<DesiredNode, "cordoned" | "maintenance">, at: Instant): string | null {
  const maintenance = maintenanceAt(node, at);
  if (maintenance !== null) return describeMaintenance(maintenance);
  return node.cordoned ? "cordoned" : null;
}
