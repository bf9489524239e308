/**
 * Looks at a guest, and notes what has changed since the last look without anybody asking odorobo for it.
 * Runs in the VM's queue, so never in the middle of an operation.
 */
import { isOdoroboError } from "../../../model/errors.ts";
import { sameValue } from "../../../model/fields.ts";
import type { ChangeRule, Movable } from "../../../model/observed-state.ts";
import type { GuestStatus } from "../../hypervisor/hypervisor.ts";
import { isOnItsWay, type VmRecord } from "../../store/vm-record.ts";
import type { ExitStatus } from "../../supervisor/supervisor.ts";
import { keep } from "../operations/run-operation.ts";
import { describeExit, type Guest } from "../parts/guest.ts";
import { stillOwed } from "../parts/owed.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { driftOf, hasLost } from "./booted-spec.ts";
import { clearAway } from "./clear-away.ts";
import type { End } from "./ended-record.ts";
import { noteEnd } from "./note-end.ts";
import { noteEvent } from "./note-event.ts";
import { phaseChange } from "./phase-change.ts";
import { lookAtDevices, NOTHING_SEEN, noteLive, noteSeen, type SeenDevices } from "./update-guest.ts";

/** A guest that takes longer to say how it is counts as silent; what was known of it stands. */
export const REFRESH_DEADLINE_MS = 2000;
/** A guest's last word after its process ended: it lies in memory or nowhere. */
const LAST_WORD_DEADLINE_MS = 300;

export async function refresh(parts: Parts, slot: Slot): Promise<void> {
  const { guest, stored: vm } = slot;
  if (guest === null || vm?.state !== "present" || parts.stopping.aborted) return;
  // Whoever moves it looks after it.
  if (isOnItsWay(vm)) return;
  if (guest.exit !== null || (guest.process !== null && !parts.supervisor.isRunning(guest.process)))
    return noteDeath(parts, slot, vm, guest);
  // It can be asked nothing until its guest has come.
  if (guest.receiving) return;
  let seen: Seen;
  try {
    seen = await guest.ask(REFRESH_DEADLINE_MS, parts.stopping, async (connection, signal) => {
      const status = await connection.status(signal);
      if (status.phase === "off") return { status, devices: NOTHING_SEEN, changeRules: null, movable: null };
      const devices = await lookAtDevices(parts, guest)(connection, signal);
      const changeRules = (await connection.changeRules?.(signal)) ?? null;
      return { status, devices, changeRules, movable: connection.movable?.() ?? null };
    });
  } catch (error) {
    if (parts.stopping.aborted) return;
    if (guest.exit !== null) return noteDeath(parts, slot, vm, guest);
    if (slot.silence === null) parts.logger.warn({ err: error, vm: slot.name }, "a guest does not answer");
    slot.silence = isOdoroboError(error) ? error.message : "its hypervisor does not answer";
    noteSeen(slot, NOTHING_SEEN);
    slot.changeRules = null;
    return;
  }
  slot.silence = null;
  if (seen.status.phase === "off") return noteOff(parts, slot, vm, endOf(seen.status));
  noteSeen(slot, seen.devices);
  slot.changeRules = seen.changeRules;
  slot.movable = seen.movable;
  slot.heard = guest.hypervisor.disks === "real" ? heardOf(parts, vm) : [];
  await noteChanges(parts, slot, vm, seen.status);
}

/** What the agent's own servers gave it, then what the node has heard besides. */
function heardOf({ network, neighbours, stopping }: Parts, { spec: { nics } }: VmRecord): Slot["heard"] {
  const leases = network.leasesOf?.(nics) ?? [];
  const heard = neighbours.of(nics, stopping).filter(({ address }) => !leases.some((each) => each.address === address));
  return [...leases, ...heard];
}

interface Seen {
  readonly status: GuestStatus;
  readonly devices: SeenDevices;
  readonly changeRules: readonly ChangeRule[] | null;
  readonly movable: Movable | null;
}

async function noteChanges(parts: Parts, slot: Slot, vm: VmRecord, status: Exclude<GuestStatus, Off>): Promise<void> {
  let now = vm;
  if (status.phase !== now.phase) {
    const { change, story } = phaseChange(now, status, parts.clock.now());
    await noteEvent(parts, slot, now, change, { kind: "phase", message: `${slot.name} ${story}` });
    now = slot.stored as VmRecord;
  }
  if (slot.live === null || now.guest === null) return;
  const booted = now.guest.bootedSpec;
  // It let go of something at last, or somebody took it away: what stood behind it is not needed any more.
  const after = hasLost(booted, slot.live) ? await noteLive(parts, slot, now, booted) : now;
  const drift = driftOf(slot.live, now.spec, after.guest?.bootedSpec ?? booted);
  if (sameValue(drift, now.drift)) {
    if (after !== now) await keep(parts, slot, after);
    return;
  }
  const paths = drift.map((each) => each.path).join(", ");
  const message =
    drift.length === 0 ? `${slot.name} is as applied again` : `${slot.name} differs from its spec: ${paths}`;
  await noteEvent(parts, slot, after, { drift, owed: stillOwed(drift, now.owed) }, { kind: "drift", message });
}

/** The process is gone. Whether the guest had powered off before only its connection may still know. */
async function noteDeath(parts: Parts, slot: Slot, vm: VmRecord, guest: Guest): Promise<void> {
  const lastWord = await lastStatus(parts, guest);
  if (lastWord?.phase === "off" && lastWord.endedBy === "guest") return noteOff(parts, slot, vm, endOf(lastWord));
  const exit = await guest.exitWithin(LAST_WORD_DEADLINE_MS);
  if (lastWord?.phase === "off" && !exit?.outOfMemory) return noteOff(parts, slot, vm, endOf(lastWord));
  await noteOff(parts, slot, vm, endOfProcess(exit, guest.receiving ? null : "without the guest having powered off"));
}

/** `exit` null: nobody knows how. `when`: what else is known, as the end of the sentence. */
export function endOfProcess(exit: ExitStatus | null, when: string | null): End {
  const how = exit === null ? "" : ` (${describeExit(exit)})`;
  const reason = `its process ended${how}${when === null ? "" : ` ${when}`}`;
  return { kind: exit?.outOfMemory ? "oom-kill" : "crash", reason };
}

export const endOf = (off: Off): End => ({
  kind: off.endedBy === "guest" ? "power-off" : "crash",
  reason: off.reason,
  ...(off.hasMoved ? { hasMoved: true } : {}),
});

async function lastStatus(parts: Parts, guest: Guest): Promise<GuestStatus | null> {
  const ask = () =>
    guest
      .ask(LAST_WORD_DEADLINE_MS, parts.stopping, (connection, signal) => connection.status(signal))
      .catch(() => null);
  const told = guest.connection === null ? null : await ask();
  if (told?.phase === "off") return told;
  // Its connection may have broken before it could say so; what it left behind still tells, unless it failed.
  const exit = await guest.exitWithin(LAST_WORD_DEADLINE_MS);
  if (exit !== null && exit.code !== 0) return told;
  return (await guest.hypervisor.lastWord?.(guest.input).catch(() => null)) ?? told;
}

type Off = Extract<GuestStatus, { readonly phase: "off" }>;

async function noteOff(parts: Parts, slot: Slot, vm: VmRecord, end: End): Promise<void> {
  const lastedMs = parts.clock.monotonicMs() - slot.guestSinceMs;
  const kind = end.kind === "crash" && slot.guest?.panicked ? "panic" : end.kind;
  await clearAway(parts, slot);
  await noteEnd(parts, slot, vm, { ...end, kind }, lastedMs);
}
