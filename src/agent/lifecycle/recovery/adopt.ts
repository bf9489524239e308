/**
 * At the start of the agent: finds out what became of a VM while nobody looked, and of the operation that was under way.
 *
 * Invariants: nothing is believed that can be looked at. No guest is started, and none is ended, but the one of a boot
 * that never came so far as to answer, or of a wait for a guest that nobody was told of. When it resolves, the record says
 * what is the case, and what is to be started again later.
 *
 * What an operation that was cut short becomes:
 *
 *   boot, reboot, restore   the guest runs and answers → done; otherwise nothing of it remains → failed, the VM is stopped
 *   shutdown                the guest is gone → done; it still runs → failed, it runs on
 *   pause, resume           as the guest stands now → done or failed
 *   snapshot, coredump      failed; a guest that was paused for it is let run on
 *   power-button, nmi       failed: whether it was heard nobody knows. A guest that powers off now did so for an operator
 *   resize, attach, detach  failed; what the guest has of it shows as drift
 *   migrate-receive         the guest is here → done; otherwise nobody knew where to send it → failed, nothing remains
 *   migrate-send            failed; the guest runs here, or is gone and may have arrived: it is not started here
 *   create, update          carried on: disks, live changes (by the caller, in the VM's queue)
 *   delete, purge           carried on
 *
 * A process that waits for a guest goes on waiting when its operation had ended.
 */
import { isOdoroboError } from "../../../model/errors.ts";
import type { GuestStatus, Hypervisor, LaunchInput } from "../../hypervisor/hypervisor.ts";
import { type GuestRecord, isOnItsWay, type UnfinishedOperation, type VmRecord } from "../../store/vm-record.ts";
import type { ExitStatus, ProcessHandle } from "../../supervisor/supervisor.ts";
import { awaitArrival, noteArrival } from "../acts/perform-migrate.ts";
import { PAUSED } from "../acts/perform-pause.ts";
import { disksMade } from "../acts/prepare-disks.ts";
import { driftOf } from "../guest/booted-spec.ts";
import { clearAway } from "../guest/clear-away.ts";
import { runningInput } from "../guest/guest-input.ts";
import { watchGuest } from "../guest/guest-watch.ts";
import { phaseChange } from "../guest/phase-change.ts";
import { endOf, endOfProcess } from "../guest/refresh-guest.ts";
import { lookAtDevices, NOTHING_SEEN, noteLive, noteSeen } from "../guest/update-guest.ts";
import type { Moves } from "../migration/moves.ts";
import { within } from "../parts/deadline.ts";
import { Guest } from "../parts/guest.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { HOST_RESTARTED } from "./after-reboot.ts";
import { type Ending, interrupted, resolve, settle } from "./settle-ended.ts";

/** A guest that is busy at the start of the agent gets a while; a hung one must not keep the agent from starting. */
const CONNECT_DEADLINE_MS = 10_000;
const ARRIVAL_DEADLINE_MS = 1000;
/** A process that is gone has ended: whoever knows how says so at once. */
const EXIT_DEADLINE_MS = 500;

/** Rejects only with what odorobo did not foresee. */
export async function adopt(parts: Parts, slot: Slot, moves: Moves): Promise<void> {
  if (slot.stored?.state !== "present") return;
  if (isOnItsWay(slot.stored)) return moves.adopt(slot, slot.stored, await findGuest(parts, slot.stored));
  slot.stored = { ...slot.stored, ownDisks: await disksMade(parts, slot.stored) };
  const found = await lookFor(parts, slot, slot.stored);
  switch (found.what) {
    case "nothing":
      return settle(parts, slot, null);
    case "ended":
      return settle(parts, slot, found.how);
    case "silent":
      return adoptSilent(parts, slot, found.guest, found.error);
    case "answers":
      return adoptAnswering(parts, slot, found.guest, found.status);
  }
}

type Found =
  /** There was no guest, and there is none. */
  | { readonly what: "nothing" }
  | { readonly what: "ended"; readonly how: Ending }
  | { readonly what: "silent"; readonly guest: Guest; readonly error: unknown }
  | { readonly what: "answers"; readonly guest: Guest; readonly status: Alive };

