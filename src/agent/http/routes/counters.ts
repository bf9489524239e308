/** GET /v1/vms/{name}/counters: by device, as the hypervisor names and counts. */
import { json } from "../../../platform/http/answers.ts";
import { type Call, vmNameOf } from "../calls/call.ts";

export async function getCounters(call: Call): Promise<Response> {
  return json(200, await call.parts.lifecycle.counters(vmNameOf(call), call.signal));
}
