/** PUT /v1/fleets/{fleet}/lease: one loop at a time turns a fleet by itself. */
import { OdoroboError } from "../../../model/errors.ts";
import { isDnsLabel } from "../../../model/names.ts";
import { json } from "../../../platform/http/answers.ts";
import type { LeaseRequest } from "../../../wire/lease.ts";
import { type Call, readDocument } from "../calls/call.ts";

export async function putLease(call: Call): Promise<Response> {
  const request = await readDocument<LeaseRequest>(call, "lease-request");
  const { fleet = "" } = call.params;
  if (!isDnsLabel(fleet)) throw new OdoroboError("BAD_REQUEST", "the address names no fleet");
  return json(200, await call.parts.lifecycle.lease(fleet, request));
}
