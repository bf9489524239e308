/** Makes those differences between a running guest and a spec true that can be made live, and brings the record up to date. */
import { awaitsConfig } from "../../../model/awaits-config.ts";
import { isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { LiveConfig } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { HeldDevice, RunningVm } from "../../hypervisor/hypervisor.ts";
import type { VmRecord } from "../../store/vm-record.ts";
import { withWarnings } from "../operations/hook-points.ts";
import type { Outcome } from "../operations/run-operation.ts";
import type { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { bootedSpecAfterUpdate, driftOf } from "./booted-spec.ts";
import { claimHostPorts } from "./claim-host-ports.ts";
import { prepareNewTaps, removeOldTaps, replugTaps, withTaps } from "./host-side.ts";
import { letAtSpec } from "./let-at.ts";

/** Hotplug waits for the guest to take part, which a busy one does late. */
const UPDATE_DEADLINE_MS = 60_000;

/**
 * `wanted`: the spec of the record, or what a person wants of the running guest beside it: then the record's spec stays, and
 * the difference is drift. An error says what could not be made; what could stands in the record all the same.
 */
export async function updateGuest(
  parts: Parts,
  slot: Slot,
  before: VmRecord,
  asked: VmSpec,
  signal: AbortSignal,
): Promise<Outcome> {
  const { guest } = slot;
  if (guest === null || before.guest === null) return { stored: before, error: null };
  const booted = before.guest.bootedSpec;
  if (awaitsConfig(booted) && !awaitsConfig(asked)) return learnGuest(parts, slot, before, asked, signal);
  const heldBefore = slot.held;
  let [vm, wanted] = [before, asked];
  let error: OdoroboError | null = null;
  try {
    const { spec, ...chosen } = await claimHostPorts(parts, slot, { ...before, spec: asked });
    [vm, wanted] = [{ ...before, ...chosen }, spec];
    await prepareNewTaps(parts, { ...vm, spec: wanted }, booted, signal);
    await replugTaps(parts, { ...vm, spec: wanted }, booted, signal);
    await letAtSpec(parts, slot, vm, wanted);
    noteSeen(
      slot,
      await guest.ask(UPDATE_DEADLINE_MS, signal, async (connection, own) => {
        await connection.update(wanted, own);
        return lookAtDevices(parts, guest)(connection, own);
      }),
    );
  } catch (cause) {
    signal.throwIfAborted();
    error = failedUpdate(vm, cause);
    noteSeen(slot, await guest.ask(UPDATE_DEADLINE_MS, signal, lookAtDevices(parts, guest)).catch(() => NOTHING_SEEN));
  }
  // Shares of the node are given before anything else: who has an error may not have them.
  const given = error === null ? wanted : { ...wanted, weights: booted.weights };
  const warnings = slot.held
    .filter(({ path }) => !heldBefore.some((each) => each.path === path))
    .map(({ path }) => `the guest of ${vm.name} has not let go of ${path}: owed until it does, or until its next boot`);
  return withWarnings({ stored: await noteLive(parts, slot, vm, given), error }, warnings);
}

/**
 * A guest that came from another node into a VM without a configuration has brought its own, and `spec` says what that is: nothing
 * of the stand-in is what it was booted with, and nothing of it is drift.
 */
async function learnGuest(parts: Parts, slot: Slot, vm: VmRecord, spec: VmSpec, signal: AbortSignal): Promise<Outcome> {
  const { guest } = slot;
  if (guest === null || vm.guest === null) return { stored: vm, error: null };
  await guest.learnSpec(spec);
  noteSeen(slot, await guest.ask(UPDATE_DEADLINE_MS, signal, lookAtDevices(parts, guest)).catch(() => NOTHING_SEEN));
  const drift = slot.live === null ? [] : driftOf(slot.live, vm.spec, spec);
  return { stored: { ...vm, guest: { ...vm.guest, bootedSpec: spec }, drift }, error: null };
}

export interface SeenDevices {
  readonly live: LiveConfig | null;
  readonly held: readonly HeldDevice[];
}

export const NOTHING_SEEN: SeenDevices = { live: null, held: [] };

/** What `Guest.ask` is to ask. */
export const lookAtDevices =
  (parts: Parts, guest: Guest) =>
  async (connection: RunningVm, signal: AbortSignal): Promise<SeenDevices> => {
    const live = await withTaps(parts, guest, await connection.liveConfig(signal));
    return { live, held: (await connection.heldDevices?.(signal)) ?? [] };
  };

export function noteSeen(slot: Slot, { live, held }: SeenDevices): void {
  slot.live = live;
  slot.held = held;
}

/** What follows for the record from what the guest is known to have. `wanted`: what odorobo gave it last. */
export async function noteLive(parts: Parts, slot: Slot, vm: VmRecord, wanted: VmSpec): Promise<VmRecord> {
  if (slot.live === null || vm.guest === null) return vm;
  // What is no longer asked for is no longer told.
  const ready = vm.spec.ready === null ? null : vm.ready;
  const bootedSpec = bootedSpecAfterUpdate(vm.guest.bootedSpec, wanted, slot.live);
  const drift = driftOf(slot.live, vm.spec, bootedSpec);
  await removeOldTaps(parts, vm, vm.guest.bootedSpec, bootedSpec);
  return { ...vm, guest: { ...vm.guest, bootedSpec }, drift, ready };
}

const failedUpdate = (vm: VmRecord, cause: unknown): OdoroboError =>
  isOdoroboError(cause)
    ? cause
    : new OdoroboError("HYPERVISOR_FAILED", `${vm.name} could not be changed while it runs`, {
        cause,
        hint: "its next boot has the new spec: odorobo plan shows what is owed",
      });
