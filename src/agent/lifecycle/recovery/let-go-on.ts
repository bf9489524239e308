/**
 * Lets guests go on that stood still for want of room (`io-error`), once there is some: nobody else would, as nobody paused them.
 *
 * Invariant: never one that an operator paused, nor one whose disk failed.
 */
import type { VmRecord } from "../../store/vm-record.ts";
import { noteEvent } from "../guest/note-event.ts";
import { phaseChange } from "../guest/phase-change.ts";
import { refresh } from "../guest/refresh-guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";

/** With less it would stand still again within a moment; a qcow2 overlay grows by 64 KiB at a time. */
const ENOUGH_BYTES = 4 * 1024 * 1024;
/** Where nobody can be asked for room, a guest is let try so often: each time counts as something that happened to it. */
const BLIND_MS = 60_000;
const ASK_DEADLINE_MS = 10_000;

/** The function is to be called again and again. */
export function createLetGoOn(parts: Parts): (slots: Iterable<Slot>) => void {
  const looking = new Set<Slot>();
  const triedAtMs = new WeakMap<Slot, number>();

  async function look(slot: Slot): Promise<void> {
    const vm = standsStill(slot);
    if (vm === null || !(await mayGoOn(slot, vm))) return;
    triedAtMs.set(slot, parts.clock.monotonicMs());
    await slot.enqueue(async () => {
      const { guest } = slot;
      const known = standsStill(slot);
      if (known === null || guest === null) return;
      const status = await guest.ask(ASK_DEADLINE_MS, parts.stopping, (connection, own) => connection.status(own));
      // The record may not have it right: an agent of before had the guest meanwhile, or somebody drove it past odorobo.
      if (status.phase === "paused" && !status.stalled?.noRoom) return notePaused(slot, known, status);
      if (status.phase === "paused")
        await guest.ask(ASK_DEADLINE_MS, parts.stopping, (connection, own) => connection.resume(own));
      await refresh(parts, slot);
    });
  }

  async function notePaused(slot: Slot, vm: VmRecord, status: Parameters<typeof phaseChange>[1]): Promise<void> {
    const { change, story } = phaseChange(vm, status, parts.clock.now());
    await noteEvent(parts, slot, vm, change, { kind: "phase", message: `${slot.name} ${story}` });
  }

  async function mayGoOn(slot: Slot, vm: VmRecord): Promise<boolean> {
    const stopped = new Set(vm.stalled?.disks);
    const disks = (vm.guest?.bootedSpec ?? vm.spec).disks.filter(({ name }) => stopped.has(name));
    const paths = parts.store.paths(slot.name);
    const rooms = await Promise.all(disks.map((disk) => parts.storage.roomFor(paths, disk)));
    if (rooms.some((room) => room !== null && room < ENOUGH_BYTES)) return false;
    if (rooms.length > 0 && !rooms.includes(null)) return true;
    return parts.clock.monotonicMs() - (triedAtMs.get(slot) ?? Number.NEGATIVE_INFINITY) >= BLIND_MS;
  }

  return (slots) => {
    for (const slot of slots) {
      if (looking.has(slot) || standsStill(slot) === null || parts.stopping.aborted) continue;
      looking.add(slot);
      look(slot)
        .catch((error: unknown) => parts.logger.warn({ err: error, vm: slot.name }, "could not let a guest go on"))
        .finally(() => looking.delete(slot));
    }
  };
}

/** Null: it does not, or not for want of room, or something is being done to it. */
function standsStill({ stored, guest, inFlight }: Slot): VmRecord | null {
  if (stored?.state !== "present" || guest === null || inFlight.size > 0) return null;
  return stored.phase === "paused" && stored.stalled?.noRoom ? stored : null;
}
