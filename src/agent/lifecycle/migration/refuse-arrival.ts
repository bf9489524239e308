/**
 * A guest that is not taken in: said for good, then nothing of it is left here, and the record is what it was.
 *
 * Invariant: what may have run here is never refused. Once it is refused it never runs here, whatever is left of its process.
 */
import { rm } from "node:fs/promises";
import { ownDiskFile } from "../../launch-command.ts";
import { removeRunFolder } from "../../leftovers.ts";
import type { Arrival, StoredVm, VmRecord } from "../../store/vm-record.ts";
import { clearAway } from "../guest/clear-away.ts";
import { keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { coldDisks } from "./cold/disk-files.ts";

/** In the VM's queue, of a record whose arrival was not taken. Rejects when it cannot be written down: then it is not refused. */
export async function refuseArrival(parts: Parts, slot: Slot, vm: VmRecord, why: string): Promise<StoredVm | null> {
  const move = vm.move as Arrival;
  await parts.verdicts.note(move.ticket, "refused");
  parts.logger.warn({ vm: vm.name, from: move.from }, `a guest is not taken in: ${why}`);
  return clearArrival(parts, slot, vm, why);
}

/** Of one that was refused: whatever is left of it goes. Rejects when its process cannot be ended. */
async function clearArrival(parts: Parts, slot: Slot, vm: VmRecord, why: string): Promise<StoredVm | null> {
  const { before, from } = vm.move as Arrival;
  await clearAway(parts, slot);
  await removeRunFolder(vm.name, parts.store.paths(vm.name).runFolder);
  await removeBrought(parts, vm);
  parts.events.emit({ kind: "phase", vm: vm.name, message: `${vm.name} does not come from ${from}: ${why}` });
  if (before !== null) {
    const stale = before.state === "present" ? withoutDisks(before, vm) : before;
    const stored = { ...stale, serial: vm.serial + 1, completed: vm.completed, unfinished: vm.unfinished };
    await keep(parts, slot, stored);
    return stored;
  }
  await parts.store.remove(vm.name);
  slot.stored = null;
  return null;
}

/** Of a guest that never ran here: nobody else has read or written them. */
export async function removeBrought(parts: Parts, vm: VmRecord): Promise<void> {
  const { name, ownDisks, spec, guest } = vm;
  if (vm.move?.role === "destination" && vm.move.mode === "cold")
    for (const { path } of coldDisks(parts, vm, ownDisks)) await rm(path, { force: true });
  if (parts.hypervisors.get(spec.hypervisor)?.disks !== "real" || guest === null) return;
  for (const disk of guest.bootedSpec.disks) {
    const file = Object.hasOwn(ownDisks, disk.name) ? ownDiskFile(parts.store.paths(name), disk) : null;
    if (file !== null) await rm(file, { force: true });
  }
}

/** What the guest left behind when it was here before was old, and has been written over. */
function withoutDisks(before: VmRecord, vm: VmRecord): VmRecord {
  const gone = new Set(Object.keys(vm.ownDisks));
  const left = <Value>(each: Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.entries(each).filter(([name]) => !gone.has(name)));
  return {
    ...before,
    ownDisks: left(before.ownDisks),
    ...(before.images === undefined ? {} : { images: left(before.images) }),
  };
}
