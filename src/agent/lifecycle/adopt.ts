/**
 * At the start of the agent: finds out what became of a VM while nobody looked, and of the operation that was under way.
 *
 * Invariants: nothing is believed that can be looked at. No guest is started, and none is ended, but the one of a boot
 * that never came so far as to answer. When it resolves, the record says what is the case.
 *
 * What an operation that was cut short becomes:
 *
 *   boot, reboot      the guest runs and answers → done; otherwise nothing of it remains → failed, the VM is stopped
 *   shutdown          the guest is gone → done; it still runs → failed, it runs on
 *   pause, resume     as the guest stands now → done or failed
 *   create, update    carried on: disks, live changes (by the caller, in the VM's queue)
 *   delete, purge     carried on
 */
import { isOdoroboError, OdoroboError, toErrorBody } from "../../model/errors.ts";
import type { GuestStatus, Hypervisor } from "../hypervisor/hypervisor.ts";
import type { GuestRecord, UnfinishedOperation, VmRecord } from "../store/vm-record.ts";
import type { ProcessHandle } from "../supervisor/supervisor.ts";
import { driftOf } from "./booted-spec.ts";
import { clearAway } from "./clear-away.ts";
import { Guest } from "./guest.ts";
import { runningInput } from "./guest-input.ts";
import { watchGuest } from "./guest-watch.ts";
import { removeHostSide } from "./host-side.ts";
import { noteEvent } from "./note-event.ts";
import type { Parts } from "./parts.ts";
import { endOperation, keep } from "./run-operation.ts";
import type { Slot } from "./slot.ts";

/** A guest that is busy at the start of the agent gets a while; a hung one must not keep the agent from starting. */
const CONNECT_DEADLINE_MS = 10_000;

/** Rejects only with what odorobo did not foresee. */
export async function adopt(parts: Parts, slot: Slot): Promise<void> {
  if (slot.stored?.state !== "present") return;
  const found = await lookFor(parts, slot, slot.stored);
  switch (found.what) {
    case "nothing":
      return settle(parts, slot, null);
    case "ended":
      return settle(parts, slot, found.how);
    case "silent":
      return adoptSilent(parts, slot, found.guest, found.error);
    case "answers":
      return adoptAnswering(parts, slot, found.guest, found.phase);
  }
}

type Found =
  /** There was no guest, and there is none. */
  | { readonly what: "nothing" }
  | { readonly what: "ended"; readonly how: Ended }
  | { readonly what: "silent"; readonly guest: Guest; readonly error: unknown }
  | { readonly what: "answers"; readonly guest: Guest; readonly phase: "running" | "paused" };

interface Ended {
  readonly endedBy: "guest" | "failure";
  readonly reason: string;
}

async function lookFor(parts: Parts, slot: Slot, vm: VmRecord): Promise<Found> {
  if (vm.guest === null) return { what: "nothing" };
  if (vm.guest.hostBootId !== parts.node.bootId) return ended("failure", "the host was restarted");
  const hypervisor = parts.hypervisors.get(vm.guest.bootedSpec.hypervisor);
  // Whether it runs cannot be known: whoever catches this leaves the VM alone.
  if (!hypervisor) throw new Error(`this agent has no ${vm.guest.bootedSpec.hypervisor}`);
  const process = await findProcess(parts, hypervisor, vm, vm.guest);
  if (process === "gone") return ended("failure", "its process ended while the agent was away");
  const input = await runningInput(parts, vm.name, vm.guest.bootedSpec);
  const guest = new Guest({ hypervisor, input, process, supervisor: parts.supervisor });
  slot.guest = guest;
  let status: GuestStatus;
  try {
    await guest.connect({ fresh: false, deadlineMs: CONNECT_DEADLINE_MS }, parts.stopping);
    status = await guest.status(CONNECT_DEADLINE_MS, parts.stopping);
  } catch (error) {
    if (guest.exit !== null) return ended("failure", "its process ended while the agent was away");
    return { what: "silent", guest, error };
  }
  if (status.phase !== "off") return { what: "answers", guest, phase: status.phase };
  await clearAway(parts, slot);
  return ended(status.endedBy, status.reason);
}

const ended = (endedBy: Ended["endedBy"], reason: string): Found => ({ what: "ended", how: { endedBy, reason } });

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

