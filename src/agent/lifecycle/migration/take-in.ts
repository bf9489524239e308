/**
 * The steps of an arrival that touch the world, each in the VM's queue.
 *
 *   arrivals.ts (who asks) → [take-in.ts] → acts/perform-boot.ts, hypervisor
 *
 * Invariant: before the guest may run here the record says `taken`. Nothing but `takeGuest` lets it run.
 */
import { rm } from "node:fs/promises";
import { digestOf } from "../../../model/digest.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import { inWordsOfNics } from "../../../model/fields.ts";
import { type Digest, digest } from "../../../model/names.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { TravellingVm } from "../../../wire/move-line.ts";
import type { Admission } from "../../hypervisor/hypervisor.ts";
import { ownDiskFile } from "../../launch-command.ts";
import type { Arrival, VmRecord } from "../../store/vm-record.ts";
import { guestToBe, prepareLaunch, refuseSecondLife, startProcess } from "../acts/perform-boot.ts";
import { prepareDisks } from "../acts/prepare-disks.ts";
import { driftOf } from "../guest/booted-spec.ts";
import { watchGuest } from "../guest/guest-watch.ts";
import { noteEvent } from "../guest/note-event.ts";
import { ownDisksOf } from "../operations/check-spec.ts";
import { runAfterHooks, runBeforeHooks } from "../operations/hook-points.ts";
import { save } from "../operations/run-operation.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { arrivalState } from "./states.ts";
import { sameBelow } from "./travelling-disks.ts";

/** From the start of the process to its listening. */
const LISTEN_DEADLINE_MS = 60_000;
const ASK_DEADLINE_MS = 10_000;

/** Everything is made ready, and a process waits. The record says `arriving` before anything is made. */
export async function prepareGuest(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  travelling: TravellingVm,
): Promise<{ readonly guest: Guest; readonly admission: Admission; readonly shallow: readonly string[] }> {
  const arriving = arrivingRecord(parts, vm, travelling);
  refuseSecondLife(parts, slot);
  const texts = new Map(Object.entries(travelling.files).map(([key, text]) => [digest(key), text]));
  await parts.store.saveTexts(vm.name, texts as ReadonlyMap<Digest, string>);
  const asBooted = { ...arriving, spec: withOwnPorts(travelling.bootedSpec, travelling.spec) };
  await runBeforeHooks(parts, asBooted, "migrate-receive", null);
  const launch = await prepareLaunch(parts, slot, asBooted, { machine: travelling.machine, incoming: true });
  const isReal = launch.hypervisor.disks === "real";
  const begun: VmRecord = {
    ...arriving,
    ...launch.identity,
    guest: await guestToBe(parts, launch),
    ...(isReal ? { ownDisks: ownDisksOf(travelling.bootedSpec.disks) } : {}),
  };
  await save(parts, slot, begun);
  // Left by the same guest when it was here before: it brings newer ones.
  if (isReal) await removeOldDisks(parts, begun, travelling);
  const disks = await prepareDisks(
    parts,
    launch.hypervisor,
    { ...begun, spec: travelling.bootedSpec, ownDisks: {} },
    { grow: true, signal: parts.stopping },
  );
  const started = await startProcess(parts, slot, launch, { ...begun, ...disks }, parts.stopping);
  const admission = await started.guest.admit({ again: false, deadlineMs: LISTEN_DEADLINE_MS }, parts.stopping);
  return { guest: started.guest, admission, shallow: sameBelow(travelling.disks, disks.images ?? {}) };
}

/** Ports that were chosen where it comes from are chosen anew here. */
const withOwnPorts = (booted: VmSpec, spec: VmSpec): VmSpec => ({
  ...booted,
  nics: inWordsOfNics(booted.nics, spec.nics),
});

async function removeOldDisks(parts: Parts, vm: VmRecord, { bootedSpec, disks }: TravellingVm): Promise<void> {
  for (const disk of bootedSpec.disks) {
    const file = ownDiskFile(parts.store.paths(vm.name), disk);
    if (file !== null && disks.some(({ name }) => name === disk.name)) await rm(file, { force: true });
  }
}

