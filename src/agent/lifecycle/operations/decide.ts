/**
 * Whether a request is carried out, is so already, or is refused: from the request and the VM's record alone.
 *
 *   http → service.ts → [decide.ts] → perform-*.ts
 *
 * Pure: no I/O, no waiting, no clock. The queue of the VM asks when the request's turn has come, so `starting` and
 * `stopping` are never seen here.
 *
 *                 put                boot                         pause
 *      (absent) ──────► stopped ───────────────► running ◄───────────────────► paused
 *         ▲               ▲  ▲                    │ │ │         resume            │
 *         │ purge         │  └────── shutdown ────┘ │ └── put: live changes,      │
 *         │               │         (guest: off)    │     reboot: off and on      │
 *         │               └──────── shutdown ───────┼────────────────────────────┘
 *         │    put above                            │ process died, boot failed
 *         │    its generation     boot              ▼
 *     tombstone ────► stopped  running ◄──────── crashed
 *         ▲
 *         └── delete, from any of stopped · running · paused · crashed, unless protected
 *
 * Shown, not branched on: the sentences. They say what is the case and what to do next.
 */
import { awaitsConfig } from "../../../model/awaits-config.ts";
import type { VmName } from "../../../model/names.ts";
import type { OperationRequest } from "../../../wire/operations.ts";
import type { CompletedOperation, TombstoneRecord, UnreadableRecord, VmRecord } from "../../store/vm-record.ts";
import {
  type Decision,
  type Refusal,
  type Request,
  refuse,
  UNEXPLAINED_HINT,
  type VmState,
} from "../parts/decision.ts";
import { decidePut } from "./decide-put.ts";
import { PLAN_AGAIN, refuseForeign, refuseUnexpected } from "./refusals.ts";

/** `recent`: what the agent's memory says of this id, for ends that no record keeps (nothing had to be done; nothing is left). */
export function decide(
  name: VmName,
  request: Request,
  state: VmState,
  recent: CompletedOperation | null = null,
): Decision {
  if (state?.state === "unreadable") return refuseUnreadable(state);
  const before = recent ?? state?.completed.find((each) => each.id === request.id);
  if (before) return remembered(name, request, before);
  const moving = state?.state === "present" ? decideOnItsWay(request, state) : null;
  if (moving !== null) return moving;
  if (request.kind === "put") return decidePut(name, request, state);
  const foreign = refuseForeign(name, request.fleet ?? null, state);
  if (foreign) return foreign;
  if (state === null && request.kind === "expect-guest")
    return request.expect === null
      ? { decision: "act", kind: "expect-guest" }
      : refuse("STALE_GENERATION", `there is no VM ${name} on this node, you had seen one`, PLAN_AGAIN);
  if (state === null) return decideAbsent(name);
  const settled = state.state === "tombstone" ? decideTombstone(request, state) : decidePresent(request, state);
  // A thing that is so already is no conflict, whatever the caller had seen.
  if (settled.decision === "no-op") return settled;
  return refuseUnexpected(name, request.expect, state) ?? settled;
}

/** The same id for another act is a mistake of the caller's: its result must not be mistaken for this one's. */
function remembered(name: VmName, request: Request, before: CompletedOperation): Decision {
  const same =
    request.kind === "put" ? before.kind === "create" || before.kind === "update" : before.kind === request.kind;
  if (same) return { decision: "remembered", operation: before };
  return refuse(
    "BAD_REQUEST",
    `operation id ${request.id} was used for another act on ${name}: ${before.kind}`,
    "give every act an id of its own",
  );
}

const decideAbsent = (name: VmName): Decision =>
  refuse("NOT_FOUND", `there is no VM ${name} on this node`, "odorobo vm list shows where each VM is");

function decideTombstone(request: OperationRequest, tombstone: TombstoneRecord): Decision {
  switch (request.kind) {
    case "delete":
      return { decision: "no-op", kind: "delete" };
    case "purge":
    case "expect-guest":
      return { decision: "act", kind: request.kind };
    default:
      return refuse(
        "NOT_FOUND",
        `${tombstone.name} was deleted at ${tombstone.deletedAt}; its disks are kept until ${tombstone.retainUntil}`,
        `apply its manifest again to bring it back with its disks; odorobo vm purge ${tombstone.name} is the end of them`,
      );
  }
}

