/** PUT /v1/fleets/{fleet}/whereabouts: what an apply knows of its fleet, for later plans. */
import { OdoroboError } from "../../../model/errors.ts";
import type { Whereabouts } from "../../../model/observed-state.ts";
import { json } from "../../../platform/http/answers.ts";
import { type Call, readDocument } from "../calls/call.ts";

export async function putWhereabouts(call: Call): Promise<Response> {
  const told = await readDocument<Whereabouts>(call, "whereabouts");
  if (told.fleet !== call.params.fleet) {
    throw new OdoroboError("BAD_REQUEST", `the address names another fleet than the body, which names ${told.fleet}`);
  }
  await call.parts.lifecycle.tellWhereabouts(told);
  return json(200, { fleet: told.fleet, at: told.at });
}
