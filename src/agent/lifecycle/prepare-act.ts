/** From a decision to the act that carries it out: what still can be refused is refused here, before anything is begun. */
import { OdoroboError } from "../../model/errors.ts";
import type { OperationKind } from "../../wire/operations.ts";
import type { StoredVm, TombstoneRecord, UnfinishedOperation, VmRecord } from "../store/vm-record.ts";
import type { Request } from "./decision.ts";
import type { Parts } from "./parts.ts";
import { prepareBoot } from "./perform-boot.ts";
import { preparePause } from "./perform-pause.ts";
import { preparePut, putAct } from "./perform-put.ts";
import { prepareDelete, preparePurge, prepareReboot, prepareShutdown } from "./perform-stop.ts";
import type { Act } from "./run-operation.ts";
import type { Slot } from "./slot.ts";

/** `kind` is what `decide.ts` made of the request for what is stored in the slot now. */
export async function prepareAct(parts: Parts, slot: Slot, kind: OperationKind, request: Request): Promise<Act> {
  const stored = slot.stored as StoredVm | null;
  if (request.kind === "put") return preparePut(parts, slot, request, stored);
  const graceSeconds = "graceSeconds" in request ? request.graceSeconds : null;
  switch (kind) {
    case "boot":
      return prepareBoot(parts, slot, stored as VmRecord);
    case "pause":
    case "resume":
      return preparePause(parts, slot, stored as VmRecord, kind);
    case "shutdown":
      return prepareShutdown(parts, slot, stored as VmRecord, graceSeconds);
    case "reboot":
      return prepareReboot(parts, slot, stored as VmRecord, graceSeconds);
    case "delete":
      return prepareDelete(parts, slot, stored as VmRecord, graceSeconds);
    case "purge":
      return preparePurge(parts, stored as TombstoneRecord);
    case "create":
    case "update":
      throw new Error(`${kind} is asked for with a PUT`);
    default:
      throw new OdoroboError("UNSUPPORTED", `this agent cannot ${kind} yet`);
  }
}

/** The rest of an operation that an earlier agent had begun and that can only be finished. */
export function prepareRest(parts: Parts, slot: Slot, operation: UnfinishedOperation): Act {
  const stored = slot.stored as StoredVm;
  if (stored.state === "tombstone") return preparePurge(parts, stored);
  if (operation.kind === "delete") return prepareDelete(parts, slot, stored, operation.graceSeconds);
  const hypervisor = parts.hypervisors.get(stored.spec.hypervisor);
  if (hypervisor) return putAct(parts, slot, stored, hypervisor);
  const error = new OdoroboError("HYPERVISOR_UNAVAILABLE", `this agent has no ${stored.spec.hypervisor} any more`, {
    hint: "start the agent with it, or give the VM another hypervisor",
  });
  return { begin: stored, run: async () => ({ stored, error }) };
}
