/** From a decision to the act that carries it out: what still can be refused is refused here, before anything is begun. */
import { OdoroboError } from "../../../model/errors.ts";
import type { OperationKind } from "../../../wire/operations.ts";
import type { StoredVm, TombstoneRecord, UnfinishedOperation, VmRecord } from "../../store/vm-record.ts";
import type { Act } from "../operations/run-operation.ts";
import type { Request } from "../parts/decision.ts";
import type { Parts } from "../parts/parts.ts";
import type { Slot } from "../parts/slot.ts";
import { prepareBoot } from "./perform-boot.ts";
import { prepareCoredump, prepareNmi, preparePowerButton, prepareSnapshot, snapshotAt } from "./perform-hand.ts";
import { prepareAttach, prepareDetach, prepareResize } from "./perform-live.ts";
import { prepareReceive, prepareSend } from "./perform-migrate.ts";
import { preparePause } from "./perform-pause.ts";
import { preparePut, putAct } from "./perform-put.ts";
import { prepareDelete, preparePurge, prepareReboot, prepareShutdown } from "./perform-stop.ts";

/** Of `lifecycle/migration`. */
type MoveKind = "expect-guest" | "migrate" | "cancel-migration";

/** `kind` is what `decide.ts` made of the request for what is stored in the slot now. */
export async function prepareAct(
  parts: Parts,
  slot: Slot,
  kind: OperationKind,
  request: Exclude<Request, { readonly kind: MoveKind }>,
): Promise<Act> {
  const stored = slot.stored as StoredVm | null;
  const vm = stored as VmRecord;
  switch (request.kind) {
    case "put":
      return preparePut(parts, slot, kind === "create" ? "create" : "update", request, stored);
    case "purge":
      return preparePurge(parts, stored as TombstoneRecord);
    case "boot":
      return prepareBoot(parts, slot, vm, { operation: request });
    case "restore":
      return prepareBoot(parts, slot, vm, { operation: request, fromSnapshot: await snapshotAt(parts, request) });
    case "pause":
    case "resume":
      return preparePause(parts, slot, vm, request.kind);
    case "shutdown":
      return prepareShutdown(parts, slot, vm, request, request.graceSeconds);
    case "reboot":
      return prepareReboot(parts, slot, vm, request, request.graceSeconds);
    case "delete":
      return prepareDelete(parts, slot, vm, request, request.graceSeconds);
    case "power-button":
      return preparePowerButton(parts, slot, vm);
    case "nmi":
      return prepareNmi(slot, vm);
    case "coredump":
      return prepareCoredump(parts, slot, vm, request);
    case "snapshot":
      return prepareSnapshot(parts, slot, vm, request);
    case "resize":
      return prepareResize(parts, slot, vm, request);
    case "attach":
      return prepareAttach(parts, slot, vm, request);
    case "detach":
      return prepareDetach(parts, slot, vm, request);
    case "migrate-receive":
      return prepareReceive(parts, slot, vm, request);
    case "migrate-send":
      return prepareSend(parts, slot, vm, request);
  }
}

/** The rest of an operation that an earlier agent had begun and that can only be finished. Its before-hooks have been run. */
export function prepareRest(parts: Parts, slot: Slot, operation: UnfinishedOperation): Act {
  const { before: _, ...act } = restOf(parts, slot, operation);
  return act;
}

function restOf(parts: Parts, slot: Slot, operation: UnfinishedOperation): Act {
  const stored = slot.stored as StoredVm;
  if (stored.state === "tombstone") return preparePurge(parts, stored);
  if (operation.kind === "delete") return prepareDelete(parts, slot, stored, operation, operation.graceSeconds);
  const hypervisor = parts.hypervisors.get(stored.spec.hypervisor);
  if (hypervisor) return putAct(parts, slot, stored, operation, hypervisor);
  const error = new OdoroboError("HYPERVISOR_UNAVAILABLE", `this agent has no ${stored.spec.hypervisor} any more`, {
    hint: "start the agent with it, or give the VM another hypervisor",
  });
  return { begin: stored, run: async () => ({ stored, error }) };
}