async function lookFor(parts: Parts, slot: Slot, vm: VmRecord): Promise<Found> {
  if (vm.guest === null) return { what: "nothing" };
  if (vm.guest.hostBootId !== parts.node.bootId) return ended({ kind: "host-reboot", reason: HOST_RESTARTED });
  const hypervisor = parts.hypervisors.get(vm.guest.bootedSpec.hypervisor);
  // Whether it runs cannot be known: whoever catches this leaves the VM alone.
  if (!hypervisor) throw new Error(`this agent has no ${vm.guest.bootedSpec.hypervisor}`);
  const process = await findProcess(parts, hypervisor, vm, vm.guest);
  const input = await inputOf(parts, vm.name, vm.guest);
  if (process === "gone") {
    const exit = await exitOf(parts, vm.guest.process);
    // A process that failed may have had a guest that powered off an hour before: only a clean end is the guest's.
    const word = exit === null || exit.code === 0 ? await hypervisor.lastWord?.(input).catch(() => null) : null;
    return ended(word ? endOf(word) : endOfProcess(exit, WHILE_AWAY));
  }
  const guest = new Guest({ hypervisor, input, process, supervisor: parts.supervisor, consoles: parts.consoles });
  slot.guest = guest;
  let status: GuestStatus;
  try {
    await guest.connect({ fresh: false, deadlineMs: connectDeadlineMs(vm) }, parts.stopping);
    status = await guest.status(CONNECT_DEADLINE_MS, parts.stopping);
  } catch (error) {
    if (guest.exit !== null) return ended(endOfProcess(known(guest.exit), WHILE_AWAY));
    return { what: "silent", guest, error };
  }
  if (status.phase !== "off") return { what: "answers", guest, status };
  await clearAway(parts, slot);
  return ended(endOf(status));
}

/** Of a VM that is on its way; what can be asked of it, whoever moves it asks. Null: it has no process, or that has ended. */
async function findGuest(parts: Parts, vm: VmRecord): Promise<Guest | null> {
  if (vm.guest === null || vm.guest.hostBootId !== parts.node.bootId) return null;
  const hypervisor = parts.hypervisors.get(vm.guest.bootedSpec.hypervisor);
  if (!hypervisor) throw new Error(`this agent has no ${vm.guest.bootedSpec.hypervisor}`);
  const process = await findProcess(parts, hypervisor, vm, vm.guest);
  if (process === "gone") return null;
  const input = await inputOf(parts, vm.name, vm.guest);
  return new Guest({ hypervisor, input, process, supervisor: parts.supervisor, consoles: parts.consoles });
}

async function inputOf(
  parts: Parts,
  name: VmRecord["name"],
  { bootedSpec, machine }: GuestRecord,
): Promise<LaunchInput> {
  const input = await runningInput(parts, name, bootedSpec);
  return machine === undefined ? input : { ...input, machine };
}

/** A guest that is not off. */
type Alive = Exclude<GuestStatus, { readonly phase: "off" }>;

const WHILE_AWAY = "while the agent was away";

/** One that waits for a guest answers nothing, and is asked again soon. */
const connectDeadlineMs = (vm: VmRecord): number =>
  vm.migration?.role === "destination" ? ARRIVAL_DEADLINE_MS : CONNECT_DEADLINE_MS;

/** A service manager may have kept how a process ended, or the process may be the agent's own child's. */
async function exitOf(parts: Parts, handle: ProcessHandle | null): Promise<ExitStatus | null> {
  if (handle === null) return null;
  const exit = await within(
    EXIT_DEADLINE_MS,
    parts.stopping,
    (own) => parts.supervisor.waitForExit(handle, own),
    () => new Error("nobody knows"),
  ).catch(() => null);
  return exit && known(exit);
}

const known = (exit: ExitStatus): ExitStatus | null => (exit.code === null && exit.signal === null ? null : exit);

const ended = (how: Ending): Found => ({ what: "ended", how });

/** Null: this hypervisor needs no process. */
async function findProcess(
  parts: Parts,
  hypervisor: Hypervisor,
  vm: VmRecord,
  guest: GuestRecord,
): Promise<ProcessHandle | null | "gone"> {
  if (guest.process !== null) return parts.supervisor.isRunning(guest.process) ? guest.process : "gone";
  const command = hypervisor.compile(await runningInput(parts, vm.name, guest.bootedSpec));
  if (command === null) return null;
  // The agent died between the start of the process and the record of it.
  return (await parts.supervisor.find(vm.name, command)) ?? "gone";
}