/** Throws STALE_GENERATION. */
export function arrivingRecord(parts: Parts, vm: VmRecord, travelling: TravellingVm): VmRecord {
  const move = vm.move as Arrival;
  if (travelling.generation !== vm.generation)
    throw new OdoroboError(
      "STALE_GENERATION",
      `${vm.name} is at generation ${travelling.generation} on ${move.from}, and was expected at ${vm.generation}`,
      { hint: "somebody applied another spec meanwhile: look again with odorobo plan" },
    );
  const { fleet, commit, spec, appliedAt, uuid, instanceId, ready, readySince, owed } = travelling;
  const since = parts.clock.now();
  return {
    ...vm,
    fleet,
    commit,
    serial: Math.max(vm.serial, travelling.serial),
    spec,
    specDigest: digestOf(spec),
    appliedAt,
    ...(uuid === undefined ? {} : { uuid }),
    ...(instanceId === undefined ? {} : { instanceId }),
    ready,
    ...(readySince === undefined ? {} : { readySince }),
    owed,
    reason: `it arrives from ${move.from}`,
    since,
    migration: arrivalState("arriving", move.from, since),
    move: { ...move, stage: "arriving", paused: travelling.paused },
  };
}

/** All of it is here. It may be all that there is of it: from now on only its source, or a person, has it thrown away. */
export async function noteWhole(parts: Parts, slot: Slot, vm: VmRecord): Promise<void> {
  const move = vm.move as Arrival;
  const since = parts.clock.now();
  await save(
    parts,
    slot,
    {
      ...vm,
      reason: `it arrived from ${move.from}, which has not released it`,
      migration: arrivalState("whole", move.from, since),
      move: { ...move, stage: "whole" },
    },
    { fromReserve: true },
  );
}

/** Rejects with HYPERVISOR_FAILED when the guest did not run, not for a moment. */
export async function takeGuest(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  { guest, admission }: { readonly guest: Guest; readonly admission: Admission },
): Promise<void> {
  const move = vm.move as Arrival;
  const paused = move.paused === true;
  const phase = paused ? "paused" : "running";
  const taken: VmRecord = {
    ...vm,
    phase,
    endedBy: null,
    reason: null,
    since: parts.clock.now(),
    migration: null,
    move: { ...move, stage: "taken" },
  };
  await save(parts, slot, taken, { fromReserve: true });
  try {
    guest.arrive(await admission.take({ paused }, parts.stopping));
  } catch (error) {
    parts.stopping.throwIfAborted();
    if (isOdoroboError(error, "HYPERVISOR_FAILED")) {
      // What was written before it is taken back, before anybody was told.
      await save(parts, slot, vm, { fromReserve: true });
      throw error;
    }
    // It may have run: it is ours, and whoever looks after it finds out how it is.
    parts.logger.error({ err: error, vm: vm.name }, "a guest that was taken in does not answer");
    guest.receiving = false;
  }
  await parts.verdicts.note(move.ticket, "taken").catch((error: unknown) => {
    parts.logger.error({ err: error, vm: vm.name }, "could not note that a guest was taken in; its record says it");
  });
  await noteTaken(parts, slot, guest);
}

/** It is here, and is looked after like any other from now on. */
export async function noteTaken(parts: Parts, slot: Slot, guest: Guest): Promise<void> {
  const vm = slot.stored as VmRecord;
  const { from } = vm.move as Arrival;
  slot.live = await guest
    .ask(ASK_DEADLINE_MS, parts.stopping, (connection, own) => connection.liveConfig(own))
    .catch(() => null);
  watchGuest(parts, slot, guest, { ready: vm.ready, logSizes: vm.guest?.logSizes ?? {} });
  const drift = slot.live === null ? [] : driftOf(slot.live, vm.spec, vm.guest?.bootedSpec ?? vm.spec);
  const message = `${vm.name} has arrived from ${from}`;
  await noteEvent(parts, slot, vm, { drift }, { kind: "phase", message });
  void slot.enqueue(() => runAfterHooks(parts, slot, "migrate-receive", null)).catch(() => {});
}
