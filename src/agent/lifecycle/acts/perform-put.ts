/** Create and update: the spec is taken in, disks are made, and what a running guest can take on at once it takes on. */
import { digestOf } from "../../../model/digest.ts";
import { isOdoroboError } from "../../../model/errors.ts";
import { compareLive, sameValue } from "../../../model/fields.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import { referencedFiles, type VmSpec } from "../../../model/vm-spec.ts";
import type { PutVmRequest } from "../../../wire/operations.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { freshRecord } from "../../store/fresh-record.ts";
import type { StoredVm, VmRecord } from "../../store/vm-record.ts";
import { checkSources } from "../guest/check-sources.ts";
import { claimDisks } from "../guest/claim-disks.ts";
import { claimHostPorts } from "../guest/claim-host-ports.ts";
import { updateNetworks } from "../guest/host-side.ts";
import { noteLive, updateGuest } from "../guest/update-guest.ts";
import { checkDisks, checkProbe, ownDisksOf, textsOf } from "../operations/check-spec.ts";
import { runBeforeHooks, withAfterHooks } from "../operations/hook-points.ts";
import type { Act, Outcome } from "../operations/run-operation.ts";
import type { VmState } from "../parts/decision.ts";
import { owedAfterPut } from "../parts/owed.ts";
import type { Parts } from "../parts/parts.ts";
import type { Operation, Slot } from "../parts/slot.ts";
import { disksMade, prepareDisks } from "./prepare-disks.ts";

export async function preparePut(
  parts: Parts,
  slot: Slot,
  kind: "create" | "update",
  request: PutVmRequest,
  before: StoredVm | null,
): Promise<Act> {
  if (kind === "create" && before?.state === "present") {
    const { serial, completed } = before;
    const anew = { ...created(parts, slot, null, request), serial, completed };
    const hypervisor = await checkRequest(parts, request, null, slot.name);
    await parts.store.saveTexts(slot.name, textsOf(slot.name, request, keptTexts(null)));
    return putAct(parts, slot, anew, { id: request.id, kind }, hypervisor, { defer: request.defer === true });
  }
  const known = before?.state === "present" ? { ...before, ownDisks: await disksMade(parts, before) } : before;
  const hypervisor = await checkRequest(parts, request, known, slot.name);
  const vm = known?.state === "present" ? updated(parts, known, request) : created(parts, slot, known, request);
  await parts.store.saveTexts(slot.name, textsOf(slot.name, request, keptTexts(before)));
  return putAct(parts, slot, vm, { id: request.id, kind }, hypervisor, { defer: request.defer === true });
}

/** What remains to be done for a spec that is in the record: also how an interrupted create or update is carried on. */
export function putAct(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  asked: Pick<Operation, "id" | "kind">,
  hypervisor: Hypervisor,
  { defer }: { readonly defer: boolean } = { defer: false },
): Act {
  const makesDisks = Object.keys(ownDisksOf(vm.spec.disks)).length > 0 && !hasDisks(vm);
  // A process that waits for its guest has none to change.
  const touchesGuest =
    !defer && slot.guest !== null && !slot.guest.receiving && (slot.live === null || isOtherThan(slot.live, vm));
  return {
    ...(asked.kind === "create" ? { before: () => runBeforeHooks(parts, vm, "create", asked) } : {}),
    // Without disks to make or a guest to change, the record is all there is to it.
    begin: makesDisks || touchesGuest ? vm : null,
    async run(signal) {
      try {
        const made = makesDisks
          ? { ...vm, ...(await prepareDisks(parts, hypervisor, vm, { grow: slot.guest === null, signal })) }
          : vm;
        if (touchesGuest) await checkNewDisks(parts, slot, vm, hypervisor);
        const opened = slot.guest !== null && vm.guest !== null ? await openAround(parts, slot, vm, signal) : {};
        const outcome = noteOwed(
          parts,
          vm,
          touchesGuest
            ? await updateGuest(parts, slot, { ...made, ...opened }, vm.spec, signal)
            : {
                stored: await noteLive(parts, slot, { ...made, ...opened }, defer ? asBooted(vm) : vm.spec),
                error: null,
              },
        );
        return asked.kind === "create" ? await withAfterHooks(parts, slot, "create", asked, outcome) : outcome;
      } catch (error) {
        signal.throwIfAborted();
        if (!isOdoroboError(error)) throw error;
        // The VM stays defined: its next boot tries the disks again, and the next plan sees why it does not run.
        const reason = slot.guest === null ? error.message : vm.reason;
        return { stored: { ...vm, ownDisks: await disksMade(parts, vm), reason }, error };
      }
    },
  };
}

