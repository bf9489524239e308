/**
 * What the record of a VM says when an agent that starts finds that no guest runs, and how the journal is closed.
 *
 *   adopt.ts (what is the case) → [settle-ended.ts] → restart-policy.ts, after-reboot.ts
 */
import { OdoroboError, toErrorBody } from "../../../model/errors.ts";
import type { RestartRecord, UnfinishedOperation, VmRecord } from "../../store/vm-record.ts";
import { stopped } from "../acts/perform-stop.ts";
import type { End } from "../guest/ended-record.ts";
import { guestEvent } from "../guest/guest-event.ts";
import { removeHostSide } from "../guest/host-side.ts";
import { noteEnd } from "../guest/note-end.ts";
import { noteEvent } from "../guest/note-event.ts";
import { restartAfterFailedStart } from "../guest/restart-policy.ts";
import { runAfterHooks } from "../operations/hook-points.ts";
import { endOperation, keep } from "../operations/run-operation.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { afterReboot, type NodeFacts } from "./after-reboot.ts";

/** How a guest ended while nobody looked. */
export type Ending = End | { readonly kind: "host-reboot"; readonly reason: string };

/** No guest runs. `how`: it ended while nobody looked; null: there was none. */
export async function settle(parts: Parts, slot: Slot, how: Ending | null): Promise<void> {
  const vm = slot.stored as VmRecord;
  if (how === null) return settleOff(parts, slot, vm);
  await slot.letGo();
  await removeHostSide(parts, vm);
  await writeDown(parts, slot, vm, how);
  // How it ended is in the record now: a service manager need not keep what remains of its process, and no later agent
  // would ask for it.
  const process = vm.guest?.process ?? null;
  if (process !== null && !parts.supervisor.isRunning(process)) await parts.supervisor.stop(process, 0);
}

async function writeDown(parts: Parts, slot: Slot, vm: VmRecord, how: Ending): Promise<void> {
  const operation = vm.unfinished;
  const off = { ready: null, drift: [], guest: null, since: parts.clock.now() } as const;
  // What has left was neither shut down nor failed to start: whatever was asked of it, it is not here.
  if (how.kind !== "host-reboot" && how.hasMoved) return settleEnded(parts, slot, vm, how);
  switch (operation?.kind) {
    case "shutdown":
    case "delete":
      return resolve(parts, slot, operation, stopped(parts, vm, "it ended while the agent was away"), null);
    case "boot":
    case "reboot":
    case "restore": {
      const { restart, reason } = afterCutShort(
        parts,
        vm,
        `its ${operation.kind} was cut short when the agent ended`,
        how,
      );
      const now: VmRecord = { ...vm, ...off, phase: "stopped", endedBy: "failure", reason, restart };
      return resolve(parts, slot, operation, now, interrupted(vm, operation, "the guest does not run"));
    }
    default:
      return settleEnded(parts, slot, vm, how);
  }
}

async function settleEnded(parts: Parts, slot: Slot, vm: VmRecord, how: Ending): Promise<void> {
  await noteEnding(parts, slot, vm, how);
  const { unfinished: operation } = vm;
  if (operation === null) return;
  const now = slot.stored as VmRecord;
  return resolve(parts, slot, operation, now, interrupted(vm, operation, "the guest does not run"));
}

/** How long it had run cannot be known: it counts as not having lasted. */
async function noteEnding(parts: Parts, slot: Slot, vm: VmRecord, how: Ending): Promise<void> {
  if (how.kind !== "host-reboot") return noteEnd(parts, slot, vm, how, 0);
  const moment = { now: parts.clock.now(), hostBootId: parts.node.bootId };
  // What may have left, or never came, is no guest of this node's that went down with it.
  if (vm.migration) return noteEnd(parts, slot, vm, { kind: "crash", reason: how.reason }, 0);
  const { restart, reason } = afterReboot(vm, factsOf(parts), moment);
  const lastEvent = await guestEvent(parts, vm, how.kind, how.reason);
  await noteEvent(
    parts,
    slot,
    vm,
    {
      ...{ phase: "stopped", endedBy: "failure", reason, ready: null, drift: [], guest: null, since: moment.now },
      ...{ lastEvent, restart },
    },
    { kind: "phase", message: `${vm.name} stopped: ${reason}${restart === null ? "" : "; the agent starts it again"}` },
  );
  slot.enqueue(() => runAfterHooks(parts, slot, "stop", null)).catch(() => {});
}

/** There was no guest. But there may be one to start, in another boot of the host than the one in which that was decided. */
async function settleOff(parts: Parts, slot: Slot, vm: VmRecord): Promise<void> {
  let now = vm;
  const { restart } = vm;
  if (restart && restart.nextAt !== null && restart.hostBootId !== parts.node.bootId) {
    const moment = { now: parts.clock.now(), hostBootId: parts.node.bootId };
    const then = afterReboot(vm, factsOf(parts), moment);
    now = {
      ...vm,
      restart: then.restart,
      reason: then.restart === null ? `${vm.reason}; then ${then.reason}` : vm.reason,
    };
  }
  if (vm.unfinished !== null)
    return resolve(parts, slot, vm.unfinished, now, interrupted(vm, vm.unfinished, "the guest does not run"));
  if (now !== vm) await keep(parts, slot, now);
}

/** Of a start that came to nothing: the agent goes on trying if it was its own idea. */
function afterCutShort(
  parts: Parts,
  vm: VmRecord,
  what: string,
  how: Ending,
): { readonly restart: RestartRecord | null; readonly reason: string } {
  const moment = { now: parts.clock.now(), hostBootId: parts.node.bootId };
  const isOwnIdea = (vm.restart ?? null) !== null;
  if (how.kind === "host-reboot" && isOwnIdea) return afterReboot(vm, factsOf(parts), moment);
  return { restart: restartAfterFailedStart(vm, moment), reason: `${what} (${how.reason})` };
}

const factsOf = (parts: Parts): NodeFacts => ({
  node: parts.node.name,
  choice: parts.startAfterReboot,
  whereabouts: parts.whereabouts.all(),
});

/** Ends the operation in the journal, unless it is one to carry on. */
export async function resolve(
  parts: Parts,
  slot: Slot,
  operation: UnfinishedOperation,
  now: VmRecord,
  error: OdoroboError | null,
): Promise<void> {
  if (isCarriedOn(operation)) await keep(parts, slot, { ...now, unfinished: operation });
  else await endOperation(parts, slot, operation, now, error && toErrorBody(error));
}

const isCarriedOn = (operation: UnfinishedOperation): boolean =>
  ["create", "update", "delete", "purge"].includes(operation.kind);

export const interrupted = (vm: VmRecord, operation: UnfinishedOperation, now: string): OdoroboError =>
  new OdoroboError(
    "OPERATION_INTERRUPTED",
    `${operation.kind} of ${vm.name} was cut short when the agent ended; ${now}`,
    {
      hint: "look at it and ask again: odorobo plan",
    },
  );
