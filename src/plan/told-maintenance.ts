/** The maintenance that the changes and the blocked VMs of a plan speak of: told once, and not with each VM. */
import type { Blocked, Change } from "../model/changes.ts";
import type { DesiredState } from "../model/desired-state.ts";
import { maintenanceAt, sayMaintenance } from "../model/maintenance.ts";
import { byName, type Instant } from "../model/names.ts";
import type { NodeInMaintenance } from "./plan-document.ts";

export function toldMaintenance(
  { nodes }: DesiredState,
  at: Instant,
  changes: readonly Change[],
  blocked: readonly Blocked[],
): NodeInMaintenance[] {
  const texts = [
    ...changes.flatMap(({ reasons }) => reasons.map(({ text }) => text)),
    ...blocked.map(({ message }) => message),
  ];
  return nodes
    .flatMap((node): NodeInMaintenance[] => {
      const maintenance = maintenanceAt(node, at);
      if (maintenance === null) return [];
      const text = sayMaintenance(node.name, maintenance);
      return texts.some((each) => each.startsWith(text)) ? [{ node: node.name, text, source: node.source }] : [];
    })
    .sort((a, b) => byName(a.node, b.node));
}
