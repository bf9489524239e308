/** PUT /vms/{id}/migrate/receive and send, step by step by hand: here first, then there, to the address that this one answered. */
import { OdoroboError } from "../../../model/errors.ts";
import { json } from "../../../platform/http/answers.ts";
import type { Call } from "../calls/call.ts";
import { text } from "./answers.ts";
import { learnWhenArrived } from "./arrivals.ts";
import { findVm, operate } from "./by-hand.ts";
import { readObject } from "./read-body.ts";

/** Answers when it listens: the sender may begin at once. */
export async function receiveMigration(call: Call): Promise<Response> {
  const { id, name } = await findVm(call);
  const { detail } = await operate(call, name, { kind: "migrate-receive", url: null });
  if (detail?.url === undefined)
    throw new OdoroboError("HYPERVISOR_FAILED", `${id} waits for a guest, but did not say where`);
  learnWhenArrived(call, name);
  return json(200, { listening_address: detail.url });
}

/** Answers when the guest has left, with an error when it runs on here. */
export async function sendMigration(call: Call): Promise<Response> {
  const { name } = await findVm(call);
  const body = await readObject(call);
  if ("rejection" in body) return body.rejection;
  const { destination, local = false } = body.value;
  if (typeof destination !== "string" || typeof local !== "boolean")
    return text(422, "The body needs a destination, which is text, and may have local, which is true or false");
  await operate(call, name, { kind: "migrate-send", url: destination, local });
  return json(200, { info: null });
}
