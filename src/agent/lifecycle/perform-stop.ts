/** Shutdown, reboot, delete and purge: the ways a guest is ended and a VM goes. */
import { rm } from "node:fs/promises";
import { instant } from "../../model/names.ts";
import type { TombstoneRecord, VmRecord } from "../store/vm-record.ts";
import type { Parts } from "./parts.ts";
import { boot, guestToBe, prepareLaunch } from "./perform-boot.ts";
import { type Act, save } from "./run-operation.ts";
import type { Slot } from "./slot.ts";
import { stopGuest } from "./stop-guest.ts";

const graceOf = (vm: VmRecord, graceSeconds: number | null): number => graceSeconds ?? vm.spec.shutdownGraceSeconds;

const stopped = (parts: Parts, vm: VmRecord, how: string): VmRecord => ({
  ...vm,
  phase: "stopped",
  endedBy: "operator",
  reason: how,
  since: parts.clock.now(),
  ready: null,
  drift: [],
  guest: null,
});

export function prepareShutdown(parts: Parts, slot: Slot, vm: VmRecord, graceSeconds: number | null): Act {
  return {
    begin: vm,
    async run(signal) {
      const how = await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      return { stored: stopped(parts, vm, how), error: null };
    },
  };
}

/** What would make the boot impossible is found out while the guest still runs. */
export async function prepareReboot(parts: Parts, slot: Slot, vm: VmRecord, graceSeconds: number | null): Promise<Act> {
  const launch = await prepareLaunch(parts, vm);
  return {
    begin: vm,
    async run(signal) {
      const how = await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      const off = { ...stopped(parts, vm, how), guest: await guestToBe(parts, launch) };
      // The old guest's process must not stand for the new one's: a crash from here on is one in the middle of a boot.
      const unfinished = slot.stored?.state === "present" ? slot.stored.unfinished : null;
      await save(parts, slot, { ...off, unfinished });
      return boot(parts, slot, launch, off, signal);
    },
  };
}

export function prepareDelete(parts: Parts, slot: Slot, vm: VmRecord, graceSeconds: number | null): Act {
  return {
    // Nothing but the record changes for a guest that is off: the tombstone is the act.
    begin: slot.guest === null ? null : vm,
    async run(signal) {
      await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      slot.buriedAtMs = parts.clock.monotonicMs();
      return { stored: await bury(parts, vm), error: null };
    },
  };
}

async function bury(parts: Parts, vm: VmRecord): Promise<TombstoneRecord> {
  const paths = parts.store.paths(vm.name);
  await rm(paths.runFolder, { recursive: true, force: true });
  const deletedAt = parts.clock.now();
  const retainUntil = new Date(Date.parse(deletedAt) + vm.spec.retainDisksSeconds * 1000).toISOString();
  return {
    format: vm.format,
    state: "tombstone",
    name: vm.name,
    fleet: vm.fleet,
    generation: vm.generation,
    serial: vm.serial,
    ownDisks: vm.ownDisks,
    unfinished: vm.unfinished,
    completed: vm.completed,
    deletedAt,
    retainUntil: instant(retainUntil),
    disks: Object.keys(vm.ownDisks).sort(),
  };
}

/** For good: the record goes last, so that a purge that was interrupted is carried on. */
export function preparePurge(parts: Parts, tombstone: TombstoneRecord): Act {
  return {
    begin: tombstone,
    async run() {
      await parts.store.remove(tombstone.name);
      return { stored: null, error: null };
    },
  };
}
