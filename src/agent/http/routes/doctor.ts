/** GET /v1/doctor: what this server has and lacks. GET /v1/support: the same with the texts that a helper needs. */
import { json } from "../../../platform/http/answers.ts";
import type { Call } from "../calls/call.ts";

export async function getDoctor(call: Call): Promise<Response> {
  return json(200, await call.parts.doctor.examine(call.signal));
}

export async function getSupport(call: Call): Promise<Response> {
  return json(200, { texts: await call.parts.doctor.support(call.signal) });
}
