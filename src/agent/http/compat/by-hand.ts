/** What people do through the Rust agent's routes, as operations of ours: without a fleet, and without conditions. */
import { randomUUID } from "node:crypto";
import { fromErrorBody, isOdoroboError, OdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import type { VmReport } from "../../../model/observed-state.ts";
import type { VmSpec } from "../../../model/vm-spec.ts";
import type { OperationArgs, OperationResult } from "../../../wire/operations.ts";
import type { Call } from "../calls/call.ts";
import { toVmName } from "./vm-id.ts";

/** Throws BAD_REQUEST for an id that no VM of ours can have. */
export function nameOf(call: Call): { readonly id: string; readonly name: VmName } {
  const id = call.params.id ?? "";
  const name = toVmName(id);
  if (name !== null) return { id, name };
  throw new OdoroboError("BAD_REQUEST", `${JSON.stringify(id.slice(0, 80))} cannot be the id of a VM here`, {
    hint: "an id has letters, digits and dashes, at most 63, and begins and ends with a letter or digit",
  });
}

/** Rejects with NOT_FOUND, whose message is the id. */
export async function findVm(
  call: Call,
): Promise<{ readonly id: string; readonly name: VmName; readonly vm: VmReport }> {
  const { id, name } = nameOf(call);
  try {
    return { id, name, vm: await call.parts.lifecycle.vm(name, call.signal) };
  } catch (error) {
    if (isOdoroboError(error, "NOT_FOUND")) throw new OdoroboError("NOT_FOUND", id, { hint: error.hint });
    throw error;
  }
}

/** Resolves when it is done. Rejects with what it failed of. */
export async function operate(call: Call, name: VmName, args: OperationArgs): Promise<OperationResult> {
  const request = { id: newId(), expect: null, fleet: null, ...args };
  call.notes.operation = { id: request.id, kind: args.kind };
  return succeeded(await call.parts.lifecycle.operate(name, request, call.signal));
}

/** Rejects with BAD_REQUEST (409 in shape: WRONG_PHASE) when there is one already. */
export async function createVm(call: Call, name: VmName, spec: VmSpec): Promise<VmReport> {
  const result = await put(call, name, spec, (await lastGeneration(call, name)) + 1);
  // Somebody else was as quick, and had the same configuration.
  if (result.noop || result.after === null) throw alreadyThere(name);
  return result.after;
}

export async function replaceSpec(call: Call, vm: VmReport, spec: VmSpec): Promise<void> {
  await put(call, vm.name, spec, vm.generation + 1);
}

export const alreadyThere = (name: VmName): OdoroboError =>
  new OdoroboError("WRONG_PHASE", `VM with this ID already exists: ${name}`, {
    hint: "choose another id, or destroy the one that is there",
  });

async function put(call: Call, name: VmName, spec: VmSpec, generation: number): Promise<OperationResult> {
  const request = { id: newId(), fleet: null, commit: null, generation, spec, files: {}, expect: null };
  call.notes.operation = { id: request.id, kind: null };
  return succeeded(await call.parts.lifecycle.putVm(name, request, call.signal));
}

/** A VM that was deleted and whose disks are kept comes back above its last generation. */
async function lastGeneration({ parts, signal }: Call, name: VmName): Promise<number> {
  const { tombstones } = await parts.lifecycle.report(signal);
  return tombstones.find((each) => each.name === name)?.generation ?? 0;
}

function succeeded(result: OperationResult): OperationResult {
  if (result.error !== null) throw fromErrorBody(result.error);
  return result;
}

const newId = (): string => `by-hand-${randomUUID()}`;