/** What its node does around the NICs that the guest has: rules, networks, ports. */
async function openAround(
  parts: Parts,
  slot: Slot,
  vm: VmRecord,
  signal: AbortSignal,
): Promise<Pick<VmRecord, "hostPorts">> {
  const { spec, ...chosen } = await claimHostPorts(parts, slot, vm);
  if (vm.guest !== null) await updateNetworks(parts, { ...vm, spec }, vm.guest.bootedSpec, signal);
  return chosen;
}

/** Those that the running guest is about to be given. Rejects with IMAGE_MISSING, UNSUPPORTED or DISK_IN_USE. */
async function checkNewDisks(parts: Parts, slot: Slot, vm: VmRecord, hypervisor: Hypervisor): Promise<void> {
  const booted = vm.guest?.bootedSpec;
  if (booted === undefined) return;
  const disks = vm.spec.disks.filter((disk) => !booted.disks.some((each) => sameValue(each, disk)));
  if (disks.length === 0 && sameValue(booted.passthrough, vm.spec.passthrough)) return;
  await checkSources(hypervisor, { name: vm.name, spec: { ...vm.spec, disks }, paths: parts.store.paths(vm.name) });
  await claimDisks(parts, slot, vm.spec, booted);
}

/** What the guest does not have of the new spec now is nobody else's doing. */
function noteOwed(parts: Parts, before: VmRecord, outcome: Outcome): Outcome {
  const { stored } = outcome;
  if (stored?.state !== "present" || (stored.drift.length === 0 && stored.owed === undefined)) return outcome;
  return { ...outcome, stored: { ...stored, owed: owedAfterPut(stored.drift, before.owed, parts.clock.now()) } };
}

/** Nothing is given to a guest that is about to be rebooted, its share of the node neither. */
const asBooted = ({ spec, guest }: VmRecord): VmSpec => ({
  ...spec,
  weights: guest?.bootedSpec.weights ?? spec.weights,
});

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
  return {
    ...freshRecord(slot.name, request, parts.clock.now()),
    ...(before === null ? {} : { serial: before.serial, ownDisks: before.ownDisks, completed: before.completed }),
    ...(before?.images === undefined ? {} : { images: before.images }),
    ...(before?.uuid === undefined ? {} : { uuid: before.uuid }),
    ...(before?.instanceId === undefined ? {} : { instanceId: before.instanceId }),
    ...(before?.hostPorts === undefined ? {} : { hostPorts: before.hostPorts }),
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

/** Also in what no hypervisor knows of: its share of the node. */
const isOtherThan = (live: LiveConfig, vm: VmRecord): boolean =>
  compareLive(live, vm.spec).length > 0 || !sameValue(vm.guest?.bootedSpec.weights, vm.spec.weights);

const hasDisks = (vm: VmRecord): boolean =>
  Object.entries(ownDisksOf(vm.spec.disks)).every(([name, origin]) => sameValue(vm.ownDisks[name], origin));

/** Secrets are kept no longer than a spec refers to them. Asked after the new record is on disk. */
export async function forgetTexts(parts: Parts, before: VmState, after: VmState): Promise<void> {
  if (before?.state !== "present" || after?.state !== "present" || referencedFiles(before.spec).length === 0) return;
  const specs = after.guest === null ? [after.spec] : [after.spec, after.guest.bootedSpec];
  await parts.store.keepOnlyTexts(after.name, specs.flatMap(referencedFiles)).catch(() => {
    // Left over texts are removed with the next spec, or with the VM.
  });
}
