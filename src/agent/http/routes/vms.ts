/** GET and PUT /v1/vms/{name}. */

import { json } from "../../../platform/http/answers.ts";
import type { PutVmRequest } from "../../../wire/operations.ts";
import { type Call, readDocument, vmNameOf, withRun } from "../calls/call.ts";
import { answerWithResult } from "./operations.ts";

export async function getVm(call: Call): Promise<Response> {
  return json(200, await call.parts.lifecycle.vm(vmNameOf(call), call.signal));
}

export async function putVm(call: Call): Promise<Response> {
  const name = vmNameOf(call);
  const request = withRun(call, await readDocument<PutVmRequest>(call, "put-vm-request"));
  call.notes.operation = { id: request.id, kind: null };
  return await answerWithResult(call, request.id, (signal) => call.parts.lifecycle.putVm(name, request, signal));
}
