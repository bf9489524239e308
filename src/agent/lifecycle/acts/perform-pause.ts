/** Pause and resume. */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { Act } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

const ASK_DEADLINE_MS = 30_000;

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
  const phase = kind === "pause" ? "paused" : "running";
  return {
    begin: vm,
    async run(signal) {
      await guest.ask(ASK_DEADLINE_MS, signal, (connection, own) => connection[kind](own));
      const reason = kind === "pause" ? "paused by an operator" : null;
      return { stored: { ...vm, phase, reason, stalled: null, since: parts.clock.now() }, error: null };
    },
  };
}
