/** Create and update: the spec is taken in, disks are made, and what a running guest can take on at once it takes on. */
import { digestOf } from "../../model/digest.ts";
import { isOdoroboError, OdoroboError } from "../../model/errors.ts";
import { compareLive, sameValue } from "../../model/fields.ts";
import { referencedFiles } from "../../model/vm-spec.ts";
import type { PutVmRequest } from "../../wire/operations.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { RECORD_FORMAT, type StoredVm, type VmRecord } from "../store/vm-record.ts";
import { bootedSpecAfterUpdate, driftOf } from "./booted-spec.ts";
import { checkDisks, checkProbe, ownDisksOf, textsOf } from "./check-spec.ts";
import type { VmState } from "./decision.ts";
import { prepareNewTaps, removeOldTaps } from "./host-side.ts";
import type { Parts } from "./parts.ts";
import { prepareDisks } from "./prepare-disks.ts";
import type { Act, Outcome } from "./run-operation.ts";
import type { Slot } from "./slot.ts";

/** Hotplug waits for the guest to take part, which a busy one does late. */
const UPDATE_DEADLINE_MS = 60_000;

export async function preparePut(
  parts: Parts,
  slot: Slot,
  request: PutVmRequest,
  before: StoredVm | null,
): Promise<Act> {
  const hypervisor = await checkRequest(parts, request, before, slot.name);
  const vm = before?.state === "present" ? updated(parts, before, request) : created(parts, slot, before, request);
  await parts.store.saveTexts(slot.name, textsOf(slot.name, request, keptTexts(before)));
  return putAct(parts, slot, vm, hypervisor);
}

/** What remains to be done for a spec that is in the record: also how an interrupted create or update is carried on. */
export function putAct(parts: Parts, slot: Slot, vm: VmRecord, hypervisor: Hypervisor): Act {
  const makesDisks = Object.keys(ownDisksOf(vm.spec.disks)).length > 0 && !hasDisks(vm);
  const touchesGuest = slot.guest !== null && (slot.live === null || compareLive(slot.live, vm.spec).length > 0);
  return {
    // Without disks to make or a guest to change, the record is all there is to it.
    begin: makesDisks || touchesGuest ? vm : null,
    async run(signal) {
      try {
        const ownDisks = makesDisks
          ? await prepareDisks(parts, hypervisor, vm, { grow: slot.guest === null, signal })
          : vm.ownDisks;
        return await updateGuest(parts, slot, { ...vm, ownDisks }, touchesGuest, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isOdoroboError(error)) throw error;
        // The VM stays defined: its next boot tries the disks again, and the next plan sees why it does not run.
        return { stored: { ...vm, reason: slot.guest === null ? error.message : vm.reason }, error };
      }
    },
  };
}

async function checkRequest(
  parts: Parts,
  request: PutVmRequest,
  before: StoredVm | null,
  name: Slot["name"],
): Promise<Hypervisor> {
  const { spec } = request;
  await parts.reports.require(spec.hypervisor);
  const hypervisor = parts.hypervisors.get(spec.hypervisor) as Hypervisor;
  if (hypervisor.disks === "real") checkProbe(name, spec);
  if (before?.state === "present") checkDisks(name, spec, before.ownDisks);
  const kept = await parts.store.readTexts(name, [...keptTexts(before)]).catch(() => new Map());
  const files = new Map([...kept, ...textsOf(name, request, keptTexts(before))]);
  // Pure, and says at once what this hypervisor cannot do at all.
  hypervisor.compile({ name, spec, paths: parts.store.paths(name), files });
  return hypervisor;
}

const keptTexts = (before: StoredVm | null) => new Set(before?.state === "present" ? referencedFiles(before.spec) : []);

function created(parts: Parts, slot: Slot, before: StoredVm | null, request: PutVmRequest): VmRecord {
  const now = parts.clock.now();
  return {
    format: RECORD_FORMAT,
    state: "present",
    name: slot.name,
    fleet: request.fleet,
    commit: request.commit,
    generation: request.generation,
    serial: before?.serial ?? 0,
    spec: request.spec,
    specDigest: digestOf(request.spec),
    appliedAt: now,
    phase: "stopped",
    endedBy: null,
    reason: null,
    ready: null,
    since: now,
    drift: [],
    guest: null,
    ownDisks: before?.ownDisks ?? {},
    unfinished: null,
    completed: before?.completed ?? [],
  };
}

const updated = (parts: Parts, before: VmRecord, request: PutVmRequest): VmRecord => ({
  ...before,
  // A person's change by hand does not take the VM from its fleet: the fleet's next plan shows it.
  fleet: request.fleet ?? before.fleet,
  commit: request.commit,
  generation: request.generation,
  spec: request.spec,
  specDigest: digestOf(request.spec),
  appliedAt: parts.clock.now(),
});

const hasDisks = (vm: VmRecord): boolean =>
  Object.entries(ownDisksOf(vm.spec.disks)).every(([name, origin]) => sameValue(vm.ownDisks[name], origin));

async function updateGuest(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  touchesGuest: boolean,
  signal: AbortSignal,
): Promise<Outcome> {
  const { guest } = slot;
  if (guest === null || vm.guest === null) return { stored: vm, error: null };
  let error: OdoroboError | null = null;
  if (touchesGuest) {
    try {
      await prepareNewTaps(parts, vm, vm.guest.bootedSpec, signal);
      slot.live = await guest.ask(UPDATE_DEADLINE_MS, signal, async (connection, own) => {
        await connection.update(vm.spec, own);
        return connection.liveConfig(own);
      });
    } catch (cause) {
      signal.throwIfAborted();
      error = failedUpdate(vm, cause);
      slot.live = await guest
        .ask(UPDATE_DEADLINE_MS, signal, (connection, own) => connection.liveConfig(own))
        .catch(() => null);
    }
  }
  if (slot.live === null) return { stored: vm, error };
  // What is no longer asked for is no longer told.
  const ready = vm.spec.ready === null ? null : vm.ready;
  const bootedSpec = bootedSpecAfterUpdate(vm.guest.bootedSpec, vm.spec, slot.live);
  const drift = driftOf(slot.live, vm.spec, bootedSpec);
  await removeOldTaps(parts, vm, vm.guest.bootedSpec, bootedSpec);
  return { stored: { ...vm, guest: { ...vm.guest, bootedSpec }, drift, ready }, error };
}

const failedUpdate = (vm: VmRecord, cause: unknown): OdoroboError =>
  isOdoroboError(cause)
    ? cause
    : new OdoroboError("HYPERVISOR_FAILED", `${vm.name} could not be changed while it runs`, {
        cause,
        hint: "its next boot has the new spec: odorobo plan shows what is owed",
      });

/** Secrets are kept no longer than a spec refers to them. Asked after the new record is on disk. */
export async function forgetTexts(parts: Parts, before: VmState, after: VmState): Promise<void> {
  if (before?.state !== "present" || after?.state !== "present" || referencedFiles(before.spec).length === 0) return;
  const specs = after.guest === null ? [after.spec] : [after.spec, after.guest.bootedSpec];
  await parts.store.keepOnlyTexts(after.name, specs.flatMap(referencedFiles)).catch(() => {
    // Left over texts are removed with the next spec, or with the VM.
  });
}
