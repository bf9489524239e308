/** What the record of a guest says that stands still, or goes on, without odorobo having asked it to. Pure. */
import type { Instant } from "../../../model/names.ts";
import type { GuestStatus, Stall } from "../../hypervisor/hypervisor.ts";
import type { VmRecord } from "../../store/vm-record.ts";

export interface PhaseChange {
  readonly change: Partial<VmRecord>;
  /** For the event log, after the VM's name. */
  readonly story: string;
}

export function phaseChange(
  vm: VmRecord,
  { phase, stalled }: Extract<GuestStatus, { readonly phase: "running" | "paused" }>,
  now: Instant,
): PhaseChange {
  const change = { phase, endedBy: null, since: now } as const;
  if (phase === "running") {
    const story = vm.stalled ? "goes on: what could not be written is being written" : "was let run on by someone else";
    return { change: { ...change, reason: null, stalled: null }, story };
  }
  if (stalled === undefined) {
    const reason = "paused by someone else";
    return { change: { ...change, reason, stalled: null }, story: `was ${reason}` };
  }
  const reason = stallReason(stalled);
  return { change: { ...change, reason, stalled: { ...stalled, since: now } }, story: reason };
}

/** `stands still (io-error): no room for disk data; it goes on by itself when there is room`. */
function stallReason({ disks, noRoom }: Stall): string {
  const which = disks.length === 0 ? "a disk" : `disk${disks.length === 1 ? "" : "s"} ${disks.join(", ")}`;
  return noRoom
    ? `stands still (io-error): no room for what it writes to ${which}; it goes on by itself when there is room`
    : `stands still (io-error): ${which} could not be written; look at dmesg on the node, then resume it`;
}
