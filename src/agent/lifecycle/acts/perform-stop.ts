/** Shutdown, reboot, delete and purge: the ways a guest is ended and a VM goes. */

import { isOdoroboError } from "../../../model/errors.ts";
import { instant } from "../../../model/names.ts";
import { removeRunFolder } from "../../leftovers.ts";
import type { TombstoneRecord, VmRecord } from "../../store/vm-record.ts";
import { stopGuest } from "../guest/stop-guest.ts";
import { runAfterHooks, runBeforeHooks, withAfterHooks, withWarnings } from "../operations/hook-points.ts";
import { type Act, type Outcome, save } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";
import { boot, guestToBe, notBooted, prepareLaunch } from "./perform-boot.ts";

const graceOf = (vm: VmRecord, graceSeconds: number | null): number => graceSeconds ?? vm.spec.shutdownGraceSeconds;

export const stopped = (parts: Parts, vm: VmRecord, how: string): VmRecord => ({
  ...vm,
  phase: "stopped",
  endedBy: "operator",
  reason: how,
  since: parts.clock.now(),
  ready: null,
  drift: [],
  guest: null,
  restart: null,
  migration: null,
});

type Asked = Pick<Operation, "id" | "kind">;

/** Also of a VM that is off and would be started again, or waits for a guest: that is called off. */
export function prepareShutdown(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  asked: Asked,
  graceSeconds: number | null,
): Act {
  if (slot.guest === null)
    return {
      begin: null,
      run: async () => ({ stored: stopped(parts, vm, "it was off; its start was called off"), error: null }),
    };
  const hasRun = !slot.guest.receiving;
  return {
    ...(hasRun ? { before: () => runBeforeHooks(parts, vm, "stop", asked) } : {}),
    begin: vm,
    async run(signal) {
      const how = await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      const outcome = { stored: stopped(parts, vm, how), error: null };
      return hasRun ? withAfterHooks(parts, slot, "stop", asked, outcome) : outcome;
    },
  };
}

/** What would make the boot impossible is found out while the guest still runs. */
export async function prepareReboot(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  asked: Asked,
  graceSeconds: number | null,
): Promise<Act> {
  const launch = await prepareLaunch(parts, slot, vm);
  return {
    before: () => runBeforeHooks(parts, vm, "stop", asked),
    begin: vm,
    async run(signal) {
      const how = await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      const off = stopped(parts, vm, how);
      const warnings = await runAfterHooks(parts, slot, "stop", asked, off);
      const begun = { ...off, ...launch.identity, guest: await guestToBe(parts, launch) };
      // The old guest's process must not stand for the new one's: a crash from here on is one in the middle of a boot.
      const unfinished = slot.stored?.state === "present" ? slot.stored.unfinished : null;
      await save(parts, slot, { ...begun, unfinished }, { fromReserve: true });
      try {
        await runBeforeHooks(parts, begun, "boot", asked);
      } catch (error) {
        if (!isOdoroboError(error, "HOOK_FAILED")) throw error;
        return { stored: notBooted(parts, off, error.message), error };
      }
      const outcome = await boot(parts, slot, launch, begun, signal);
      return withWarnings(await withAfterHooks(parts, slot, "boot", asked, outcome), warnings);
    },
  };
}

export function prepareDelete(parts: Parts, slot: Slot, vm: VmRecord, asked: Asked, graceSeconds: number | null): Act {
  const hasRun = slot.guest !== null && !slot.guest.receiving;
  return {
    async before() {
      await runBeforeHooks(parts, vm, "delete", asked);
      if (hasRun) await runBeforeHooks(parts, vm, "stop", asked);
    },
    // Nothing but the record changes for a guest that is off: the tombstone is the act.
    begin: slot.guest === null ? null : vm,
    async run(signal) {
      const how = await stopGuest(parts, slot, graceOf(vm, graceSeconds), signal);
      const off = stopped(parts, vm, how);
      const stops = hasRun ? await runAfterHooks(parts, slot, "stop", asked, off) : [];
      slot.buriedAtMs = parts.clock.monotonicMs();
      const outcome: Outcome = { stored: await bury(parts, vm), error: null };
      return withWarnings(outcome, [...stops, ...(await runAfterHooks(parts, slot, "delete", asked, off))]);
    },
  };
}

/** What its record is when it is deleted. */
export async function bury(parts: Parts, vm: VmRecord): Promise<TombstoneRecord> {
  const paths = parts.store.paths(vm.name);
  await removeRunFolder(vm.name, paths.runFolder);
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
    ...(vm.uuid === undefined ? {} : { uuid: vm.uuid }),
    ...(vm.instanceId === undefined ? {} : { instanceId: vm.instanceId }),
    ...(vm.images === undefined ? {} : { images: vm.images }),
    unfinished: vm.unfinished,
    completed: vm.completed,
    // What it left here when it moved away is as old as that: never newer than what it wrote elsewhere since.
    deletedAt: vm.migration?.stage === "left" ? vm.migration.since : deletedAt,
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
