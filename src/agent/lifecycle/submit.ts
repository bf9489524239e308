/**
 * The entrance of every operation: it joins one of the same id, or takes its turn in the VM's queue.
 *
 *   service.ts → [submit.ts] → operations/decide.ts → acts/prepare-act.ts → operations/run-operation.ts
 */
import { OdoroboError } from "../../model/errors.ts";
import type { VmName } from "../../model/names.ts";
import type { OperationKind, OperationResult } from "../../wire/operations.ts";
import { orStorageError } from "../storage-error.ts";
import { forgetTexts } from "./acts/perform-put.ts";
import { prepareAct } from "./acts/prepare-act.ts";
import type { Moves } from "./migration/moves.ts";
import { checkName } from "./operations/check-spec.ts";
import { decide } from "./operations/decide.ts";
import { refuseHeld } from "./operations/refusals.ts";
import { type Act, agentStopping, runOperation } from "./operations/run-operation.ts";
import { untilAborted } from "./parts/deadline.ts";
import type { Refusal, Request } from "./parts/decision.ts";
import type { Parts } from "./parts/parts.ts";
import { Slot } from "./parts/slot.ts";
import { meetAgain } from "./recovery/meet-guest.ts";
import type { Sweep } from "./recovery/sweep.ts";
import { toResult } from "./report/results.ts";

export type Submit = (name: VmName, request: Request, signal: AbortSignal) => Promise<OperationResult>;

/** `slots` gains one for each VM that is asked about for the first time. */
export function createSubmit(parts: Parts, slots: Map<string, Slot>, sweep: Sweep, moves: Moves): Submit {
  return async (name, request, signal) => {
    checkName(name);
    if (parts.stopping.aborted) throw agentStopping(name);
    const slot = slots.get(name) ?? new Slot(name, null);
    slots.set(name, slot);
    const running = slot.inFlight.get(request.id);
    if (running) return untilAborted(running.result, signal);
    const held = refuseHeld(name, request, slot.activity);
    if (held !== null) throw toError(held);
    const turnHasCome = hurryOthers(slot, request);
    const kind = request.kind === "put" ? (slot.stored?.state === "present" ? "update" : "create") : request.kind;
    const result = slot.track({ id: request.id, kind }, () => {
      turnHasCome();
      return perform(parts, slot, request, sweep, moves);
    });
    return untilAborted(result, signal);
  };
}

/** In the queue, when the request's turn has come. */
async function perform(
  parts: Parts,
  slot: Slot,
  request: Request,
  sweep: Sweep,
  moves: Moves,
): Promise<OperationResult> {
  if (parts.stopping.aborted) throw agentStopping(slot.name);
  await meetAgain(parts, slot, moves);
  const before = slot.stored;
  if (before === null && request.kind === "put") slot.forgetFormerLife();
  const decision = decide(slot.name, request, before, slot.remembered(request.id));
  switch (decision.decision) {
    case "refuse":
      throw toError(decision);
    case "remembered":
      return toResult(slot, { noop: false, ...decision.operation });
    case "no-op": {
      const ended = { id: request.id, kind: decision.kind, error: null, noop: true };
      slot.remember(ended);
      return toResult(slot, ended);
    }
    case "act": {
      const act = await prepare(parts, slot, decision.kind, request, moves).catch((error: unknown) => {
        throw orStorageError(`${decision.kind} of ${slot.name} could not be prepared`, error);
      });
      const graceSeconds = "graceSeconds" in request ? request.graceSeconds : null;
      const run = request.run === undefined ? {} : { run: request.run };
      const operation = { id: request.id, kind: decision.kind, graceSeconds, ...run };
      const ended = await runOperation(parts, slot, operation, act);
      if (request.kind === "put") await forgetTexts(parts, before, slot.stored);
      if (request.kind === "delete") sweep([slot]);
      return toResult(slot, { ...ended, noop: false });
    }
  }
}

const prepare = async (parts: Parts, slot: Slot, kind: OperationKind, request: Request, moves: Moves): Promise<Act> =>
  (await moves.prepare(slot, request)) ?? prepareAct(parts, slot, kind, request as never);

const toError = ({ code, message, hint, conflict }: Refusal): OdoroboError =>
  new OdoroboError(code, message, { hint, conflict });

/** An end of a guest need not wait for its probe; one without grace need not wait for another's grace either. */
function hurryOthers(slot: Slot, request: Request): () => void {
  if (request.kind === "cancel-migration") return slot.departures.begin();
  if (request.kind !== "shutdown" && request.kind !== "reboot" && request.kind !== "delete") return () => {};
  const turns = [slot.probes.begin()];
  if (request.graceSeconds === 0) turns.push(slot.graces.begin());
  return () => {
    for (const turnHasCome of turns) turnHasCome();
  };
}