async function adoptAnswering(parts: Parts, slot: Slot, guest: Guest, seen: Alive): Promise<void> {
  const vm = slot.stored as VmRecord;
  const operation = vm.unfinished;
  const phase = await letRunOn(parts, vm, guest, seen.phase);
  const record = { ...(vm.guest as GuestRecord), process: guest.process };
  if (vm.migration?.role === "destination") {
    slot.stored = { ...vm, guest: record };
    await noteArrival(parts, slot, guest, operation);
    if (operation !== null) await resolve(parts, slot, operation, slot.stored as VmRecord, null);
    return;
  }
  noteSeen(
    slot,
    await guest.ask(CONNECT_DEADLINE_MS, parts.stopping, lookAtDevices(parts, guest)).catch(() => NOTHING_SEEN),
  );
  watchGuest(parts, slot, guest, { ready: vm.ready, logSizes: record.logSizes });
  const known: VmRecord = { ...vm, guest: record };
  if (operation === null) {
    // Whatever changed while nobody looked is noted by the look that follows.
    slot.stored = known;
    return;
  }
  const isAsAsked =
    operation.kind === "boot" ||
    operation.kind === "reboot" ||
    (operation.kind === "restore" && phase === "running") ||
    (operation.kind === "pause" && phase === "paused") ||
    (operation.kind === "resume" && phase === "running");
  const changed = phase !== vm.phase;
  const after = isByHand(operation) ? await noteLive(parts, slot, known, record.bootedSpec) : known;
  const now: VmRecord = {
    ...after,
    phase,
    endedBy: null,
    reason: changed ? null : vm.reason,
    since: changed ? parts.clock.now() : vm.since,
    drift: slot.live === null ? vm.drift : driftOf(slot.live, vm.spec, record.bootedSpec),
    // Not by what was asked of it.
    ...(changed && seen.stalled ? phaseChange(vm, seen, parts.clock.now()).change : {}),
    // One that stood still for want of room does so for an operator now.
    ...(operation.kind === "pause" && phase === "paused" ? PAUSED : {}),
  };
  await resolve(parts, slot, operation, now, isAsAsked ? null : interrupted(vm, operation, `the guest is ${phase}`));
}

const isByHand = ({ kind }: UnfinishedOperation): boolean => ["resize", "attach", "detach"].includes(kind);

/** A guest stands still while its state is written down; it must not go on standing because the writer is gone. */
async function letRunOn(
  parts: Parts,
  vm: VmRecord,
  guest: Guest,
  phase: "running" | "paused",
): Promise<"running" | "paused"> {
  const wasWritten = vm.unfinished?.kind === "snapshot" || vm.unfinished?.kind === "coredump";
  // It was taken in, and the agent died before it could say so to the hypervisor.
  const wasTaken = vm.move?.role === "destination";
  if ((!wasWritten && !wasTaken) || phase === "running" || vm.phase !== "running") return phase;
  try {
    await guest.ask(CONNECT_DEADLINE_MS, parts.stopping, (connection, signal) => connection.resume(signal));
    return "running";
  } catch (error) {
    parts.logger.error({ err: error, vm: vm.name }, "could not let a guest run on that was paused for a snapshot");
    return phase;
  }
}

/** It runs, if anything does, and says nothing. */
async function adoptSilent(parts: Parts, slot: Slot, guest: Guest, error: unknown): Promise<void> {
  const vm = slot.stored as VmRecord;
  const operation = vm.unfinished;
  if (operation !== null && ["boot", "reboot", "restore", "migrate-receive"].includes(operation.kind)) {
    await clearAway(parts, slot);
    return settle(parts, slot, { kind: "crash", reason: "it did not answer" });
  }
  if (vm.migration?.role === "destination") {
    awaitArrival(parts, slot, guest);
    if (operation === null) return;
    return resolve(parts, slot, operation, vm, interrupted(vm, operation, "it waits for a guest"));
  }
  slot.silence = isOdoroboError(error) ? error.message : "its hypervisor does not answer";
  parts.logger.warn({ err: error, vm: vm.name }, "a guest does not answer after the start of the agent");
  watchGuest(parts, slot, guest, { ready: vm.ready, logSizes: vm.guest?.logSizes ?? {} });
  if (operation === null) return;
  await resolve(parts, slot, operation, vm, interrupted(vm, operation, "the guest does not answer"));
}