function decidePresent(request: OperationRequest, vm: VmRecord): Decision {
  const act: Decision = { decision: "act", kind: request.kind };
  const noop: Decision = { decision: "no-op", kind: request.kind };
  const isOff = vm.phase === "stopped" || vm.phase === "crashed";
  const isAwaited = vm.migration?.role === "destination";
  switch (request.kind) {
    case "boot":
      if (vm.phase === "paused")
        return wrongPhase(vm, "a paused guest is not booted", `let it run on: odorobo vm resume ${vm.name}`);
      if (isOff) return refuseSecondHome(vm) ?? refuseStandIn(vm) ?? act;
      return noop;
    case "shutdown":
      // Off, but about to be started, or waiting for a guest: that is what a shutdown ends.
      return isOff && !isAwaited && (vm.restart?.nextAt ?? null) === null ? noop : act;
    case "reboot":
      return isOff ? wrongPhase(vm, "there is nothing to reboot", `start it: odorobo vm boot ${vm.name}`) : act;
    case "pause":
      if (isOff) return wrongPhase(vm, "there is nothing to pause", `start it first: odorobo vm boot ${vm.name}`);
      // One that stands still for want of room would go on by itself: a person's pause keeps it.
      return vm.phase === "paused" && !vm.stalled ? noop : act;
    case "resume":
      if (isOff) return wrongPhase(vm, "there is nothing to resume", `start it: odorobo vm boot ${vm.name}`);
      return vm.phase === "running" ? noop : act;
    case "delete":
      // What it left when it moved away is no VM: that is protected where it lives.
      if (!vm.spec.protect || vm.migration?.stage === "left") return act;
      return refuse(
        "PROTECTED",
        `${vm.name} is protected: its spec was last applied with protect: true`,
        "apply it with protect: false first, then delete it",
      );
    case "purge":
      return wrongPhase(
        vm,
        "only what was deleted can be purged",
        `delete it first, which keeps its disks until the purge: odorobo vm delete ${vm.name}`,
      );
    case "restore":
      if (isOff) return refuseSecondHome(vm) ?? refuseStandIn(vm) ?? act;
      return wrongPhase(vm, "a snapshot is restored to a VM that is off", `odorobo vm shutdown ${vm.name}`);
    case "migrate-receive":
      // One that left may come back.
      if (isAwaited) return refuseSecondHome(vm) ?? act;
      if (isOff) return act;
      return wrongPhase(vm, "only a VM that is off can take in a guest", `odorobo vm shutdown ${vm.name}`);
    case "power-button":
    case "nmi":
    case "coredump":
    case "snapshot":
    case "resize":
    case "attach":
    case "detach":
    case "migrate-send":
      return isOff ? wrongPhase(vm, "no guest runs", `start it: odorobo vm boot ${vm.name}`) : act;
    case "migrate":
      if (request.mode === "cold")
        return isOff
          ? (refuseSecondHome(vm) ?? act)
          : wrongPhase(vm, "its disks are moved while it is off", `odorobo vm shutdown ${vm.name}`);
      return isOff ? wrongPhase(vm, "no guest runs", `start it: odorobo vm boot ${vm.name}`) : act;
    case "expect-guest":
      if (isOff && vm.migration?.role === "source") return act;
      return wrongPhase(vm, "it is here already", "look where it runs: odorobo vm list");
    // Whoever asks waited behind what it called off.
    case "cancel-migration":
      return noop;
  }
}

/** Null: no two agents are moving it, or what they do about it is no concern of this request. */
function decideOnItsWay(request: Request, vm: VmRecord): Decision | null {
  const { move } = vm;
  if (!move || move.stage === "taken" || request.kind === "cancel-migration") return null;
  if (move.role === "source")
    return request.kind === "delete"
      ? null
      : wrongPhase(
          vm,
          move.stage === "given"
            ? `it was given to ${move.to.node}, which has not said what became of it: it may run there`
            : `its move to ${move.to.node} is being called off`,
          `bring ${move.to.node} back, which settles it; or, if it runs nowhere and never will there, delete it here and apply its manifest again`,
        );
  const { kind } = request;
  // Nothing has come, so whoever asks last is whom it is kept for, wherever the guest comes from by now.
  const isRenewed = kind === "expect-guest" && move.stage === "expected";
  const isTakenByHand = kind === "resume" && move.stage === "whole";
  if (kind === "shutdown" || kind === "delete" || isRenewed || isTakenByHand) return { decision: "act", kind };
  return wrongPhase(
    vm,
    move.stage === "whole"
      ? `it arrived from ${move.from}, which has not released it`
      : `it is expected from ${move.from}`,
    move.stage === "whole"
      ? `bring ${move.from} back, which settles it; or, if that node is off and stays off, let it run on here: odorobo vm resume ${vm.name}`
      : `wait for it, or call it off on this node alone: odorobo vm shutdown ${vm.name} --node and the name of this node`,
  );
}

/** Null: it can only be here. */
function refuseSecondHome(vm: VmRecord): Refusal | null {
  switch (vm.migration?.role) {
    case undefined:
      return null;
    case "destination":
      return wrongPhase(
        vm,
        `its process waits for a guest on ${vm.migration.url}`,
        `end the waiting first: odorobo vm shutdown ${vm.name}`,
      );
    case "source":
      return wrongPhase(
        vm,
        `it left for ${vm.migration.url} and may run there`,
        `migrate it back; or, if it runs nowhere, delete it here and apply its manifest again: it comes back with its disks`,
      );
  }
}

/** Null: it has a configuration. */
const refuseStandIn = (vm: VmRecord): Refusal | null =>
  awaitsConfig(vm.spec)
    ? wrongPhase(vm, "it was made without a configuration", `give it one: odorobo vm create ${vm.name} CONFIG`)
    : null;

const wrongPhase = (vm: VmRecord, message: string, hint: string): Refusal =>
  refuse("WRONG_PHASE", `${vm.name} is ${vm.phase}: ${message}`, hint);

const refuseUnreadable = (state: UnreadableRecord): Refusal =>
  state.held
    ? refuse("GUEST_UNEXPLAINED", `${state.name} is left alone: ${state.problem}`, UNEXPLAINED_HINT)
    : refuse(
        "STORAGE_FAILED",
        `the agent cannot read its record of ${state.name}: ${state.problem}`,
        "repair or restore the file and restart the agent; nothing is done to the VM until then",
      );
