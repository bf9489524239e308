/** The whole truth of this node in one answer, from what is in memory. */

import { OdoroboError } from "../../../model/errors.ts";
import type { VmHistory } from "../../../model/history.ts";
import { byName, type VmName } from "../../../model/names.ts";
import type { Capacity, NodeReport, UnreadableVm, VmReport, Whereabouts } from "../../../model/observed-state.ts";
import { findVmReportError } from "../../../wire/check-shape.ts";
import type { UnreadableRecord } from "../../store/vm-record.ts";
import { UNEXPLAINED_HINT, type VmState } from "../parts/decision.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { toJournalEntry, toTombstone, toVmReport } from "./to-report.ts";

export function nodeReport(
  parts: Parts,
  capacity: Capacity,
  slots: Iterable<Slot>,
  whereabouts: readonly Whereabouts[],
  history: readonly VmHistory[],
): NodeReport {
  const sorted = [...slots].sort((a, b) => byName(a.name, b.name));
  const told = sorted.flatMap((slot) => tell(parts, slot) ?? []);
  const images = parts.imageCache.shown();
  const unreadable = told.flatMap((each) => ("problem" in each ? [each] : []));
  return {
    apiVersion: 1,
    at: parts.clock.now(),
    node: parts.node,
    capacity,
    hypervisors: parts.reports.current(),
    vms: told.flatMap((each) => ("problem" in each ? [] : [each])),
    tombstones: sorted.flatMap(({ stored }) => (stored?.state === "tombstone" ? [toTombstone(stored)] : [])),
    unfinished: sorted.flatMap(({ stored }) =>
      stored === null || stored.state === "unreadable" ? [] : (toJournalEntry(stored) ?? []),
    ),
    ...(unreadable.length === 0 ? {} : { unreadable }),
    ...(history.length === 0 ? {} : { history }),
    ...(whereabouts.length === 0 ? {} : { whereabouts }),
    ...(images.length === 0 ? {} : { images }),
    ...networking(parts),
    supervisor: parts.supervisor.kind,
  };
}

function networking({ network }: Parts): Pick<NodeReport, "networks" | "lacks"> {
  const networks = network.report?.() ?? [];
  const lacks = network.lacks?.() ?? [];
  return { ...(networks.length === 0 ? {} : { networks }), ...(lacks.length === 0 ? {} : { lacks }) };
}

/**
 * What is wrong with one VM is told of that VM: who reads the report would else take the whole node for broken. Null: it is
 * absent or deleted.
 */
function tell(parts: Parts, slot: Slot): VmReport | UnreadableVm | null {
  if (slot.stored?.state === "unreadable") return toUnreadableVm(slot.stored);
  try {
    const report = reportOf(slot);
    const problem = report === null ? null : findVmReportError(report);
    if (problem === null) return report;
    logOnce(parts, slot, problem);
    return { name: slot.name, problem: `what its agent knows of it does not make sense: ${problem}` };
  } catch (error) {
    logOnce(parts, slot, error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { name: slot.name, problem: "its agent failed to tell of it: see the agent's log" };
  }
}

const logged = new WeakMap<Slot, string>();

/** A report is asked for every few seconds. */
function logOnce(parts: Parts, slot: Slot, problem: string): void {
  if (logged.get(slot) === problem) return;
  logged.set(slot, problem);
  parts.logger.error({ vm: slot.name, problem }, "what is known of a VM does not make sense");
}

const toUnreadableVm = ({ name, problem, held }: UnreadableRecord): UnreadableVm => ({
  name,
  problem,
  ...(held ? { held } : {}),
});

/** Null: absent, deleted or unreadable. */
export const reportOf = (slot: Slot): VmReport | null =>
  slot.stored?.state === "present" ? toVmReport(slot, slot.stored) : null;

const unexplained = ({ name, problem }: UnreadableRecord): OdoroboError =>
  new OdoroboError("GUEST_UNEXPLAINED", `${name} is left alone: ${problem}`, { hint: UNEXPLAINED_HINT });

export function notFound(name: VmName, state: VmState): OdoroboError {
  if (state?.state === "unreadable" && state.held) return unexplained(state);
  if (state?.state === "unreadable")
    return new OdoroboError("STORAGE_FAILED", `the agent cannot read its record of ${name}: ${state.problem}`, {
      hint: "repair or restore the file and restart the agent",
    });
  const hint =
    state === null
      ? "odorobo vm list shows where each VM is"
      : "it was deleted and its disks are kept: apply its manifest again to bring it back";
  return new OdoroboError("NOT_FOUND", `there is no VM ${name} on this node`, { hint });
}
