/**
 * POST /v1/vms/{name}/operations and GET /v1/operations/{id}.
 *
 * An operation goes on when its caller goes away. A caller that does not want to hold one answer open for minutes gives
 * `?waitSeconds=N`: what has not ended by then is answered 202 with outcome `running`, to be asked for again by its id.
 */
import { OdoroboError } from "../../../model/errors.ts";
import type { VmName } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import type { OperationKind, OperationRequest, OperationResult } from "../../../wire/operations.ts";
import { type Call, numberOf, readDocument, requireRole, vmNameOf, withRun } from "../calls/call.ts";
import { learn, learnWhenArrived } from "../compat/arrivals.ts";
import { OPERATION_ROLES } from "./operation-roles.ts";

/** The most that one question is held open; a minute is what proxies and NAT tables bear. */
const MAX_WAIT_SECONDS = 60;

/** Beside the events, so that a result which was not announced is found too. */
const RECHECK_MS = 500;

/** Of a VM that was made without a configuration only the running guest knows what it is. */
const ENDS_GUEST: ReadonlySet<OperationKind> = new Set(["shutdown", "reboot", "migrate-send"]);

export async function postOperation(call: Call): Promise<Response> {
  const name = vmNameOf(call);
  const request = withRun(call, await readDocument<OperationRequest>(call, "operation-request"));
  call.notes.operation = { id: request.id, kind: request.kind };
  requireRole(call.caller, OPERATION_ROLES[request.kind]);
  if (ENDS_GUEST.has(request.kind)) await learnFirst(call, name);
  const answer = await answerWithResult(call, request.id, (signal) =>
    call.parts.lifecycle.operate(name, request, signal),
  );
  if (request.kind === "migrate-receive") learnWhenArrived(call, name);
  return answer;
}

async function learnFirst(call: Call, name: VmName): Promise<void> {
  const { operation } = call.notes;
  const vm = await call.parts.lifecycle.vm(name, call.signal).catch(() => null);
  if (vm !== null) await learn(call, vm);
  call.notes.operation = operation;
}

export async function getOperation(call: Call): Promise<Response> {
  const id = call.params.id ?? "";
  const waitSeconds = numberOf(call, "waitSeconds", { max: MAX_WAIT_SECONDS, fallback: 0 });
  const result = await waitForEnd(call, id, waitSeconds * 1000);
  if (result === null) {
    throw new OdoroboError("NOT_FOUND", `no operation ${id.slice(0, 200)} is known here`, {
      hint: "send the operation itself again, with the same id: it is done once",
    });
  }
  return answer(call, result);
}

export async function answerWithResult(
  call: Call,
  id: string,
  perform: (signal: AbortSignal) => Promise<OperationResult>,
): Promise<Response> {
  const waitSeconds = numberOf(call, "waitSeconds", { max: MAX_WAIT_SECONDS, fallback: 0 });
  if (waitSeconds === 0) return answer(call, await perform(call.signal));
  const patience = AbortSignal.timeout(waitSeconds * 1000);
  try {
    return answer(call, await perform(AbortSignal.any([call.signal, patience])));
  } catch (error) {
    const running =
      patience.aborted && !call.signal.aborted ? call.parts.lifecycle.operation(id, call.notes.vm ?? undefined) : null;
    if (running === null) throw error;
    return answer(call, running);
  }
}

const answer = (call: Call, result: OperationResult): Response =>
  json(result.outcome === "running" ? 202 : 200, withFingerprint(call, result));

/** Whoever sends the guest here is to know this door again. */
function withFingerprint({ parts }: Call, result: OperationResult): OperationResult {
  const fingerprint = result.kind === "expect-guest" && result.outcome === "done" ? parts.fingerprint?.() : null;
  return fingerprint ? { ...result, detail: { ...result.detail, fingerprint } } : result;
}

async function waitForEnd({ parts, signal }: Call, id: string, milliseconds: number): Promise<OperationResult | null> {
  const now = () => parts.lifecycle.operation(id);
  const first = now();
  if (first?.outcome !== "running" || milliseconds === 0) return first;
  await new Promise<void>((resolve) => {
    const check = () => {
      if (now()?.outcome !== "running") done();
    };
    // The event may be told just before the result is written down.
    const unsubscribe = parts.lifecycle.events.subscribe(() => setImmediate(check));
    const recheck = setInterval(check, RECHECK_MS);
    const patience = setTimeout(() => done(), milliseconds);
    const done = () => {
      unsubscribe();
      clearInterval(recheck);
      clearTimeout(patience);
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
    check();
  });
  signal.throwIfAborted();
  return now();
}
