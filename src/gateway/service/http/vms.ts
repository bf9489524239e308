/** GET /v1/fleets/{name}/vms, /nodes and /plan: what is seen of a fleet, and what was planned of it. */
import { OdoroboError } from "../../../model/errors.ts";
import { json } from "../../../platform/http/answers.ts";
import type { GatewayNodes } from "../../../report/gateway/page-documents.ts";
import type { Call } from "./call.ts";
import { fleetOf, sightingOf } from "./served-fleet.ts";
import { isKnown, notModified, REVALIDATED } from "./tags.ts";
import { vmsBody } from "./vms-body.ts";

export async function getNodes(call: Call): Promise<Response> {
  const { parts, params } = call;
  const fleet = fleetOf(call);
  const { observed } = sightingOf(fleet, params.name ?? "");
  const { sight } = fleet.view;
  const { tag } = sight;
  if (isKnown(call, tag)) return notModified(tag);
  const document: GatewayNodes = {
    kind: "GatewayNodes",
    version: 1,
    ...{ fleet: params.name ?? "", now: parts.clock.now(), seenAt: observed.at, tag, nodes: sight.nodes() },
  };
  return json(200, document, { etag: `"${tag}"`, "cache-control": REVALIDATED });
}

/** `?since=TAG`: only what is another since that answer. */
export async function getVms(call: Call): Promise<Response> {
  const { params, query, request, parts } = call;
  const fleet = fleetOf(call);
  const name = params.name ?? "";
  sightingOf(fleet, name);
  const { tag } = fleet.view.sight;
  if (isKnown(call, tag)) return notModified(tag);
  const accepts = request.headers.get("accept-encoding") ?? "";
  const { body, encoding } = await vmsBody(fleet.view.sight, query.get("since"), {
    fleet: name,
    now: parts.clock.now(),
    mayZip: /\bgzip\b/.test(accepts),
  });
  return new Response(body, {
    headers: {
      "content-type": "application/json; charset=utf-8",
      "content-length": String(body.length),
      "cache-control": REVALIDATED,
      etag: `"${tag}"`,
      vary: "accept-encoding",
      ...(encoding === null ? {} : { "content-encoding": encoding }),
    },
  });
}

/** What waits for an answer, else what was planned last. */
export async function getFleetPlan(call: Call): Promise<Response> {
  const { view } = fleetOf(call);
  const { plan } = view;
  if (plan !== null) return json(200, plan);
  const waiting = view.summary().waiting?.run ?? null;
  // An earlier process has made it.
  if (waiting !== null) return json(200, await call.parts.runs.plan(waiting));
  const name = call.params.name ?? "";
  throw new OdoroboError("NOT_FOUND", `nothing has been planned of ${name} yet`, {
    hint: "its repository is read and its agents are asked first; /v1/fleets says how far that is",
  });
}
