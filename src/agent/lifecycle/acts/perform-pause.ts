/** Pause and resume. */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Act } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

const ASK_DEADLINE_MS = 30_000;

/** What the record says of a guest that stands still because somebody asked for it. */
export const PAUSED = { phase: "paused", reason: "paused by an operator", stalled: null } as const;
const RUNNING = { phase: "running", reason: null, stalled: null } as const;

export async function preparePause(parts: Parts, slot: Slot, vm: VmRecord, kind: "pause" | "resume"): Promise<Act> {
  const { guest } = slot;
  const hypervisor = (vm.guest?.bootedSpec ?? vm.spec).hypervisor;
  if (guest === null)
    throw new OdoroboError("HYPERVISOR_UNAVAILABLE", `the agent has no connection to ${vm.name}`, {
      hint: `look at it again: odorobo vm info ${vm.name}`,
    });
  // A guest runs in its own process, whatever program is on the disk by now, or none.
  const report = parts.reports.current().find((each) => each.kind === hypervisor);
  if (kind === "pause" && report?.capabilities.pause === false)
    throw new OdoroboError("UNSUPPORTED", `${hypervisor} on this node cannot pause ${vm.name}`, {
      hint: "shut it down instead, or use another hypervisor",
    });
  return {
    begin: vm,
    async run(signal) {
      await guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection[kind](own));
      const stored = { ...vm, ...(kind === "pause" ? PAUSED : RUNNING), since: parts.clock.now() };
      return { stored, error: null };
    },
  };
}
