/** What the record of a VM says after its guest ended without odorobo having asked it to. Pure. */
import type { GuestEvent, MigrationState } from "../../../model/observed-state.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import type { GuestEnd } from "../../tally.ts";
import { type Moment, restartAfterEnd, restartStory } from "./restart-policy.ts";

/** Of a guest, as far as it is known. */
export interface End {
  readonly kind: GuestEnd;
  readonly reason: string;
  /** It runs on another host now, and nobody asked this agent to send it there. */
  readonly hasMoved?: true;
}

export interface EndedRecord {
  readonly change: Partial<VmRecord>;
  /** For the event log, after the VM's name. */
  readonly story: string;
}

export function endedRecord(
  vm: VmRecord,
  end: End,
  event: GuestEvent,
  moment: Moment & { readonly lastedMs: number },
): EndedRecord {
  const off = { ready: null, drift: [], guest: null, since: moment.now } as const;
  if (vm.migration?.role === "destination") {
    const reason = `it waited for a guest that did not come: ${end.reason}`;
    return {
      change: { ...off, phase: "stopped", endedBy: "failure", reason, restart: null, migration: null },
      story: `stopped: ${reason}`,
    };
  }
  const asked = whoAsked(vm, end);
  const migration: MigrationState | null = end.hasMoved
    ? { role: "source", since: moment.now, url: "another host, past odorobo" }
    : null;
  if (asked !== null)
    return {
      change: {
        ...{ ...off, phase: "stopped", endedBy: "operator", reason: asked, restart: null },
        migration: vm.migration ?? migration,
      },
      story: `stopped: ${asked}`,
    };
  const restart = restartAfterEnd(vm, end.kind, moment.lastedMs, moment);
  const phase = end.kind === "power-off" ? "stopped" : "crashed";
  const story = restartStory(restart);
  return {
    change: {
      ...off,
      phase,
      endedBy: end.kind === "power-off" ? "guest" : "failure",
      // Until when it waits stands beside it, and changes; that nobody will come stands here.
      reason: restart?.givenUp ? end.reason + story : end.reason,
      lastEvent: event,
      restart,
    },
    story: `${phase}: ${end.reason}${story}`,
  };
}

/** Null: nobody. Otherwise the reason to give. */
function whoAsked(vm: VmRecord, end: End): string | null {
  if (vm.migration?.role === "source")
    return `it left for ${vm.migration.url}, or may have left: it is not started here`;
  if (end.hasMoved) return end.reason;
  if (vm.guest?.handled === "power-button" && end.kind === "power-off")
    return "it powered off after its power button was pressed";
  if (vm.guest?.handled === "api" && end.kind === "power-off")
    return "it was powered off after its hypervisor's own API was used by hand";
  return null;
}
