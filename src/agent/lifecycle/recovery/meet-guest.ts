/**
 * A guest that the host shows and the VM's record: do they belong together?
 *
 *   find-guests.ts (the host) → [meet-guest.ts] → adopt.ts (the record)
 *
 * - The record names it, or was about to: it is adopted as ever.
 * - The record is this data folder's, and so is the process, but the record does not know it: it is older than the guest (a
 *   backup was put back). It is adopted if it answers and has the disks and the boot that the record knows.
 * - Everything else is held: the VM is neither absent nor safe to touch. It is reported as unreadable, every operation is
 *   refused, and once nothing of it runs any more the record counts again.
 *
 * Invariant: for a VM whose record does not explain what runs, nothing is started, ended or removed.
 */
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { type FoundGuest, findGuests } from "../../supervisor/find-guests.ts";
import { driftOf } from "../guest/booted-spec.ts";
import { noteEvent } from "../guest/note-event.ts";
import type { Moves } from "../migration/moves.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { adoptSafely } from "./adopt-safely.ts";

/** In the VM's queue, at the start of the agent. `found`: what the host shows of this VM; undefined: nothing. */
export async function meetGuest(parts: Parts, slot: Slot, moves: Moves, found: FoundGuest | undefined): Promise<void> {
  const vm = slot.stored;
  if (vm?.state === "unreadable") {
    slot.untold = found?.process ?? null;
    return;
  }
  if (found === undefined || (vm?.state === "present" && isExplained(parts, vm, found)))
    return adoptSafely(parts, slot, moves);
  if (vm?.state === "present" && mayBeAdopted(parts, vm, found)) return adoptOlder(parts, slot, moves, vm, found);
  hold(parts, slot, found);
}

/** In the VM's queue: looks again at what a held VM is held for. */
export async function meetAgain(parts: Parts, slot: Slot, moves: Moves): Promise<void> {
  if (slot.unexplained === null) return;
  const found = (await findGuests(parts.supervisor, parts.runFolder)).get(slot.name);
  const { record } = slot.unexplained;
  if (found !== undefined && found.process?.pid === slot.unexplained.found.process?.pid) return;
  slot.unexplained = null;
  slot.untold = null;
  slot.stored = record;
  await meetGuest(parts, slot, moves, found);
}

function isExplained(parts: Parts, { guest, name }: VmRecord, found: FoundGuest): boolean {
  if (guest === null) return false;
  // Between the decision to start it and the note of its process.
  if (guest.process === null) return found.process === null || isOurs(parts, name, found);
  if (!parts.supervisor.isRunning(guest.process)) return false;
  // Whoever answers while the guest of the record runs is that guest.
  return found.process === null || found.process.pid === guest.process.pid;
}

/** Its output goes to where this agent would have it go: it was started for this data folder. */
const isOurs = (parts: Parts, name: VmRecord["name"], { outputFile }: FoundGuest): boolean =>
  outputFile?.startsWith(`${parts.store.paths(name).logFolder}/`) === true;

/** What was begun, or is on its way, and of what guest, an older record cannot know. */
const mayBeAdopted = (parts: Parts, vm: VmRecord, found: FoundGuest): boolean =>
  isOurs(parts, vm.name, found) && vm.unfinished === null && !vm.migration;

async function adoptOlder(parts: Parts, slot: Slot, moves: Moves, vm: VmRecord, found: FoundGuest): Promise<void> {
  const bootedSpec = vm.guest?.bootedSpec ?? vm.spec;
  const guest = { process: found.process, hostBootId: parts.node.bootId, bootedSpec, logSizes: {} };
  slot.stored = { ...vm, guest, restart: null };
  await adoptSafely(parts, slot, moves);
  const now = slot.stored;
  // It has ended meanwhile: the record says so.
  if (now.state === "present" && now.guest === null) return;
  if (now.state !== "present" || slot.live === null || !isAsKnown(slot.live, vm)) {
    await slot.letGo();
    slot.stored = vm;
    return hold(parts, slot, found);
  }
  const message = `${vm.name} runs, which its record does not know: the record is older than the guest, which was adopted`;
  const since = parts.clock.now();
  const change = { phase: "running", endedBy: null, reason: null, since, restart: null } as const;
  await noteEvent(parts, slot, now, change, { kind: "phase", message });
}

/** What a guest was booted with cannot be learned from it in full, so the record must have it right. */
const isAsKnown = (live: LiveConfig, { spec, guest }: VmRecord): boolean =>
  driftOf(live, guest?.bootedSpec ?? spec, guest?.bootedSpec ?? spec).every(
    ({ path }) => !/^(disks|boot)\b/.test(path),
  );

function hold(parts: Parts, slot: Slot, found: FoundGuest): void {
  const record = slot.stored?.state === "unreadable" ? null : slot.stored;
  const why = record === null ? "no record here knows of it" : "its record here does not know of that";
  const problem = `${found.who} runs as ${slot.name}, and ${why}`;
  slot.unexplained = { found, record };
  slot.untold = found.process;
  slot.stored = { state: "unreadable", name: slot.name, problem, held: true };
  parts.logger.error({ vm: slot.name, problem }, "a guest runs that the agent did not start: it is left alone");
}
