/** The nodes of a fleet with what they have, what is taken and what is free (`schemas/gateway-nodes.schema.json`). Pure. */
import { type Amount, hasProcess, heldOn, minus, roomOf } from "../../model/capacity.ts";
import type { DesiredNode } from "../../model/desired-state.ts";
import { maintenanceAt } from "../../model/maintenance.ts";
import type { Instant } from "../../model/names.ts";
import type { ObservedNode, VmReport } from "../../model/observed-state.ts";
import type { NodeAmount, NodeRow } from "./page-documents.ts";
import type { Sighting, Silence } from "./sighting.ts";

/** Sorted by name. `now`: whether maintenance is under way. */
export function toNodeRows({ desired, observed, silence }: Sighting, now: Instant): readonly NodeRow[] {
  const byNode = new Map(desired.nodes.map((node) => [node.name, node]));
  return observed.nodes.map((node) => toRow(node, byNode.get(node.name), silence.get(node.name), now));
}

function toRow(
  node: ObservedNode,
  desired: DesiredNode | undefined,
  silence: Silence | undefined,
  now: Instant,
): NodeRow {
  const report = node.reach === "answered" ? node.report : (silence?.last ?? null);
  const room = report === null ? null : desired === undefined ? report.capacity : roomOf(report.capacity, desired);
  const used = report === null ? null : heldOn(report);
  const maintenance = desired?.maintenance ?? null;
  const living = report?.vms.filter(livesHere) ?? [];
  return {
    name: node.name,
    reach: node.reach === "answered" ? "answers" : "silent",
    since: node.reach === "answered" ? null : (silence?.since ?? now),
    error: node.reach === "silent" ? node.error : null,
    capacity: withDisk(report?.capacity ?? null),
    room: withDisk(room),
    used: withDisk(used),
    free: withDisk(room === null || used === null ? null : atLeastNothing(minus(room, used))),
    cordoned: desired?.cordoned ?? false,
    fenced: desired?.fenced ?? false,
    maintenance:
      desired === undefined || maintenance === null
        ? null
        : { ...maintenance, isUnderWay: maintenanceAt(desired, now) !== null },
    vms: living.length,
    running: node.reach === "answered" ? living.filter(hasProcess).length : 0,
    agentVersion: report?.node.agentVersion ?? null,
    hypervisors: report?.hypervisors.map(({ kind, version }) => ({ kind, version })) ?? [],
  };
}

/** Neither what a VM left when it moved away, nor one that is only expected. */
const livesHere = ({ migration }: VmReport): boolean => migration?.stage !== "left" && migration?.stage !== "expected";

const atLeastNothing = ({ cpus, memoryMiB }: Amount): Amount => ({
  cpus: Math.max(0, cpus),
  memoryMiB: Math.max(0, memoryMiB),
});

/** Agents do not say what their disks have: nobody is told a number that nobody measured. */
const withDisk = (amount: Amount | null): NodeAmount | null =>
  amount === null ? null : { cpus: amount.cpus, memoryMiB: amount.memoryMiB, diskMiB: null };