/** No guest runs. `how`: it ended while nobody looked; null: there was none. */
async function settle(parts: Parts, slot: Slot, how: Ended | null): Promise<void> {
  if (how !== null) await slot.letGo();
  const vm = slot.stored as VmRecord;
  if (how !== null) await removeHostSide(parts, vm);
  const operation = vm.unfinished;
  const wasBooting = operation?.kind === "boot" || operation?.kind === "reboot";
  const wasStopping = operation?.kind === "shutdown" || operation?.kind === "delete";
  const off = { ready: null, drift: [], guest: null, since: parts.clock.now() } as const;
  let now: VmRecord = vm;
  if (how !== null && wasStopping)
    now = { ...vm, ...off, phase: "stopped", endedBy: "operator", reason: "it ended while the agent was away" };
  else if (how !== null && wasBooting)
    now = { ...vm, ...off, phase: "stopped", endedBy: "failure", reason: interruptedReason(operation, how) };
  else if (how !== null) {
    // A restart of the host is nobody's crash: the guest is simply off.
    const phase = how.endedBy === "guest" || how.reason === "the host was restarted" ? "stopped" : "crashed";
    const change = { ...off, phase, endedBy: how.endedBy, reason: how.reason } as const;
    await noteEvent(parts, slot, vm, change, { kind: "phase", message: `${vm.name} ${phase}: ${how.reason}` });
    now = slot.stored as VmRecord;
  }
  if (operation === null) return;
  await resolve(parts, slot, operation, now, wasStopping ? null : interrupted(vm, operation, "the guest does not run"));
}

const interruptedReason = (operation: UnfinishedOperation, how: Ended): string =>
  `its ${operation.kind} was cut short when the agent ended (${how.reason})`;

async function adoptAnswering(parts: Parts, slot: Slot, guest: Guest, phase: "running" | "paused"): Promise<void> {
  const vm = slot.stored as VmRecord;
  const operation = vm.unfinished;
  const record = { ...(vm.guest as GuestRecord), process: guest.process };
  slot.live = await guest
    .ask(CONNECT_DEADLINE_MS, parts.stopping, (connection, signal) => connection.liveConfig(signal))
    .catch(() => null);
  const drift = slot.live === null ? vm.drift : driftOf(slot.live, vm.spec, record.bootedSpec);
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
    (operation.kind === "pause" && phase === "paused") ||
    (operation.kind === "resume" && phase === "running");
  const changed = phase !== vm.phase;
  const now: VmRecord = {
    ...known,
    phase,
    endedBy: null,
    reason: changed ? null : vm.reason,
    since: changed ? parts.clock.now() : vm.since,
    drift,
  };
  await resolve(parts, slot, operation, now, isAsAsked ? null : interrupted(vm, operation, `the guest is ${phase}`));
}

/** It runs, if anything does, and says nothing. */
async function adoptSilent(parts: Parts, slot: Slot, guest: Guest, error: unknown): Promise<void> {
  const vm = slot.stored as VmRecord;
  const operation = vm.unfinished;
  if (operation?.kind === "boot" || operation?.kind === "reboot") {
    await clearAway(parts, slot);
    return settle(parts, slot, { endedBy: "failure", reason: "it did not answer" });
  }
  slot.silence = isOdoroboError(error) ? error.message : "its hypervisor does not answer";
  parts.logger.warn({ err: error, vm: vm.name }, "a guest does not answer after the start of the agent");
  watchGuest(parts, slot, guest, { ready: vm.ready, logSizes: vm.guest?.logSizes ?? {} });
  if (operation === null) return;
  await resolve(parts, slot, operation, vm, interrupted(vm, operation, "the guest does not answer"));
}

/** Ends the operation in the journal, unless it is one to carry on. */
async function resolve(
  parts: Parts,
  slot: Slot,
  operation: UnfinishedOperation,
  now: VmRecord,
  error: OdoroboError | null,
): Promise<void> {
  if (isCarriedOn(operation)) await keep(parts, slot, { ...now, unfinished: operation });
  else await endOperation(parts, slot, operation, now, error && toErrorBody(error));
}

export const isCarriedOn = (operation: UnfinishedOperation): boolean =>
  ["create", "update", "delete", "purge"].includes(operation.kind);

const interrupted = (vm: VmRecord, operation: UnfinishedOperation, now: string): OdoroboError =>
  new OdoroboError(
    "OPERATION_INTERRUPTED",
    `${operation.kind} of ${vm.name} was cut short when the agent ended; ${now}`,
    {
      hint: "look at it and ask again: odorobo plan",
    },
  );
